#include "common/config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "common/base/log.h"
#include "common/config/flags.h"

#ifndef EDGELOG_VERSION
#error "EDGELOG_VERSION comes from CMake's project()"
#endif

namespace edgelog::config {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// The target's present value as TOML.
std::string as_toml(const Target& target) {
  return std::visit(Overloaded{[](const std::string* value) { return quoted(*value); },
                               [](const std::int64_t* value) { return fmt::format("{}", *value); },
                               [](const double* value) { return fmt::format("{}", *value); },
                               [](const bool* value) { return std::string(*value ? "true" : "false"); },
                               [](const Duration* value) { return quoted(write_duration(*value)); },
                               [](const ByteSize* value) { return quoted(write_bytes(*value)); },
                               [](const std::vector<std::string>* value) {
                                 std::vector<std::string> items;
                                 for (const auto& item : *value) items.push_back(quoted(item));
                                 return fmt::format("[{}]", fmt::join(items, ", "));
                               }},
                    target);
}

std::string kind_of(const Setting& row) {
  if (!row.choices.empty()) return fmt::format("one of {}", fmt::join(row.choices, ", "));
  static constexpr const char* kinds[] = {"TEXT", "INTEGER", "NUMBER", "true or false", "DURATION", "SIZE", "LIST"};
  return kinds[row.target.index()];
}

bool is_switch(const Setting& row) { return std::holds_alternative<bool*>(row.target); }
bool is_list(const Setting& row) { return std::holds_alternative<std::vector<std::string>*>(row.target); }

// "uplink.host" -> {"uplink", "host"}; a key without a table has none in front.
std::pair<std::string, std::string> split_key(const std::string& key) {
  const auto dot = key.rfind('.');
  if (dot == std::string::npos) return {"", key};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

Table table_for(Table at, const std::string& path) {
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = std::min(path.find('.', begin), path.size());
    at = at.table(std::string_view(path).substr(begin, end - begin));
    begin = end + 1;
  }
  return at;
}

bool outside(const Range& range, std::int64_t value) { return value < range.least || value > range.most; }

// "expected a duration from 1ms to 1h", as far as the row has bounds.
std::string bounds(const Setting& row, const std::function<std::string(std::int64_t)>& write) {
  if (row.range.most == Range{}.most) return fmt::format("at least {}", write(row.range.least));
  return fmt::format("from {} to {}", write(row.range.least), write(row.range.most));
}
std::string duration_bounds(const Setting& row) {
  return "a duration " + bounds(row, [](std::int64_t v) { return write_duration(Duration{v}); });
}
std::string byte_bounds(const Setting& row) {
  return "a size " + bounds(row, [](std::int64_t v) { return write_bytes(ByteSize{v}); });
}

void read_row(const Setting& row, const Table& table, const std::string& name) {
  std::visit(
      Overloaded{[&](std::string* to) {
                   *to = row.choices.empty() ? table.text(name, *to) : table.choice(name, *to, row.choices);
                 },
                 [&](std::int64_t* to) { *to = table.integer(name, *to, row.range); },
                 [&](double* to) { *to = table.number(name, *to); }, [&](bool* to) { *to = table.boolean(name, *to); },
                 [&](Duration* to) {
                   const auto value = table.duration(name, *to);
                   if (table.has(name) && outside(row.range, value.value()))
                     table.refuse(name, duration_bounds(row));
                   else
                     *to = value;
                 },
                 [&](ByteSize* to) {
                   const auto value = table.bytes(name, *to);
                   if (table.has(name) && outside(row.range, value.value()))
                     table.refuse(name, byte_bounds(row));
                   else
                     *to = value;
                 },
                 [&](std::vector<std::string>* to) { *to = table.texts(name, *to); }},
      row.target);
}

template <class T>
Status keep(Result<T> value, T& to) {
  TRY(value);
  to = std::move(*value);
  return Ok{};
}

Status keep_within(Result<std::int64_t> value, const Setting& row, const std::string& expected, std::int64_t& to) {
  TRY(value);
  if (outside(row.range, *value)) return Error{Code::invalid, expected};
  to = *value;
  return Ok{};
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    if (end > begin) items.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

Status parse_row(const Setting& row, const std::string& text) {
  if (auto* to = std::get_if<std::string*>(&row.target)) {
    if (!row.choices.empty() && std::find(row.choices.begin(), row.choices.end(), text) == row.choices.end())
      return Error{Code::invalid, kind_of(row)};
    **to = text;
    return Ok{};
  }
  if (auto* to = std::get_if<std::int64_t*>(&row.target))
    return keep_within(parse_integer(text), row,
                       "an integer " + bounds(row, [](std::int64_t v) { return fmt::format("{}", v); }), **to);
  if (auto* to = std::get_if<double*>(&row.target)) return keep(parse_number(text), **to);
  if (auto* to = std::get_if<bool*>(&row.target)) return keep(parse_boolean(text), **to);
  if (auto* to = std::get_if<Duration*>(&row.target)) {
    auto value = parse_duration(text);
    TRY(value);
    if (outside(row.range, value->value())) return Error{Code::invalid, duration_bounds(row)};
    **to = *value;
    return Ok{};
  }
  if (auto* to = std::get_if<ByteSize*>(&row.target)) {
    auto value = parse_bytes(text);
    TRY(value);
    if (outside(row.range, value->value())) return Error{Code::invalid, byte_bounds(row)};
    **to = *value;
    return Ok{};
  }
  **std::get_if<std::vector<std::string>*>(&row.target) = split_commas(text);
  return Ok{};
}

bool is_empty(const Setting& row) {
  if (const auto* text = std::get_if<std::string*>(&row.target)) return (*text)->empty();
  if (const auto* list = std::get_if<std::vector<std::string>*>(&row.target)) return (*list)->empty();
  return false;
}

std::string with_prefix(const std::string& prefix, const std::string& lines) {
  std::string out;
  for (std::size_t begin = 0; begin < lines.size();) {
    const auto end = std::min(lines.find('\n', begin), lines.size());
    out += prefix + lines.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::string flag_of(std::string_view key) {
  std::string flag = "--" + std::string(key);
  for (char& c : flag)
    if (c == '.' || c == '_') c = '-';
  return flag;
}

Settings::Settings(Program program) : program_(std::move(program)) {
  add("log_level", log_level_, "least level that is logged to stderr", "one line for what an operator may want to know")
      .choices = {"trace", "debug", "info", "warning", "error"};
}

Setting& Settings::add(Setting row) {
  ASSERT(std::none_of(rows_.begin(), rows_.end(), [&](const Setting& other) { return other.key == row.key; }));
  row.fallback = as_toml(row.target);
  rows_.push_back(std::move(row));
  return rows_.back();
}

void Settings::nested(std::string sample, std::function<Status(const Table& root)> read) {
  nested_.emplace_back(std::move(sample), std::move(read));
}

Status Settings::set_flag(const std::string& key, const std::string& text) {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Setting& r) { return r.key == key; });
  ASSERT(row != rows_.end());
  auto parsed = parse_row(*row, text);
  if (parsed) return Ok{};
  return Error{Code::invalid, fmt::format("{}: expected {}, got \"{}\"", flag_of(key), parsed.error().what, text)};
}

Status Settings::read(const Document& document, const std::vector<std::pair<std::string, std::string>>& flags) {
  const Table root = document.root();
  for (const Setting& row : rows_) {
    const auto [path, name] = split_key(row.key);
    read_row(row, table_for(root, path), name);
  }
  std::vector<std::string> errors;
  const auto note = [&](Status status) {
    if (!status) errors.push_back(status.error().what);
  };
  for (const auto& part : nested_) note(part.second(root));
  note(document.finish());
  for (const auto& [key, text] : flags) note(set_flag(key, text));
  for (const Setting& row : rows_)
    if (row.required && is_empty(row))
      errors.push_back(fmt::format("{}: expected {} (in the file, or as {})", row.key, row.meaning, flag_of(row.key)));
  if (errors.empty())
    for (const auto& check : checks_) note(check());
  if (errors.empty()) return Ok{};
  return Error{Code::invalid, fmt::format("{}", fmt::join(errors, "\n"))};
}

std::optional<int> Settings::start(int argc, const char* const* argv) {
  std::vector<FlagSpec> specs;
  for (const Setting& row : rows_) specs.push_back({row.key, flag_of(row.key), is_switch(row), is_list(row)});
  auto flags = parse_flags(specs, argc, argv);
  const auto fail = [&](const std::string& what) {
    std::fputs(with_prefix(program_.name + ": ", what).c_str(), stderr);
    return exit_bad_config;
  };
  if (!flags) return fail(flags.error().what + " (--help shows all flags)");
  if (flags->help) return print(help());
  if (flags->version) return print(program_.name + " " EDGELOG_VERSION "\n");
  if (flags->print_config) return print(sample());
  if (flags->print_docs) return print(markdown());
  auto document =
      flags->config_file.empty() ? Result<Document>(Document::empty("flags")) : Document::from_file(flags->config_file);
  if (!document) return fail(document.error().what);
  auto status = read(*document, flags->values);
  if (!status) return fail(status.error().what);
  if (flags->check) return 0;
  auto level = log::Level::info;
  log::parse_level(log_level_, level);
  log::start(program_.name, level);
  return std::nullopt;
}

int Settings::print(const std::string& what) const {
  std::fputs(what.c_str(), stdout);
  return 0;
}

std::string Settings::help() const {
  auto out = fmt::format("{}: {}\n\nUsage: {} [--config FILE.toml] [FLAGS]\n\nExamples:\n", program_.name,
                         program_.purpose, program_.name);
  for (const auto& example : program_.examples) out += fmt::format("  {}\n", example);
  out +=
      "\nFlags:\n  --config FILE    read settings from this TOML file; flags beat it\n"
      "  --check-config   check file and flags, say what is wrong, exit 0 or 2\n"
      "  --print-config   write a file with every setting, its default and its reason\n"
      "  --print-docs     write the same as Markdown\n"
      "  --version, --help\n\nSettings (key in the file, if it differs, in parentheses):\n";
  for (const Setting& row : rows_) {
    const auto flag = flag_of(row.key);
    const auto key = flag.substr(2) == row.key ? std::string() : fmt::format(" ({})", row.key);
    out += fmt::format("  {} {}{}\n      {}. {} {}\n", flag, kind_of(row), key, row.meaning,
                       row.required ? "Required." : "Default:", row.required ? "" : row.fallback);
  }
  return out + "\nExit codes: 0 stopped as told, 2 bad configuration, 1 cannot run, 70 failed fsync.\n";
}

std::string Settings::sample() const {
  std::vector<std::string> sections;
  for (const Setting& row : rows_) {
    auto section = split_key(row.key).first;
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) sections.push_back(std::move(section));
  }
  // Keys without a table must stand before the first table.
  std::stable_sort(sections.begin(), sections.end(),
                   [](const auto& a, const auto& b) { return a.empty() && !b.empty(); });
  auto out = fmt::format("# {}: {}\n# Every setting with its default; what is left out keeps it.\n", program_.name,
                         program_.purpose);
  for (const auto& section : sections) {
    if (!section.empty()) out += fmt::format("\n[{}]\n", section);
    for (const Setting& row : rows_) {
      const auto [path, name] = split_key(row.key);
      if (path != section) continue;
      out += fmt::format("\n# {} ({}): {}\n{} = {}\n", row.meaning, kind_of(row), row.reason, name, row.fallback);
    }
  }
  for (const auto& part : nested_) out += fmt::format("\n{}", part.first);
  return out;
}

std::string Settings::markdown() const {
  auto out =
      fmt::format("## {}\n\n{}\n\n| key | flag | value | default | what and why |\n| --- | --- | --- | --- | --- |\n",
                  program_.name, program_.purpose);
  for (const Setting& row : rows_)
    out += fmt::format("| `{}` | `{}` | {} | {} | {}: {} |\n", row.key, flag_of(row.key), kind_of(row),
                       row.required ? "required" : "`" + row.fallback + "`", row.meaning, row.reason);
  for (const auto& part : nested_) out += fmt::format("\n```toml\n{}```\n", part.first);
  return out;
}

}  // namespace edgelog::config

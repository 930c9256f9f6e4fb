#include "common/config/table.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

namespace edgelog::config {

constexpr std::size_t file_bytes_max = 16 << 20;
constexpr std::size_t complaints_max = 50;

struct DocumentState {
  std::string name;
  toml::table root;
  std::set<const toml::node*> read;     // what somebody asked for
  std::set<const toml::node*> ignored;  // read elsewhere, with all below
  std::vector<std::string> complaints;

  void complain(std::size_t line, std::string_view key, std::string_view what) {
    if (complaints.size() >= complaints_max) return;
    const auto place = line > 0 ? fmt::format("{}:{}", name, line) : name;
    auto text = key.empty() ? fmt::format("{}: {}", place, what) : fmt::format("{}: {}: {}", place, key, what);
    if (std::find(complaints.begin(), complaints.end(), text) == complaints.end())
      complaints.push_back(std::move(text));
  }
};

namespace {

const toml::node& node_of(const void* node) { return *static_cast<const toml::node*>(node); }
std::size_t line_of(const toml::node& node) { return node.source().begin.line; }

std::string shown(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  if (const auto text = node.value_exact<std::string>()) return fmt::format("\"{}\"", text->substr(0, 60));
  if (const auto number = node.value_exact<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  return "a date or time";
}

// Members of a table by their place in the file; toml++ keeps them by name.
std::vector<std::pair<std::string, const toml::node*>> in_order(const toml::table& table) {
  std::vector<std::pair<std::string, const toml::node*>> members;
  for (const auto& [key, node] : table) members.emplace_back(std::string(key.str()), &node);
  std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
    const auto x = a.second->source().begin, y = b.second->source().begin;
    return std::pair(x.line, x.column) < std::pair(y.line, y.column);
  });
  return members;
}

void find_unread(DocumentState& state, const toml::node& node, const std::string& path) {
  if (state.ignored.contains(&node)) return;
  if (const auto* table = node.as_table()) {
    for (const auto& [key, member] : in_order(*table)) {
      const auto name = path.empty() ? key : path + "." + key;
      if (state.read.contains(member))
        find_unread(state, *member, name);
      else if (!state.ignored.contains(member))
        state.complain(line_of(*member), name, "expected no such key (unknown)");
    }
  } else if (const auto* array = node.as_array()) {
    for (std::size_t i = 0; i < array->size(); ++i)
      if (array->get(i)->is_table()) find_unread(state, *array->get(i), fmt::format("{}[{}]", path, i));
  }
}

}  // namespace

std::string Table::path(std::string_view key) const {
  return prefix_.empty() ? std::string(key) : fmt::format("{}.{}", prefix_, key);
}

const void* Table::find(std::string_view key) const {
  if (!node_) return nullptr;
  const toml::node* node = node_of(node_).as_table()->get(key);
  if (node) state_->read.insert(node);
  return node;
}

void Table::wrong(std::string_view key, const void* node, std::string_view expected) const {
  state_->complain(line_of(node_of(node)), path(key),
                   fmt::format("expected {}, got {}", expected, shown(node_of(node))));
}

void Table::missing(std::string_view key, std::string_view expected) const {
  state_->complain(node_ ? line_of(node_of(node_)) : 0, path(key), fmt::format("expected {}, got nothing", expected));
}

void Table::refuse(std::string_view key, std::string_view expected) const {
  if (const void* node = find(key))
    wrong(key, node, expected);
  else
    missing(key, expected);
}

void Table::ignore(std::string_view key) const {
  if (const void* node = find(key)) state_->ignored.insert(&node_of(node));
}

std::vector<std::string> Table::keys() const {
  std::vector<std::string> names;
  if (!node_) return names;
  for (auto& member : in_order(*node_of(node_).as_table())) names.push_back(member.first);
  return names;
}

bool Table::has(std::string_view key) const { return node_ && node_of(node_).as_table()->contains(key); }

std::string Table::text(std::string_view key, std::string fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  if (auto value = node_of(node).value_exact<std::string>()) return *value;
  wrong(key, node, "a string");
  return fallback;
}

std::int64_t Table::integer(std::string_view key, std::int64_t fallback, Range range) const {
  const void* node = find(key);
  if (!node) return fallback;
  const auto value = node_of(node).value_exact<std::int64_t>();
  if (value && *value >= range.least && *value <= range.most) return *value;
  const bool bounded = range.least != Range{}.least || range.most != Range{}.most;
  if (!bounded)
    wrong(key, node, "an integer");
  else if (range.most == Range{}.most)
    wrong(key, node, fmt::format("an integer of at least {}", range.least));
  else
    wrong(key, node, fmt::format("an integer from {} to {}", range.least, range.most));
  return fallback;
}

double Table::number(std::string_view key, double fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  if (const auto value = node_of(node).value_exact<double>()) return *value;
  if (const auto value = node_of(node).value_exact<std::int64_t>()) return static_cast<double>(*value);
  wrong(key, node, "a number");
  return fallback;
}

bool Table::boolean(std::string_view key, bool fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  if (const auto value = node_of(node).value_exact<bool>()) return *value;
  wrong(key, node, "true or false");
  return fallback;
}

Duration Table::duration(std::string_view key, Duration fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  auto value = parse_duration(node_of(node).value_exact<std::string>().value_or("no string"));
  if (value) return *value;
  wrong(key, node, value.error().what);
  return fallback;
}

ByteSize Table::bytes(std::string_view key, ByteSize fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  if (const auto count = node_of(node).value_exact<std::int64_t>(); count && *count >= 0) return ByteSize{*count};
  auto value = parse_bytes(node_of(node).value_exact<std::string>().value_or("no string"));
  if (value) return *value;
  wrong(key, node, value.error().what);
  return fallback;
}

std::vector<std::string> Table::texts(std::string_view key, std::vector<std::string> fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  const auto* array = node_of(node).as_array();
  std::vector<std::string> values;
  for (std::size_t i = 0; array && i < array->size(); ++i)
    if (auto value = array->get(i)->value_exact<std::string>()) values.push_back(*value);
  if (array && values.size() == array->size()) return values;
  wrong(key, node, "an array of strings");
  return fallback;
}

std::vector<double> Table::numbers(std::string_view key, std::vector<double> fallback) const {
  const void* node = find(key);
  if (!node) return fallback;
  const auto* array = node_of(node).as_array();
  std::vector<double> values;
  for (std::size_t i = 0; array && i < array->size(); ++i)
    if (array->get(i)->is_number()) values.push_back(*array->get(i)->value<double>());
  if (array && values.size() == array->size()) return values;
  wrong(key, node, "an array of numbers");
  return fallback;
}

std::string Table::choice(std::string_view key, std::string fallback, const std::vector<std::string>& allowed) const {
  const void* node = find(key);
  if (!node) return fallback;
  const auto value = node_of(node).value_exact<std::string>();
  if (value && std::find(allowed.begin(), allowed.end(), *value) != allowed.end()) return *value;
  wrong(key, node, fmt::format("one of \"{}\"", fmt::join(allowed, "\", \"")));
  return fallback;
}

std::optional<Scalar> Table::scalar(std::string_view key) const {
  const void* node = find(key);
  if (!node) return std::nullopt;
  if (auto value = node_of(node).value_exact<std::string>()) return Scalar{*value};
  if (const auto value = node_of(node).value_exact<std::int64_t>()) return Scalar{*value};
  if (const auto value = node_of(node).value_exact<double>()) return Scalar{*value};
  if (const auto value = node_of(node).value_exact<bool>()) return Scalar{*value};
  wrong(key, node, "a string, a number, true or false");
  return std::nullopt;
}

std::string Table::required_text(std::string_view key) const {
  if (!has(key)) missing(key, "a string");
  return text(key, "");
}

std::int64_t Table::required_integer(std::string_view key, Range range) const {
  if (!has(key)) missing(key, "an integer");
  return integer(key, 0, range);
}

double Table::required_number(std::string_view key) const {
  if (!has(key)) missing(key, "a number");
  return number(key, 0);
}

Table Table::table(std::string_view key) const {
  const void* node = find(key);
  if (node && !node_of(node).is_table()) {
    wrong(key, node, fmt::format("a table [{}]", path(key)));
    node = nullptr;
  }
  return {state_, node, path(key)};
}

std::vector<Table> Table::tables(std::string_view key) const {
  std::vector<Table> found;
  const void* node = find(key);
  if (!node) return found;
  const auto* array = node_of(node).as_array();
  for (std::size_t i = 0; array && i < array->size(); ++i)
    if (array->get(i)->is_table()) found.push_back({state_, array->get(i), fmt::format("{}[{}]", path(key), i)});
  if (!array || found.size() != array->size()) wrong(key, node, fmt::format("tables [[{}]]", path(key)));
  return found;
}

std::vector<std::pair<std::string, Table>> Table::named_tables(std::string_view key) const {
  std::vector<std::pair<std::string, Table>> found;
  const Table parent = table(key);
  for (auto& name : parent.keys()) {
    Table child = parent.table(name);
    if (child.present()) found.emplace_back(name, std::move(child));
  }
  return found;
}

Result<Document> Document::from_text(std::string_view text, const std::string& name) {
  if (text.size() > file_bytes_max) return Error{Code::invalid, fmt::format("{}: expected at most 16 MiB", name)};
  auto state = std::make_shared<DocumentState>();
  state->name = name;
  try {
    state->root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return Error{Code::invalid,
                 fmt::format("{}:{}: expected TOML: {}", name, error.source().begin.line, error.description())};
  }
  return Document(std::move(state));
}

Result<Document> Document::from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const auto fail = [&] { return Error{Code::io, fmt::format("read {}: {}", path, std::strerror(errno))}; };
  if (!file) return fail();
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return fail();
  return from_text(text, path);
}

Document Document::empty(const std::string& name) {
  auto state = std::make_shared<DocumentState>();
  state->name = name;
  return Document(std::move(state));
}

Table Document::root() const { return {state_, static_cast<const toml::node*>(&state_->root), ""}; }

Status Document::finish() const {
  const auto before = state_->complaints.size();
  find_unread(*state_, state_->root, "");
  auto complaints = state_->complaints;
  state_->complaints.resize(before);
  if (complaints.empty()) return Ok{};
  return Error{Code::invalid, fmt::format("{}", fmt::join(complaints, "\n"))};
}

}  // namespace edgelog::config

#include "firmware-sim/adapters/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware-sim/core/text.h"

namespace edgelog::firmware {
namespace {

// RFC 8259's grammar of a number: what may stand in JSON without quotes.
bool is_json_number(std::string_view t) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < t.size() && t[at] >= '0' && t[at] <= '9') ++at;
    return at - begin;
  };
  if (at < t.size() && t[at] == '-') ++at;
  const std::size_t whole = at;
  if (digits() == 0 || (t[whole] == '0' && at - whole > 1)) return false;
  if (at < t.size() && t[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < t.size() && (t[at] == 'e' || t[at] == 'E')) {
    ++at;
    if (at < t.size() && (t[at] == '+' || t[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == t.size();
}

std::optional<std::size_t> place_of(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

Result<std::unique_ptr<Replay>> Replay::open(ReplayConfig config) {
  std::unique_ptr<Replay> replay(new Replay(std::move(config)));
  TRY(replay->start());
  TRY(replay->advance());
  return replay;
}

Status Replay::start() {
  if (!config_.series) return config_.header ? Status(Ok{}) : use_columns(config_.columns);
  TRY(use_columns(config_.columns));
  for (const auto& input : config_.inputs) {
    auto members = read_members(input);
    if (!members) return std::move(members).error();
    for (auto& member : *members) {
      std::string name = member.name.substr(0, member.name.rfind('.'));
      if (name_part(name, config_.parts) == config_.part) series_.push_back({std::move(name), std::move(member.data)});
    }
  }
  for (std::size_t i = 0; i < series_.size(); ++i) push_head(i);
  return Ok{};
}

Status Replay::use_columns(const std::vector<std::string>& names) {
  const auto need = [&](const std::string& column) -> Result<std::size_t> {
    const auto at = place_of(names, column);
    if (!at)
      return Error{Code::invalid,
                   "no column \"" + column + "\" in " + config_.inputs[next_input_ > 0 ? next_input_ - 1 : 0]};
    return *at;
  };
  columns_ = names;
  fields_.clear();
  time_at_.clear();
  if (!config_.device_column.empty()) {
    const auto at = need(config_.device_column);
    if (!at) return at.error();
    device_at_ = *at;
  }
  if (config_.fields.empty())
    for (std::size_t i = 0; i < names.size(); ++i) fields_.push_back({{names[i], names[i], false}, i});
  for (const auto& field : config_.fields) {
    const auto at = need(field.column);
    if (!at) return at.error();
    fields_.emplace_back(field, *at);
  }
  for (const auto& column : config_.time) {
    const auto at = need(column);
    if (!at) return at.error();
    time_at_.push_back(*at);
  }
  return Ok{};
}

// RFC 4180, but for tabs, which know no quotes: a cell in quotes may have delimiters, and quotes, doubled.
void Replay::split_quoted(std::string_view line, std::vector<std::string_view>& cells, std::string& unquoted) const {
  unquoted.clear();
  unquoted.reserve(line.size());  // so that views into it hold
  for (std::size_t at = 0; at <= line.size(); ++at) {
    const std::size_t begin = unquoted.size();
    if (at < line.size() && line[at] == '"') {
      for (++at; at < line.size(); ++at) {
        if (line[at] == '"' && !(at + 1 < line.size() && line[at + 1] == '"')) break;
        if (line[at] == '"') ++at;
        unquoted += line[at];
      }
      ++at;  // the closing quote
    }
    for (; at < line.size() && line[at] != config_.delimiter; ++at) unquoted += line[at];
    cells.push_back(std::string_view(unquoted).substr(begin));
  }
}

void Replay::split(std::string_view line, std::vector<std::string_view>& cells, std::string& unquoted) const {
  cells.clear();
  if (config_.delimiter != '\t' && line.find('"') != std::string_view::npos) return split_quoted(line, cells, unquoted);
  for (std::size_t at = 0;;) {
    const std::size_t end = line.find(config_.delimiter, at);
    cells.push_back(line.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return;
    at = end + 1;
  }
}

// A line, or several where a quoted cell has line breaks; `whole` holds these.
Result<bool> Replay::next_row(std::string_view& line, std::string& whole) {
  const auto got = reader_->next(line);
  if (!got || !*got) return got;
  ++line_;
  const auto open = [](std::string_view text) { return std::count(text.begin(), text.end(), '"') % 2 != 0; };
  if (config_.delimiter == '\t' || !open(line)) return true;
  whole = line;
  while (open(whole)) {
    const auto more = reader_->next(line);
    if (!more) return more.error();
    if (!*more || whole.size() > line_bytes_max)
      return Error{Code::corrupt,
                   fmt::format("{}:{}: a quote that is not closed", config_.inputs[next_input_ - 1], line_)};
    ++line_;
    whole.append(1, '\n').append(line);
  }
  line = whole;
  return true;
}

Result<bool> Replay::open_next_input() {
  if (next_input_ == config_.inputs.size()) return false;
  auto reader = LineReader::open(config_.inputs[next_input_++]);
  if (!reader) return std::move(reader).error();
  reader_.emplace(std::move(*reader));
  line_ = 0;
  if (!config_.header) return true;
  std::string_view line;
  std::string whole, unquoted;
  const auto got = next_row(line, whole);
  if (!got) return got.error();
  std::vector<std::string_view> cells;
  split(line, cells, unquoted);
  TRY(use_columns({cells.begin(), cells.end()}));
  return true;
}

Result<bool> Replay::read_table_row(Row& row) {
  while (config_.rows_max == 0 || rows_ < config_.rows_max) {
    if (!reader_) {
      const auto opened = open_next_input();
      if (!opened || !*opened) return opened;
    }
    std::string_view line;
    const auto got = next_row(line, row.whole);
    if (!got) return got.error();
    if (!*got) {
      reader_.reset();
      continue;
    }
    if (line.empty()) continue;
    split(line, row.cells, row.unquoted);
    if (row.cells.size() != columns_.size())
      return Error{Code::corrupt, fmt::format("{}:{}: {} cells, expected {}", config_.inputs[next_input_ - 1], line_,
                                              row.cells.size(), columns_.size())};
    ++rows_;
    row.device = config_.device_column.empty() ? config_.device : std::string(row.cells[device_at_]);
    if (name_part(row.device, config_.parts) == config_.part) return true;
  }
  return false;
}

// The time of a series' next row decides when it is its turn; within a series the order is the file's.
void Replay::push_head(std::size_t index) {
  Series& series = series_[index];
  while (series.next < series.data.size() && series.data[series.next] == '\n') ++series.next;
  if (series.next >= series.data.size()) return;
  const auto line = std::string_view(series.data).substr(series.next);
  std::vector<std::string_view> cells;
  std::string unquoted;
  split(line.substr(0, line.find('\n')), cells, unquoted);
  std::int64_t at = 0;
  if (!time_at_.empty() && time_at_[0] < cells.size())
    if (const auto parsed = parse_recorded(config_.time_format, cells[time_at_[0]])) at = parsed->value();
  heads_.emplace(at, index);
}

bool Replay::read_series_row(Row& row) {
  while (!heads_.empty()) {
    const auto [at, index] = heads_.top();
    heads_.pop();
    Series& series = series_[index];
    const std::size_t end = std::min(series.data.find('\n', series.next), series.data.size());
    auto line = std::string_view(series.data).substr(series.next, end - series.next);
    if (line.ends_with('\r')) line.remove_suffix(1);
    series.next = end + 1;
    push_head(index);
    split(line, row.cells, row.unquoted);
    if (row.cells.size() != columns_.size()) continue;
    ++rows_;
    row.device = series.device;
    return true;
  }
  return false;
}

Status Replay::advance() {
  Row row;
  front_.reset();
  bool got = false;
  if (config_.series) {
    got = read_series_row(row);
  } else {
    const auto read = read_table_row(row);
    if (!read) return read.error();
    got = *read;
  }
  if (!got) return Ok{};
  time_text_.clear();
  for (const std::size_t at : time_at_) {
    if (!time_text_.empty()) time_text_ += ' ';
    time_text_ += row.cells[at];
  }
  row.at = parse_recorded(config_.time_format, time_text_);
  make(row);
  return Ok{};
}

void Replay::make(const Row& row) {
  Made made;
  made.device = row.device;
  for (const auto& [field, at] : fields_) {
    const auto cell = row.cells[at];
    if (field.number && is_json_number(cell)) {
      append_literal(made.fields, field.name, cell);
    } else {
      append_field(made.fields, field.name, cell);
    }
    if (std::find(config_.notice.begin(), config_.notice.end(), field.name) != config_.notice.end())
      append_field(made.notice, field.name, cell);
  }
  front_ = std::move(made);
  if (config_.rate > 0) due_ = std::max(due_, Instant{made_++ * 1'000'000'000 / config_.rate});
  if (config_.speed <= 0 || !row.at) return;
  if (!begin_) begin_ = row.at;
  // Recordings overlap and go back: what was recorded earlier than its predecessor comes at once.
  const double ahead = static_cast<double>((*row.at - *begin_).value()) / config_.speed;
  due_ = std::max(due_, Instant{static_cast<std::int64_t>(ahead)});
}

void Replay::pop() {
  auto status = advance();
  if (!status) failure_ = std::move(status).error();
}

}  // namespace edgelog::firmware

#include "edge-agent/agent/mapping_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace edgelog::agent {
namespace {

using config::Table;

const std::vector<std::string> kind_names{"any", "string", "number", "boolean", "array", "object"};

std::optional<JsonKind> kind_of(const std::string& name) {
  if (name == "string") return JsonKind::string;
  if (name == "number") return JsonKind::number;
  if (name == "boolean") return JsonKind::boolean;
  if (name == "array") return JsonKind::array;
  if (name == "object") return JsonKind::object;
  return std::nullopt;
}

Template read_template(const Table& table, std::string_view key, const std::string& fallback) {
  auto parsed = Template::parse(table.text(key, fallback));
  if (!parsed) {
    table.refuse(key, parsed.error().what);
    return {};
  }
  return std::move(*parsed);
}

std::string to_json(const config::Scalar& scalar) {
  if (const auto* text = std::get_if<std::string>(&scalar)) {
    std::string quoted;
    append_json_string(quoted, *text);
    return quoted;
  }
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&scalar)) return fmt::format("{}", *whole);
  return fmt::format("{}", std::get<double>(scalar));
}

// open = { field = "contact", kind = "boolean", map = { true = false, false = true } }
ValueRule read_value(const Table& values, const std::string& name) {
  ValueRule rule{name, {}, std::nullopt, {}};
  const Table table = values.table(name);
  rule.field = table.required_text("field");
  rule.kind = kind_of(table.choice("kind", "any", kind_names));
  const Table map = table.table("map");
  if (map.present())
    for (const auto& from : map.keys())
      if (auto to = map.scalar(from)) rule.map.emplace_back(from, to_json(*to));
  return rule;
}

EventRule read_event(const Table& table) {
  EventRule rule;
  rule.stream = read_template(table, "stream", "");
  if (rule.stream.empty()) table.refuse("stream", "the Kafka topic that the event goes to");
  rule.has = table.texts("has", {});
  rule.go_on = table.boolean("go_on", false);
  rule.drop = table.texts("drop", {});
  rule.numeric = table.texts("numeric", {});
  const Table when = table.table("when");
  if (when.present())
    for (const auto& field : when.keys()) rule.when.emplace_back(field, when.texts(field, {}));
  const Table values = table.table("value");
  if (values.present())
    for (const auto& name : values.keys()) rule.value.push_back(read_value(values, name));
  return rule;
}

TopicRule read_topic(const Table& table) {
  TopicRule rule;
  auto pattern = TopicPattern::parse(table.required_text("pattern"));
  if (pattern)
    rule.pattern = std::move(*pattern);
  else
    table.refuse("pattern", "a topic pattern, not " + pattern.error().what);
  rule.ignore = table.boolean("ignore", false);
  const bool named = pattern && rule.pattern.has("device");
  rule.device = read_template(table, "device", named ? "{topic.device}" : "");
  rule.confirm = read_template(table, "confirm", "");
  for (const Table& event : table.tables("event")) rule.events.push_back(read_event(event));
  if (rule.ignore) return rule;
  if (rule.device.empty()) table.refuse("device", "the device's name, as {topic.NAME} or {payload.FIELD}");
  if (rule.confirm.needs_payload()) table.refuse("confirm", "a topic made of {topic} and {topic.NAME} only");
  if (rule.events.empty()) table.refuse("event", "at least one [[topic.event]]");
  return rule;
}

SourceRule read_source(const Table& table) {
  SourceRule rule;
  if (!table.present()) return rule;
  const std::string kind = table.choice("kind", "plain", {"plain", "numbered", "ring"});
  rule.kind = kind == "ring" ? SourceKind::ring : kind == "numbered" ? SourceKind::numbered : SourceKind::plain;
  rule.optional = table.boolean("optional", false);
  rule.number = table.text("number", "");
  rule.incarnation = table.text("incarnation", "");
  rule.modulus = table.integer("modulus", 0, {0, std::int64_t{1} << 62});
  rule.lost = table.text("lost", "");
  rule.confirmed = table.text("confirmed", "");
  if (rule.kind != SourceKind::plain && rule.number.empty())
    table.refuse("number", "the field with the source's number");
  if (rule.kind == SourceKind::ring && rule.incarnation.empty())
    table.refuse("incarnation", "the field that is new at every start of a device with a ring");
  return rule;
}

TimeRule read_time(const Table& table) {
  static const std::vector<std::string> names{"any", "iso8601", "unix_s", "unix_ms", "us_local"};
  static constexpr std::array formats{TimeFormat::any, TimeFormat::iso8601, TimeFormat::unix_s, TimeFormat::unix_ms,
                                      TimeFormat::us_local};
  TimeRule rule;
  if (!table.present()) return rule;
  rule.fields = table.texts("fields", {});
  const std::string format = table.choice("format", "any", names);
  const auto at = std::find(names.begin(), names.end(), format) - names.begin();
  if (static_cast<std::size_t>(at) < formats.size()) rule.format = formats[static_cast<std::size_t>(at)];
  const std::int64_t year = table.integer("earliest_year", 2015, {1, 9999});
  rule.earliest = WallMillis{days_of(year, 1, 1) * 86'400'000};
  return rule;
}

void check_whole(const Table& root, const Mapping& mapping) {
  if (mapping.topics.empty()) root.refuse("topic", "at least one [[topic]]");
  for (const TopicRule& rule : mapping.topics) {
    const bool several =
        std::any_of(rule.events.begin(), rule.events.end(), [](const EventRule& e) { return e.go_on; });
    // A numbered source's number stands for one event: two from one delivery could not both be the next.
    if (several && mapping.source.kind != SourceKind::plain)
      root.refuse("topic", fmt::format("no go_on with a numbered source ('{}')", rule.pattern.text()));
    if (mapping.source.kind == SourceKind::ring && !rule.ignore && rule.confirm.empty())
      root.refuse("topic", fmt::format("a confirm topic for a source with a ring ('{}')", rule.pattern.text()));
  }
}

}  // namespace

Result<Mapping> read_mapping(const config::Document& document) {
  const Table root = document.root();
  Mapping mapping;
  const std::int64_t format = root.required_integer("mapping");
  if (format != mapping_format)
    root.refuse("mapping", fmt::format("format {}, the one this version reads", mapping_format));
  mapping.name = root.required_text("name");
  mapping.snapshots = root.boolean("snapshots", false);
  mapping.source = read_source(root.table("source"));
  mapping.time = read_time(root.table("time"));
  for (const Table& topic : root.tables("topic")) mapping.topics.push_back(read_topic(topic));
  check_whole(root, mapping);
  TRY(document.finish());
  return mapping;
}

Result<Mapping> load_mapping(const std::string& path) {
  auto document = config::Document::from_file(path);
  if (!document) return std::move(document).error();
  return read_mapping(*document);
}

}  // namespace edgelog::agent

#include "edge-agent/agent/mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "common/uplink/names.h"

namespace edgelog::agent {
namespace {

// A whole number that is not negative, also as text: leading zeros are not told apart.
bool read_count(const JsonField& field, std::int64_t& out) {
  const std::string_view text = field.text;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && at == text.data() + text.size() && out >= 0;
}

bool listed(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool present(const JsonObject& payload, const std::string& name) {
  const JsonField* field = payload.find(name);
  return field != nullptr && field->kind != JsonKind::null;
}

bool applies(const EventRule& rule, const JsonObject& payload) {
  for (const auto& name : rule.has)
    if (!present(payload, name)) return false;
  for (const auto& [name, texts] : rule.when) {
    const JsonField* field = payload.find(name);
    if (field == nullptr || !listed(texts, field->text)) return false;
  }
  return true;
}

bool refuse(Mapped& out, std::string_view reason, std::string_view detail) {
  out.verdict = Mapped::Verdict::refused;
  out.reason = reason;
  out.detail = detail;
  out.count = 0;
  return false;
}

void begin_member(std::string& value) { value += value.size() > 1 ? "," : ""; }

// The payload as it came, but for what the rule drops.
void pass_through(const EventRule& rule, const JsonObject& payload, std::string& value) {
  value = "{";
  for (const JsonField& field : payload.fields) {
    if (field.nested || listed(rule.drop, field.name)) continue;
    begin_member(value);
    value.append(field.raw_name).append(1, ':');
    const bool bare = field.kind == JsonKind::string && is_json_number(field.text) && listed(rule.numeric, field.name);
    value.append(bare ? field.text : field.raw);
  }
  value += '}';
}

bool build_value(const EventRule& rule, const JsonObject& payload, std::string& value, Mapped& out) {
  value = "{";
  for (const ValueRule& part : rule.value) {
    const JsonField* field = payload.find(part.field);
    if (field == nullptr || field->kind == JsonKind::null) continue;
    if (part.kind && field->kind != *part.kind) return refuse(out, "wrong type", part.field);
    std::string_view json = field->raw;
    if (!part.map.empty()) {
      const auto entry =
          std::find_if(part.map.begin(), part.map.end(), [&](const auto& e) { return e.first == field->text; });
      if (entry == part.map.end()) return refuse(out, "unexpected value", part.field);
      json = entry->second;
    }
    begin_member(value);
    append_json_string(value, part.name);
    value.append(1, ':').append(json);
  }
  value += '}';
  return true;
}

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  Template result;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    if (open != 0) {
      result.parts_.push_back({Part::Kind::literal, std::string(text.substr(0, open))});
      text = open == std::string_view::npos ? std::string_view{} : text.substr(open);
      continue;
    }
    const std::size_t close = text.find('}');
    if (close == std::string_view::npos) return Error{Code::invalid, "a closing '}'"};
    const std::string_view name = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (name == "site") {
      result.parts_.push_back({Part::Kind::site, {}});
    } else if (name == "topic") {
      result.parts_.push_back({Part::Kind::topic, {}});
    } else if (name.starts_with("topic.") && name.size() > 6) {
      result.parts_.push_back({Part::Kind::capture, std::string(name.substr(6))});
    } else if (name.starts_with("payload.") && name.size() > 8) {
      result.parts_.push_back({Part::Kind::field, std::string(name.substr(8))});
    } else {
      return Error{Code::invalid, "{site}, {topic}, {topic.NAME} or {payload.FIELD}"};
    }
  }
  return result;
}

bool Template::needs_payload() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.kind == Part::Kind::field; });
}

bool Template::render(const Inputs& inputs, std::string& out) const {
  for (const Part& part : parts_) {
    std::string_view text = part.text;
    if (part.kind == Part::Kind::site) text = inputs.site;
    if (part.kind == Part::Kind::topic) text = inputs.topic;
    if (part.kind == Part::Kind::capture) text = inputs.captures->find(part.text);
    if (part.kind == Part::Kind::field) {
      const JsonField* field = inputs.payload == nullptr ? nullptr : inputs.payload->find(part.text);
      if (field == nullptr || (field->kind != JsonKind::string && field->kind != JsonKind::number)) return false;
      text = field->text;
    }
    if (text.empty()) return false;
    out += text;
  }
  return true;
}

const TopicRule* Mapping::match(std::string_view topic, Captures& captures) const {
  for (const TopicRule& rule : topics)
    if (rule.pattern.match(topic, captures)) return &rule;
  return nullptr;
}

std::vector<std::string> Mapping::filters() const {
  std::vector<std::string> all;
  for (const TopicRule& rule : topics)
    if (!rule.ignore && !listed(all, rule.pattern.filter())) all.push_back(rule.pattern.filter());
  return all;
}

bool Mapping::read_source(const JsonObject& payload, Mapped& out) const {
  out.source.kind = SourceKind::plain;
  out.source.number = 0;
  out.source.incarnation.clear();
  if (source.kind == SourceKind::plain) return true;
  const JsonField* number = payload.find(source.number);
  const JsonField* boot = source.incarnation.empty() ? nullptr : payload.find(source.incarnation);
  std::int64_t value = 0;
  if (boot != nullptr) {
    if (!read_count(*boot, value)) return refuse(out, "wrong type", source.incarnation);
    fmt::format_to(std::back_inserter(out.source.incarnation), "{}", value);
  }
  if (number == nullptr) {
    if (is_notice(payload)) return true;
    out.source.incarnation.clear();
    return source.optional || refuse(out, "field missing", source.number);
  }
  if (!read_count(*number, value)) return refuse(out, "wrong type", source.number);
  if (source.modulus != 0 && value >= source.modulus) return refuse(out, "number out of range", source.number);
  out.source.number = value;
  out.source.kind = source.kind == SourceKind::ring && boot == nullptr ? SourceKind::numbered : source.kind;
  out.numbered = true;
  return true;
}

// {"boot": 7, "confirmed": 2, "lost": 9}: it has an incarnation and no number of its own.
bool Mapping::is_notice(const JsonObject& payload) const {
  return source.kind == SourceKind::ring && !source.confirmed.empty() && present(payload, source.confirmed) &&
         present(payload, source.incarnation) && payload.find(source.number) == nullptr;
}

void Mapping::read_notice(const JsonObject& payload, Mapped& out) const {
  out.verdict = Mapped::Verdict::notice;
  out.notice = {};
  if (!read_count(*payload.find(source.confirmed), out.notice.confirmed_through))
    return static_cast<void>(refuse(out, "wrong type", source.confirmed));
  out.notice.lost_through = out.notice.confirmed_through;
  const JsonField* lost = source.lost.empty() ? nullptr : payload.find(source.lost);
  if (lost == nullptr || lost->kind == JsonKind::null) return;
  if (!read_count(*lost, out.notice.lost_through) || out.notice.lost_through < out.notice.confirmed_through)
    refuse(out, "wrong type", source.lost);
}

void Mapping::read_time(const JsonObject& payload, WallMillis now, Mapped& out) const {
  out.time = {};
  if (time.fields.empty()) return;
  std::string joined;
  for (const auto& wanted : time.fields) {
    const JsonField* field = payload.find(wanted);
    if (field == nullptr || field->kind == JsonKind::null) return;
    if (!joined.empty()) joined += ' ';
    joined += field->text;
  }
  out.time = read_device_time(joined, time.format, time.earliest, now);
}

void Mapping::apply(const TopicRule& rule, const Template::Inputs& inputs, WallMillis now, Mapped& out) const {
  const JsonObject& payload = *inputs.payload;
  out.verdict = Mapped::Verdict::events;
  out.count = 0;
  out.device.clear();
  out.confirm.clear();
  out.reason = {};
  out.detail.clear();
  out.numbered = false;
  const bool named = rule.device.render(inputs, out.device);
  if (!named || out.device.size() > device_name_max) {
    out.device.clear();  // half a name, or one too long, names nobody
    return static_cast<void>(refuse(out, named ? "device name too long" : "no device name", inputs.topic));
  }
  out.key.assign(inputs.site).append(1, '/').append(out.device);
  static_cast<void>(rule.confirm.render(inputs, out.confirm));
  if (!read_source(payload, out)) return;
  if (out.confirm.empty() && out.source.kind == SourceKind::ring) out.source.kind = SourceKind::numbered;
  read_time(payload, now, out);
  if (is_notice(payload)) return read_notice(payload, out);
  for (const EventRule& event : rule.events) {
    if (!applies(event, payload)) continue;
    if (out.events.size() <= out.count) out.events.emplace_back();
    MappedEvent& made = out.events[out.count];
    made.stream.clear();
    if (!event.stream.render(inputs, made.stream) || !uplink::valid_event_topic(made.stream))
      return static_cast<void>(refuse(out, "no valid stream", made.stream));
    if (event.value.empty()) {
      pass_through(event, payload, made.value);
    } else if (!build_value(event, payload, made.value, out)) {
      return;
    }
    ++out.count;
    if (!event.go_on) break;
  }
  if (out.count == 0) refuse(out, "no rule for this payload", inputs.topic);
}

}  // namespace edgelog::agent

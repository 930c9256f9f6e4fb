#include "edge-agent/adapters/json_parser.h"

#include <simdjson.h>

#include <cstring>

namespace edgelog::agent {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t fields_max = 256;
constexpr int depth_max = 8;
constexpr std::string_view not_json = "not valid JSON";

std::string_view right_trim(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// From the byte after a string's opening quote to the one before its closing quote.
std::string_view raw_string(const char* begin) {
  const char* at = begin;
  while (*at != '"') at += *at == '\\' ? 2 : 1;
  return {begin, static_cast<std::size_t>(at - begin)};
}

}  // namespace

struct JsonParser::State {
  explicit State(std::size_t max) : parser(max), bytes_max(max) {}

  ondemand::parser parser;
  std::size_t bytes_max;
  std::string padded;  // simdjson reads past the end by up to SIMDJSON_PADDING bytes
  std::string names;   // backs the dotted names; reserved before a parse so that views into it hold
  ondemand::document document;
  JsonObject* out = nullptr;

  std::string_view walk_object(ondemand::object object, std::string_view prefix, int depth);
  std::string_view walk_array(ondemand::array array, int depth);
  std::string_view walk_value(ondemand::value value, JsonField& field, int depth);
  std::string_view scalar(ondemand::value& value, JsonField& field);
  std::string_view join(std::string_view prefix, std::string_view name);
  std::string_view from(const char* begin);
};

// Dotted names beyond the reserve are left out: such a field can be passed through, not named by a rule.
std::string_view JsonParser::State::join(std::string_view prefix, std::string_view name) {
  if (prefix.empty()) return name;
  const std::size_t at = names.size(), length = prefix.size() + 1 + name.size();
  if (at + length > names.capacity()) return {};
  names.append(prefix).append(1, '.').append(name);
  return std::string_view(names).substr(at, length);
}

// What was consumed since `begin`, which is up to the next token.
std::string_view JsonParser::State::from(const char* begin) {
  const char* end = nullptr;
  if (document.current_location().get(end)) return {};
  return right_trim({begin, static_cast<std::size_t>(end - begin)});
}

std::string_view JsonParser::State::scalar(ondemand::value& value, JsonField& field) {
  field.raw = field.text = right_trim(value.raw_json_token());
  switch (field.kind) {
    case JsonKind::null: return value.is_null().value_unsafe() && field.raw == "null" ? "" : not_json;
    case JsonKind::boolean: {
      bool ignored = false;
      return value.get_bool().get(ignored) ? not_json : "";
    }
    case JsonKind::string: return value.get_string().get(field.text) ? not_json : "";
    default: break;
  }
  // Numbers are never converted; simdjson would refuse those that no double or int64 holds.
  std::uint64_t ignored = 0;
  const auto error = value.get_uint64().get(ignored);
  static_cast<void>(error);
  return is_json_number(field.raw) ? "" : not_json;
}

std::string_view JsonParser::State::walk_value(ondemand::value value, JsonField& field, int depth) {
  ondemand::json_type type{};
  if (value.type().get(type)) return not_json;
  const char* begin = value.raw_json_token().data();
  if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
    if (depth >= depth_max) return "more than 8 levels";
    std::string_view reason;
    if (type == ondemand::json_type::object) {
      field.kind = JsonKind::object;
      const std::size_t self = out->fields.size();
      const bool listed = field.name.data() != nullptr;
      if (listed) out->fields.push_back(field);
      ondemand::object object;
      if (value.get_object().get(object)) return not_json;
      reason = walk_object(object, field.name, depth + 1);
      if (reason.empty() && listed) out->fields[self].raw = out->fields[self].text = from(begin);
      return reason;
    }
    field.kind = JsonKind::array;
    ondemand::array array;
    if (value.get_array().get(array)) return not_json;
    if (reason = walk_array(array, depth + 1); !reason.empty()) return reason;
    field.raw = field.text = from(begin);
  } else {
    field.kind = type == ondemand::json_type::string    ? JsonKind::string
                 : type == ondemand::json_type::number  ? JsonKind::number
                 : type == ondemand::json_type::boolean ? JsonKind::boolean
                                                        : JsonKind::null;
    if (auto reason = scalar(value, field); !reason.empty()) return reason;
  }
  if (field.name.data() != nullptr) out->fields.push_back(field);
  return {};
}

std::string_view JsonParser::State::walk_object(ondemand::object object, std::string_view prefix, int depth) {
  for (auto member : object) {
    ondemand::field inner;
    if (std::move(member).get(inner)) return not_json;
    JsonField field;
    const char* key = inner.key().raw();
    const std::string_view raw = raw_string(key);
    field.raw_name = {key - 1, raw.size() + 2};
    if (inner.unescaped_key().get(field.name)) return not_json;
    field.nested = depth > 1;
    if (field.nested) field.name = prefix.data() == nullptr ? std::string_view{} : join(prefix, field.name);
    if (out->fields.size() >= fields_max) return "more than 256 fields";
    if (auto reason = walk_value(inner.value(), field, depth); !reason.empty()) return reason;
  }
  return {};
}

// Elements have no names and are checked only.
std::string_view JsonParser::State::walk_array(ondemand::array array, int depth) {
  for (auto element : array) {
    ondemand::value value;
    if (std::move(element).get(value)) return not_json;
    JsonField field;
    if (auto reason = walk_value(value, field, depth); !reason.empty()) return reason;
  }
  return {};
}

JsonParser::JsonParser(std::size_t bytes_max) : state_(std::make_unique<State>(bytes_max)) {
  state_->names.reserve(4096);
}
JsonParser::~JsonParser() = default;

std::string_view JsonParser::parse(Bytes document, JsonObject& out) {
  State& s = *state_;
  out.fields.clear();
  s.names.clear();
  if (document.size() > s.bytes_max) return "too large";
  const std::string_view text = as_text(document);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return "empty";
  s.padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  s.padded.assign(text);
  s.out = &out;
  const auto error = s.parser.iterate(s.padded.data(), s.padded.size(), s.padded.capacity()).get(s.document);
  if (error == simdjson::UTF8_ERROR) return "not valid UTF-8";
  if (error) return is_utf8(text) ? not_json : "not valid UTF-8";
  ondemand::json_type type{};
  if (s.document.type().get(type)) return not_json;
  if (type != ondemand::json_type::object) return "not a JSON object";
  ondemand::object object;
  if (s.document.get_object().get(object)) return not_json;
  if (auto reason = s.walk_object(object, {}, 1); !reason.empty()) return reason;
  const char* behind = nullptr;  // document::at_end() is younger than Debian 12's simdjson
  return s.document.current_location().get(behind) == simdjson::OUT_OF_BOUNDS ? "" : not_json;
}

}  // namespace edgelog::agent

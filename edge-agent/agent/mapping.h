#pragma once
// Rules that make events of what devices say: which MQTT topics and payload fields become which Kafka
// topic, key, JSON value, headers and source. A mapping is read from TOML (mapping_file.h) and is immutable
// afterwards; apply() is pure. docs/FORMATS.md, "Mapping" and "Events", describes file and result.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "edge-agent/agent/device_time.h"
#include "edge-agent/agent/json.h"
#include "edge-agent/agent/topic_pattern.h"
#include "edge-agent/core/inputs.h"

namespace edgelog::agent {

// Text with names in braces: {site}, {topic}, {topic.NAME} (a capture), {payload.FIELD}.
class Template {
 public:
  static Result<Template> parse(std::string_view text);
  bool empty() const { return parts_.empty(); }
  bool needs_payload() const;

  struct Inputs {
    std::string_view site, topic;
    const Captures* captures;
    const JsonObject* payload;  // may be null if !needs_payload()
  };
  // Appends; false if a name has no value or an empty one.
  bool render(const Inputs& inputs, std::string& out) const;

 private:
  struct Part {
    enum class Kind : unsigned char { literal, site, topic, capture, field } kind;
    std::string text;
  };
  std::vector<Part> parts_;
};

// One field of an event's value.
struct ValueRule {
  std::string name;                                      // in the value
  std::string field;                                     // of the payload
  std::optional<JsonKind> kind;                          // anything else is refused; null counts as absent
  std::vector<std::pair<std::string, std::string>> map;  // text -> JSON; what is not listed is refused
};

struct EventRule {
  Template stream;
  std::vector<std::pair<std::string, std::vector<std::string>>> when;  // field is one of
  std::vector<std::string> has;                                        // field is there
  bool go_on = false;                                                  // later rules are tried too
  std::vector<ValueRule> value;                                        // empty: the whole payload, but for:
  std::vector<std::string> drop;                                       // fields that are left out of it
  std::vector<std::string> numeric;  // text fields written as numbers where they are one
};

struct TopicRule {
  TopicPattern pattern;
  bool ignore = false;
  Template device;
  Template confirm;  // MQTT topic on which a ring source is answered
  std::vector<EventRule> events;
};

struct SourceRule {
  SourceKind kind = SourceKind::plain;
  bool optional = false;            // a payload without the number is plain, not refused
  std::string number, incarnation;  // fields; incarnation may be empty
  std::int64_t modulus = 0;         // 0: the number never wraps
  std::string confirmed, lost;      // fields of a ring's own notices
};

struct TimeRule {
  std::vector<std::string> fields;  // joined by a space
  TimeFormat format = TimeFormat::any;
  WallMillis earliest{0};
};

// What a device says about its ring instead of an event: confirmed to it up to the first number, and lost
// behind that up to the second.
struct RingNotice {
  std::int64_t confirmed_through = 0, lost_through = 0;
};

struct SourceMark {
  SourceKind kind = SourceKind::plain;
  std::int64_t number = 0;
  std::string incarnation;  // decimal; empty: none
};

struct MappedEvent {
  std::string stream, value;
};

// What one delivery became. Reused from call to call, so that strings keep their memory.
struct Mapped {
  enum class Verdict : unsigned char { events, notice, ignored, refused } verdict = Verdict::ignored;
  std::string_view reason;  // of a refusal; static text
  std::string detail;       // the field or topic that it is about
  std::string device;       // as in the key, which is site/device
  std::string key;
  std::string confirm;  // topic for a ring's confirmation
  SourceMark source;
  bool numbered = false;  // `source` was read, also where the rest was refused
  DeviceTime time;
  RingNotice notice;
  std::vector<MappedEvent> events;  // the first `count` are valid
  std::size_t count = 0;
};

class Mapping {
 public:
  std::string name;
  std::vector<TopicRule> topics;
  SourceRule source;
  TimeRule time;
  bool snapshots = false;  // retained deliveries are events too

  // The first rule whose pattern fits, or nothing.
  const TopicRule* match(std::string_view topic, Captures& captures) const;
  void apply(const TopicRule& rule, const Template::Inputs& inputs, WallMillis now, Mapped& out) const;
  std::vector<std::string> filters() const;  // MQTT filters that cover all patterns

 private:
  bool read_source(const JsonObject& payload, Mapped& out) const;
  bool is_notice(const JsonObject& payload) const;
  void read_notice(const JsonObject& payload, Mapped& out) const;
  void read_time(const JsonObject& payload, WallMillis now, Mapped& out) const;
};

// Longest names that become part of a record: a device's, and so a source's.
inline constexpr std::size_t device_name_max = 256;

}  // namespace edgelog::agent

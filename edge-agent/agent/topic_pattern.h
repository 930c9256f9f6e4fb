#pragma once
// Patterns of MQTT topics in mapping files: literal levels, `{name}` for one level, `{name...}` for one
// or more: "zigbee2mqtt/{device...}/availability". Pure; immutable after parse.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace edgelog::agent {

// What a topic gave for a pattern's names; views into the topic.
struct Captures {
  std::vector<std::pair<std::string_view, std::string_view>> values;
  std::string_view find(std::string_view name) const {  // empty if there is none
    for (const auto& [key, value] : values)
      if (key == name) return value;
    return {};
  }
};

class TopicPattern {
 public:
  // Code::invalid with what is wrong: an empty level, a name twice, more than one `...`, MQTT's own wildcards.
  static Result<TopicPattern> parse(std::string_view text);

  bool match(std::string_view topic, Captures& captures) const;
  bool has(std::string_view name) const;
  // The narrowest MQTT filter that covers the pattern.
  std::string filter() const;
  const std::string& text() const { return text_; }

 private:
  struct Level {
    enum class Kind : unsigned char { literal, one, many } kind;
    std::string text;  // literal or name
  };
  std::string text_;
  std::vector<Level> levels_;
};

}  // namespace edgelog::agent

#include "firmware-sim/core/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgelog::firmware {

void append_json_text(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(to), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      to += c;
    }
  }
  to += '"';
}

void append_literal(std::string& to, std::string_view name, std::string_view literal) {
  if (!to.empty()) to += ',';
  append_json_text(to, name);
  to += ':';
  to += literal;
}

void append_field(std::string& to, std::string_view name, std::string_view text) {
  append_literal(to, name, {});
  append_json_text(to, text);
}

std::string topic_level(std::string_view name) {
  std::string level(name);
  std::replace_if(level.begin(), level.end(), [](char c) { return c == '/' || c == '+' || c == '#'; }, '_');
  return level;
}

std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::uint64_t name_part(std::string_view name, std::uint64_t parts) { return (name_hash(name) >> 24) % parts; }

}  // namespace edgelog::firmware

#pragma once
// JSON text of ours, as devices build it: fields one behind the other.
#include <cstdint>
#include <string>
#include <string_view>

namespace edgelog::firmware {

void append_json_text(std::string& to, std::string_view text);  // quoted and escaped
// ,"name":"text" (without the comma in an empty string)
void append_field(std::string& to, std::string_view name, std::string_view text);
// `literal` as it is: a number, true, an object.
void append_literal(std::string& to, std::string_view name, std::string_view literal);

// A name as one level of an MQTT topic: '/', '+' and '#' become '_'.
std::string topic_level(std::string_view name);

// FNV-1a, the same on every machine.
std::uint64_t name_hash(std::string_view name);
// Which of `parts` of a fleet a device belongs to. The low bits of FNV-1a are its worst.
std::uint64_t name_part(std::string_view name, std::uint64_t parts);

}  // namespace edgelog::firmware

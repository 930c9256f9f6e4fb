#pragma once
// A JSON object as the mapping sees it: a flat list of fields in their order, each with its bytes exactly
// as they were written, so that a number stays "21.0" and is never a double. The views point into the
// parser's buffers and hold until its next parse. Fields of nested objects appear after their object
// under dotted names ("update.state").
#include <string>
#include <string_view>
#include <vector>

namespace edgelog::agent {

enum class JsonKind : unsigned char { null, boolean, number, string, array, object };

struct JsonField {
  std::string_view name;      // unescaped; dotted for nested fields
  std::string_view raw_name;  // with its quotes, as written
  std::string_view raw;       // the value as written, without surrounding space
  std::string_view text;      // of a string: unescaped; of everything else: raw
  JsonKind kind = JsonKind::null;
  bool nested = false;  // not of the object itself, but of one inside
};

struct JsonObject {
  std::vector<JsonField> fields;
  // The first of that name: JSON leaves open what a second one means, and we keep what came first.
  const JsonField* find(std::string_view name) const {
    for (const auto& field : fields)
      if (field.name == name) return &field;
    return nullptr;
  }
};

// Whether `text` is a number as RFC 8259 writes it.
bool is_json_number(std::string_view text);
// Appends `text` as a JSON string with its quotes. `text` is valid UTF-8.
void append_json_string(std::string& out, std::string_view text);
// Whether all of `text` is well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

}  // namespace edgelog::agent

#pragma once
// Parses what inputs deliver, by simdjson (in json_parser.cc only), into agent::JsonObject. Everything is
// checked, also what the mapping later skips: a value that is passed through is valid JSON. One thread.
#include <cstddef>
#include <memory>
#include <string_view>

#include "common/base/bytes.h"
#include "edge-agent/agent/json.h"

namespace edgelog::agent {

class JsonParser {
 public:
  // `bytes_max`: the largest document; it bounds the buffers.
  explicit JsonParser(std::size_t bytes_max);
  ~JsonParser();

  // An empty view, or why the document is refused (static text): not UTF-8, not JSON, not an object, more
  // than 256 fields, more than 8 levels.
  std::string_view parse(Bytes document, JsonObject& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edgelog::agent

#pragma once
// Every message behind one shape, so that a test loops over a table and is compiled once.
#include <cstdint>
#include <string>
#include <vector>

#include "common/wire/codec.h"

namespace edgelog::wire {

struct Image {
  Buffer bytes;
  std::string text;
};

struct AnyMessage {
  const Api* api;
  bool is_request;
  Image (*make)(Version, std::uint64_t seed);  // filled with seeded values
  bool (*again)(Bytes, Version, Image&);       // decoded, printed, encoded once more
};

std::vector<AnyMessage> any_requests();
std::vector<AnyMessage> any_responses();

}  // namespace edgelog::wire

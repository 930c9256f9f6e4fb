#pragma once
// Any records, and a batch of them. What makes them is in a .cc of its own: RapidCheck's generators take seconds to
// compile.
#include <rapidcheck/Gen.h>

#include <optional>
#include <string>
#include <vector>

#include "common/record/builder.h"

namespace edgelog::record {

struct Header {
  std::string key;
  std::optional<std::string> value;
};
struct Record {
  std::int64_t timestamp;
  std::optional<std::string> key, value;
  std::vector<Header> headers;
};

rc::Gen<std::vector<Record>> records();  // at least one
rc::Gen<Codec> codecs();
Buffer build(const std::vector<Record>& made, Codec codec);

}  // namespace edgelog::record

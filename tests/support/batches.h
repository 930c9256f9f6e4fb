#pragma once
// Record batches for tests, and the store's world: a simulated disk, a clock, a store that can be killed.
#include <functional>
#include <string>
#include <string_view>

#include "cloud-broker/partition/store.h"
#include "common/base/ids.h"
#include "common/record/builder.h"

namespace edgelog::testing {

struct BatchSpec {
  ProducerId producer{no_producer};
  int epoch = -1;
  std::int32_t sequence = -1;
  int records = 1;
  std::size_t value_bytes = 20;
  std::int64_t timestamp = 1'000;
  std::string key;    // empty: none
  std::string value;  // empty: made of value_bytes and `fill`
  char fill = 'v';
  record::Codec codec = record::Codec::none;
};

inline Buffer make_batch(const BatchSpec& spec = {}) {
  record::BatchBuilder builder;
  builder.reset();
  const std::string value = spec.value.empty() ? std::string(spec.value_bytes, spec.fill) : spec.value;
  for (int i = 0; i < spec.records; ++i) {
    const auto key = spec.key.empty() ? std::nullopt : std::optional(as_bytes(spec.key));
    builder.append(spec.timestamp + i, key, as_bytes(value));
  }
  record::Compressor compressor;
  record::BatchBuilder::Finish how;
  how.codec = spec.codec;
  how.producer_id = spec.producer;
  how.producer_epoch = ProducerEpoch{static_cast<std::int16_t>(spec.epoch)};
  how.base_sequence = Sequence{spec.sequence};
  return builder.finish(how, compressor);
}

}  // namespace edgelog::testing

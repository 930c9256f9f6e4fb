#include "edge-agent/agent/fence.h"

#include <array>

#include "common/record/builder.h"
#include "common/uplink/names.h"

namespace edgelog::agent {

Buffer fence_batch(ProducerId id, WallMillis timestamp) {
  std::array<std::byte, 8> value;
  store_big(value.data(), id.value());
  const record::HeaderView header{uplink::header_fence, Bytes(value)};
  record::BatchBuilder builder;
  builder.append(timestamp.value(), std::nullopt, std::nullopt, {&header, 1});
  record::BatchBuilder::Finish how;
  how.producer_id = id;
  how.producer_epoch = uplink::fence_epoch;
  how.base_sequence = Sequence{0};
  record::Compressor compressor;
  return builder.finish(how, compressor);
}

}  // namespace edgelog::agent

#pragma once
// Reads what the core wants to know of a payload, and of batches in the log.
#include <optional>

#include "common/base/bytes.h"
#include "common/record/batch.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

// Of a fence, as it comes and decompressed: an honest one has a hundred bytes. What decompresses to much is never
// looked into on behalf of one that nobody has judged yet.
inline constexpr std::size_t fence_bytes_max = 4096;

BatchFacts read_facts(Bytes payload, record::Scratch& scratch);
// What the first record of a batch says of itself; nothing in it if it cannot be read within `plain_bytes_max`.
struct FirstRecord {
  std::optional<uplink::OriginMark> origin;
  std::optional<ProducerId> fenced;
  std::size_t plain_bytes = 0;  // looked through for it
};
FirstRecord read_first_record(Bytes batch, const record::BatchHeader& header, record::Scratch& scratch,
                              std::size_t plain_bytes_max);

}  // namespace edgelog::gateway

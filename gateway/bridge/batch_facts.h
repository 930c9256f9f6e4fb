#pragma once
// Reads what the core wants to know of a payload, and of batches in the log.
#include <optional>

#include "common/base/bytes.h"
#include "common/record/batch.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

inline constexpr std::size_t plain_bytes_max = 32 << 20;  // of one batch's records, decompressed

BatchFacts read_facts(Bytes payload, record::Scratch& scratch);
// What the first record of a batch says of itself; nothing in it if it cannot be read.
struct FirstRecord {
  std::optional<uplink::OriginMark> origin;
  std::optional<ProducerId> fenced;
};
FirstRecord read_first_record(Bytes batch, const record::BatchHeader& header, record::Scratch& scratch);

}  // namespace edgelog::gateway

#pragma once
#include "common/record/batch.h"
#include "common/record/check.h"

namespace edgelog::sim::shard {

// Calls `told(offset, record, timestamp)` for what batches hold.
template <class Told>
void each_record(Bytes batches, const Told& told) {
  record::Scratch scratch;
  while (const auto batch = record::next_batch(batches)) {
    const auto header = *record::parse_header(*batch);
    auto reader = record::open_records(*batch, header, scratch, 1 << 20);
    record::RecordView view;
    while (reader && reader->next(view))
      told(header.base_offset + view.offset_delta, view, header.base_timestamp + view.timestamp_delta);
  }
}

}  // namespace edgelog::sim::shard

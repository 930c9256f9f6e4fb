#pragma once
// Sparse index of a segment: every 32 KiB where a batch begins, its offset, and the largest timestamp of all
// batches before it. Kept in memory for active segments, in a file for closed ones; made anew from the
// segment whenever the file is not plainly right. Never a source of truth.
#include <cstdint>
#include <vector>

#include "cloud-broker/log/segment.h"
#include "common/base/bytes.h"

namespace edgelog::broker::disklog {

class SegmentIndex {
 public:
  static constexpr std::uint64_t interval_bytes = 32 << 10;

  explicit SegmentIndex(Offset base) : base_(base) {}

  // The next batch of the segment.
  void add(const record::BatchHeader& header, std::uint64_t position);

  struct Place {
    std::uint64_t position = 0;
    Offset offset;  // base offset of the batch there, the expected one of an empty segment
  };
  Place find_offset(Offset offset) const;         // at or before the batch that holds it
  Place find_time(std::int64_t timestamp) const;  // no batch before it has a timestamp that large

  std::int64_t max_timestamp() const { return max_timestamp_; }
  std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

  // `size`: of the segment that it describes; decode refuses any other.
  Buffer encode(const SegmentInfo& segment) const;
  static Result<SegmentIndex> decode(Bytes file, const SegmentInfo& segment);

 private:
  struct Entry {
    std::uint32_t delta, position;
    std::int64_t max_timestamp_before;
  };
  Place place(std::vector<Entry>::const_iterator after) const;

  Offset base_;
  std::vector<Entry> entries_;
  std::int64_t max_timestamp_ = -1;
  std::uint64_t next_entry_at_ = interval_bytes;
};

}  // namespace edgelog::broker::disklog

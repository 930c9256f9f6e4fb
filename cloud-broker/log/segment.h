#pragma once
// A segment: a file of record batches, one after the other, as Kafka keeps them, and what is known about it.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cloud-broker/log/names.h"
#include "common/port/disk.h"
#include "common/record/batch.h"

namespace edgelog::broker::disklog {

// As it stands in the manifest. Of the active (last) segment only base, version and location count there.
struct SegmentInfo {
  Offset base;
  std::uint32_t version = 0;
  std::int8_t location = 0;  // 0: beside the manifest; others are for later tiers
  Offset end;                // after the last batch
  std::uint64_t size = 0;
  std::int64_t max_timestamp = -1;  // of its records
  std::int64_t first_append_ms = -1, last_append_ms = -1;
  bool compacted = false;  // offsets may have holes
  bool operator==(const SegmentInfo&) const = default;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.base);
    v.field(m.version);
    v.field(m.location);
    v.field(m.end);
    v.field(m.size);
    v.field(m.max_timestamp);
    v.field(m.first_append_ms);
    v.field(m.last_append_ms);
    v.field(m.compacted);
  }
};

enum class WalkStop : unsigned char {
  end,     // reached `to`, at the end of a batch
  bad,     // what stands here is no whole batch that may follow: see `why`
  enough,  // the visitor said so
};

struct WalkResult {
  WalkStop stop = WalkStop::end;
  std::uint64_t position = 0;  // where it stopped: the end of the last batch that was good
  Offset next;                 // offset that follows it
  std::string why;
};

struct WalkPlan {
  std::uint64_t from = 0, to = 0;  // bytes of the file; `from` begins a batch
  Offset next;                     // offset expected there
  bool holes = false;              // offsets may jump forward
  std::uint64_t check_from = 0;    // CRCs are checked of batches that begin here or later
  Offset check_at{INT64_MAX};      // or at this offset or later
};

using WalkVisitor = std::function<bool(const record::BatchHeader& header, std::uint64_t position)>;

// Goes over the headers of batches. Errors: the disk's only.
Result<WalkResult> walk(port::Disk& disk, port::FileId file, const WalkPlan& plan, const WalkVisitor& visit);

// Whether the batch has offsets at or after `end`. Of a batch that is not checked they may be any.
bool reaches_beyond(const record::BatchHeader& header, Offset end);

// Not empty: why these bytes, which begin with a header, cannot be a batch that follows `next`.
std::string misfit(const record::BatchHeader& header, Offset next, bool holes);

}  // namespace edgelog::broker::disklog

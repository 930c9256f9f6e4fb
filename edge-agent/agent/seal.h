#pragma once
// Makes record batches of runs, and batches of batches: the bytes that the log keeps, MQTT carries and the
// cloud's log appends. The log's writer thread owns one.
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/record/builder.h"
#include "edge-agent/agent/run.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

// Consecutive events of a run, or a part of one.
struct RunPart {
  Bytes events;
  EventIndex first;      // of the first event
  WallMillis base_time;  // what the first event's difference is added to
};

// How the records of a batch are marked: see Seal and Reseal in core/effects.h.
struct Marking {
  EventIndex late_before{-1};
  WallMillis stamp{-1};
};

class Sealer {
 public:
  // The batch of row.first to row.last; `parts` in order, without a hole in that range. Code::corrupt if they
  // do not have it.
  Result<Buffer> seal(const BatchRow& row, std::span<const RunPart> parts, const Marking& marking);
  // The records of `batch` (whose first event is `first`) that `row` names, as a batch of their own.
  Result<Buffer> reseal(const BatchRow& row, Bytes batch, EventIndex first, const Marking& marking);

 private:
  void begin(const BatchRow& row);
  void add(const BatchRow& row, EventIndex index, WallMillis time, std::optional<Bytes> key, std::optional<Bytes> value,
           const Marking& marking);
  Buffer finish(const BatchRow& row);

  record::BatchBuilder builder_;
  record::Compressor compressor_;
  record::Scratch scratch_;
  std::vector<record::HeaderView> headers_;  // of the record that is being added
  Buffer origin_;
  std::string taken_;
  WallMillis earliest_{-1}, latest_{-1};  // when the first and the last event of the batch were taken
};

// Splits a run before `index`: no byte is copied or changed. Code::corrupt where the run does not reach there.
struct RunSplit {
  RunPart before, after;
};
Result<RunSplit> split_run(const RunPart& run, EventIndex index);

}  // namespace edgelog::agent

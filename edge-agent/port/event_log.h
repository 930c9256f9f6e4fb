#pragma once
// The agent's durable log as the driver uses it. One transaction at a time; completions come on the
// driver's thread. docs/FORMATS.md, "The agent's log", says what lies on disk.
#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "edge-agent/core/effects.h"

namespace edgelog::agent {

// Consecutive events of one stream, encoded (agent/run.h), that a transaction's InsertEvents names.
struct Run {
  StreamId stream;
  EventIndex first, last;
  WallMillis base_time;  // what the first event's difference is added to
  Buffer events;
};

struct BatchBytes {
  StreamId stream;
  EventIndex first;
  Buffer bytes;
};

struct CommitWork {
  Transaction transaction;
  std::vector<Run> runs;  // for each InsertEvents, in order
};

struct CommitDone {
  Status status = Ok{};                    // failed: nothing of it is in the log
  CommitWork work;                         // as it was handed in, for another try
  std::vector<std::int32_t> sealed_bytes;  // of Seal and Reseal, in order
  std::vector<BatchBytes> to_publish;      // what the transaction marked as published
};

struct LogUsage {
  std::int64_t log_bytes = 0;  // on disk: the database without its free pages, and the WAL
  std::int64_t disk_free_bytes = -1;
  bool short_of_space = false;  // the reserve was given back: what is taken now might leave no room to delete in
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual void commit(CommitWork work, std::function<void(CommitDone)> done) = 0;
  // Code::not_found if there is no such batch (any more).
  virtual void read_batch(StreamId stream, EventIndex first, std::function<void(Result<Buffer>)> done) = 0;
  // As of the last completion, or tend().
  virtual LogUsage usage() const = 0;
  // About once a second: looks whether space has returned.
  virtual void tend() {}
};

}  // namespace edgelog::agent

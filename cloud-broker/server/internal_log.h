#pragma once
// An internal partition as a coordinator's log: records go in as one batch and come out again at start.
#include <functional>
#include <optional>
#include <span>

#include "cloud-broker/partition/partition.h"
#include "common/base/result.h"
#include "common/record/builder.h"

namespace edgelog::broker {

struct LogRecord {
  Buffer key;
  std::optional<Buffer> value;  // none: a tombstone
};

class InternalLog {
 public:
  // All of them or none, in one batch. At least one.
  AppendResult append(Partition& partition, std::span<const LogRecord> records, WallMillis wall);
  // Every record from the log's start to its end, in order; `take` may end it with an error.
  using Take = std::function<Status(Bytes key, std::optional<Bytes> value)>;
  Status replay(Partition& partition, const Take& take);

 private:
  Status replay_batches(Bytes run, const Take& take);

  record::BatchBuilder builder_;
  record::Compressor compressor_;
  record::Scratch scratch_;
};

}  // namespace edgelog::broker

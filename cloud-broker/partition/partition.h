#pragma once
// One partition: a durable log of record batches with its producers, as request handlers and coordinators see it.
// Owned by the Store; lives from Store::open or create until remove. Shard thread only.
//
// Three numbers: end (appended), flushed (on this node's disk), committed (on a majority; on one node
// that is flushed). Readers and answers wait for committed.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cloud-broker/log/names.h"
#include "cloud-broker/partition/settings.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace edgelog::broker {

class PartitionLog;

struct AppendResult {
  std::int16_t error = 0;  // Kafka's code; everything below is -1 unless 0
  Offset base_offset{-1};  // of a duplicate: where it was appended the first time
  Offset log_start{-1};
  Offset commit_at{-1};    // answer with acks=all once committed() >= this; holds for duplicates too
  bool duplicate = false;  // nothing was appended
};

struct ReadResult {
  std::int16_t error = 0;  // OFFSET_OUT_OF_RANGE(1), KAFKA_STORAGE_ERROR(56)
  Buffer batches;          // whole batches, the first one holds `from` or is the next after it; may be empty
  Offset next{-1};         // offset after the last batch in it, `from` if it is empty
};

struct EpochEnd {
  LeaderEpoch epoch{-1};
  Offset end{-1};
};

struct TimedOffset {
  std::int16_t error = 0;
  Offset offset{-1};  // -1: there is none
  std::int64_t timestamp = -1;
  LeaderEpoch epoch{-1};
};

enum class Appender : unsigned char {
  client,       // max.message.bytes and the producer rules hold
  coordinator,  // an internal log's own records
};

class Partition {
 public:
  explicit Partition(std::unique_ptr<PartitionLog> log);
  ~Partition();
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  const PartitionId& id() const;
  // Not empty: the partition is damaged, says why, and answers KAFKA_STORAGE_ERROR(56) to everything.
  const std::string& damage() const;

  // `batch`: exactly one v2 batch, checked by the caller (lengths, CRC, records, timestamps). Its base offset
  // and leader epoch are stamped in place. Errors: 2 CORRUPT_MESSAGE (not one whole batch), 7 REQUEST_TIMED_OUT
  // (too much waits for the disk), 10 MESSAGE_TOO_LARGE, 18 RECORD_LIST_TOO_LARGE, 45 and 47 (producer rules,
  // kafka-protocol.md 3.5), 56 (damaged, or no space). After an append the caller's turn ends with
  // Store::end_of_turn().
  AppendResult append(MutableBytes batch, Appender appender, WallMillis wall);

  // Whole batches from the one that holds `from`, all below `limit` (usually committed()), at most `bytes_max`,
  // but at least one if `at_least_one`. from > end() or < log_start(): error 1; limit <= from <= end(): empty.
  // Every batch's CRC is checked; what does not match damages the partition and is not served.
  ReadResult read(Offset from, std::size_t bytes_max, bool at_least_one, Offset limit);

  Offset log_start() const;
  Offset end() const;
  Offset flushed() const;
  Offset committed() const;    // high watermark
  Offset last_stable() const;  // == committed() until there are transactions

  // Goes up with every start of the node; never back.
  LeaderEpoch leader_epoch() const;
  // OffsetForLeaderEpoch, kafka-protocol.md 3.7: the largest epoch <= `epoch` and where it ends; -1/-1: unknown.
  EpochEnd end_offset_for_epoch(LeaderEpoch epoch) const;
  LeaderEpoch epoch_at(Offset offset) const;  // of the batch at this offset; -1: none known

  // ListOffsets: the first record below `limit` whose timestamp is >= `timestamp`; and the one with the largest.
  TimedOffset offset_for_time(std::int64_t timestamp, Offset limit);
  TimedOffset max_timestamp(Offset limit);

  const TopicSettings& settings() const;
  void set_settings(const TopicSettings& settings);

  // DeleteRecords: moves log_start up to `offset` (<= committed()); durable with the next round. False: out of range.
  bool delete_records(Offset offset);

  std::uint64_t size_bytes() const;
  std::size_t segment_count() const;
  std::size_t producer_count() const;

  PartitionLog& log() { return *log_; }  // for the Store

 private:
  std::unique_ptr<PartitionLog> log_;
};

}  // namespace edgelog::broker

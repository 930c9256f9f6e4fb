#pragma once
// Makes record batches: append() records, finish() to bytes, reset() to begin again. Keeps its memory, so
// that a stream of batches allocates only what finish() gives away. One thread.
#include <optional>
#include <span>

#include "common/record/batch.h"

namespace edgelog::record {

class BatchBuilder {
 public:
  // Forgets all records. Timestamps are stored relative to `base_timestamp`, by default the first record's.
  void reset(std::optional<std::int64_t> base_timestamp = {});

  // The next record, at the offset delta after the last one's. Timestamp in ms, -1 for none.
  void append(std::int64_t timestamp_ms, std::optional<Bytes> key, std::optional<Bytes> value,
              std::span<const HeaderView> headers = {});
  // A record at its own offset delta, above that of the one before: batches with holes, as compaction writes them.
  void append_at(std::int32_t offset_delta, std::int64_t timestamp_ms, std::optional<Bytes> key,
                 std::optional<Bytes> value, std::span<const HeaderView> headers = {});
  // A record whose encoded headers are taken over from another batch (compaction).
  void append_record(const RecordView& record, std::int64_t timestamp_ms);

  std::int32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Bytes of the batch if it were finished now without compression.
  std::size_t plain_bytes() const { return records_.empty() ? header_bytes : records_.size(); }
  // Bytes that a record would add, at most.
  static std::size_t record_bytes(std::optional<Bytes> key, std::optional<Bytes> value,
                                  std::span<const HeaderView> headers = {});

  struct Finish {
    Codec codec = Codec::none;
    int level = level_default;
    ProducerId producer_id{no_producer};
    ProducerEpoch producer_epoch{-1};
    Sequence base_sequence{-1};
    bool transactional = false, control = false;
    Offset base_offset{0};
    LeaderEpoch leader_epoch{-1};
    std::optional<std::int32_t> last_offset_delta;  // above the last record's where compaction took the end
    std::optional<std::int64_t> delete_horizon_ms;  // sets the bit; must then be the base timestamp of reset()
    std::optional<std::int64_t> max_timestamp;      // for a batch that compaction left empty
    bool keep_codec = false;                        // also where compressing makes it larger; else plain then
  };
  // Appends the batch to `out` and leaves the records as they are (one may finish again with other fields).
  // An empty batch needs last_offset_delta: only compaction writes one, to remember its producer.
  void finish(const Finish& how, Compressor& compressor, Buffer& out) const;
  Buffer finish(const Finish& how, Compressor& compressor) const;

 private:
  std::byte* grow(std::size_t bytes);
  struct Shape;
  std::byte* begin_record(const Shape& shape);

  Buffer records_;  // begins with room for the header
  std::optional<std::int64_t> base_timestamp_;
  std::int64_t max_timestamp_ = -1;
  std::int32_t count_ = 0, next_delta_ = 0;
};

// The key of a control record: version 0 and what it marks (KIP-98).
enum class ControlType : std::int16_t { abort = 0, commit = 1, leader_change = 2 };
// A control batch of one end-of-transaction marker; value: version 0, coordinator epoch.
Buffer control_batch(ControlType type, std::int32_t coordinator_epoch, std::int64_t timestamp_ms, ProducerId id,
                     ProducerEpoch epoch, Compressor& compressor);

}  // namespace edgelog::record

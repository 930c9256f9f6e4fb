#pragma once
// RecordBatch v2 (KIP-98): the one unit that an agent seals, MQTT carries, the log keeps and a consumer
// reads. Views only: nothing here owns or copies a batch.
//
//   0 base offset i64 | 8 length i32 | 12 leader epoch i32 | 16 magic i8 = 2 | 17 crc u32
//   21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64
//   43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 count i32 | 61 records
//
// `length` counts what follows it. The CRC-32C covers everything from the attributes on, so base offset
// and leader epoch may be stamped without touching it.
#include <cstdint>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/record/compress.h"

namespace edgelog::record {

namespace at {  // where each field of the header begins
inline constexpr std::size_t base_offset = 0, length = 8, leader_epoch = 12, magic = 16, crc = 17, attributes = 21,
                             last_offset_delta = 23, base_timestamp = 27, max_timestamp = 35, producer_id = 43,
                             producer_epoch = 51, base_sequence = 53, count = 57, records = 61;
}  // namespace at

inline constexpr std::size_t header_bytes = at::records;
inline constexpr std::size_t length_end = at::leader_epoch;  // what must be seen to know a batch's size
inline constexpr std::int8_t magic_v2 = 2;

namespace attribute {
inline constexpr std::int16_t codec = 7, log_append_time = 8, transactional = 16, control = 32, delete_horizon = 64;
}  // namespace attribute

struct BatchHeader {
  Offset base_offset;
  std::int32_t length = 0;  // bytes after this field
  LeaderEpoch leader_epoch{-1};
  std::int8_t magic = magic_v2;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = -1, max_timestamp = -1;  // milliseconds; base is the horizon where that bit is set
  ProducerId producer_id{no_producer};
  ProducerEpoch producer_epoch{-1};
  Sequence base_sequence{-1};
  std::int32_t count = 0;

  std::size_t total_bytes() const { return length_end + static_cast<std::size_t>(length); }
  Offset last_offset() const { return base_offset + last_offset_delta; }
  Offset next_offset() const { return last_offset() + 1; }
  // By the offset delta, not the count: compaction takes records out, never numbers.
  Sequence last_sequence() const { return base_sequence + last_offset_delta; }
  bool has(std::int16_t bit) const { return (attributes & bit) != 0; }
  bool transactional() const { return has(attribute::transactional); }
  bool control() const { return has(attribute::control); }
  std::optional<Codec> codec() const { return codec_of_attributes(attributes); }
};

// The fields as they stand, unjudged. Nothing where there are fewer than 61 bytes.
std::optional<BatchHeader> parse_header(Bytes batch);
// Size of the batch that begins here, by its length field: nothing where fewer than 12 bytes are seen or
// the length is less than a header's.
std::optional<std::size_t> peek_size(Bytes batch);
// Writes all 61 bytes, crc as it stands in `header`.
void store_header(MutableBytes to, const BatchHeader& header);

// In place; the batch is whole and validated. Neither field is under the CRC.
void stamp(MutableBytes batch, Offset base_offset, LeaderEpoch epoch);
// Log append time (topic config message.timestamp.type): sets the bit and max timestamp, and makes the CRC anew.
void stamp_append_time(MutableBytes batch, std::int64_t now_ms);
// The largest of its records' timestamps, where the sender summed up wrongly; makes the CRC anew.
void stamp_max_timestamp(MutableBytes batch, std::int64_t timestamp_ms);
// What the CRC of this whole batch ought to be.
std::uint32_t compute_crc(Bytes batch);

// One record; views into the plain bytes of its batch.
struct RecordView {
  std::int32_t offset_delta = 0;
  std::int64_t timestamp_delta = 0;
  std::optional<Bytes> key, value;
  std::int32_t header_count = 0;
  Bytes headers;  // read with HeaderReader
};

struct HeaderView {
  std::string_view key;
  std::optional<Bytes> value;
};

// Headers of one record: HeaderReader r(record); while (r.next(h)) ... RecordReader has checked them.
class HeaderReader {
 public:
  explicit HeaderReader(const RecordView& record) : rest_(record.headers), left_(record.header_count) {}
  bool next(HeaderView& out);

 private:
  Bytes rest_;
  std::int32_t left_;
};

// The value of the first header of that name; nothing where there is none or it is null.
std::optional<Bytes> find_header(const RecordView& record, std::string_view key);

// Goes over the plain records section of a batch. Reads untrusted bytes: next() gives false at the end
// and at the first malformed byte; afterwards ok() tells which.
class RecordReader {
 public:
  RecordReader() = default;
  RecordReader(Bytes plain, std::int32_t count) : rest_(plain), left_(count) {}
  bool next(RecordView& out);
  // All `count` records were well-formed and nothing stands behind them.
  bool ok() const { return !bad_ && left_ == 0 && rest_.empty(); }
  std::size_t bytes_left() const { return rest_.size(); }

 private:
  Bytes rest_;
  std::int32_t left_ = 0;
  bool bad_ = false;
};

// What reading needs besides the batch; one per thread, kept between batches. Views handed out are valid
// until it is used again.
struct Scratch {
  Decompressor decompressor;
  Buffer plain;
};

// Records of a whole batch (header valid, see check()): without a copy where it is not compressed, else
// decompressed into `scratch`. Errors: corrupt, full (more than plain_bytes_max), unsupported (codec).
Result<RecordReader> open_records(Bytes batch, const BatchHeader& header, Scratch& scratch,
                                  std::size_t plain_bytes_max);

}  // namespace edgelog::record

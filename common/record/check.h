#pragma once
// Judges a batch that came from outside, in Kafka's words: what LogValidator refuses, this refuses, with
// the same error code.
#include <limits>
#include <vector>

#include "common/record/batch.h"

namespace edgelog::record {

// Values are Kafka error codes (common/wire/errors.h).
enum class Fault : std::int16_t {
  none = 0,
  corrupt_message = 2,  // cut short, wrong CRC: the sender may try again
  message_too_large = 10,
  invalid_timestamp = 32,
  unsupported_compression = 76,
  invalid_record = 87,  // the sender is at fault; the same bytes never pass
};

struct [[nodiscard]] Verdict {
  Fault fault = Fault::none;
  const char* why = "";  // static text
  explicit operator bool() const { return fault == Fault::none; }
  std::int16_t kafka_error() const { return static_cast<std::int16_t>(fault); }
};

struct Limits {
  std::size_t batch_bytes_max = 1'048'588;  // max.message.bytes, of the whole batch as it lies on disk
  std::size_t plain_bytes_max = 64 << 20;   // of its records once decompressed; deep only
  bool from_client = true;                  // then no control batches, and offset deltas without holes
  bool keys_required = false;               // cleanup.policy=compact; deep only
  std::int64_t timestamp_min = std::numeric_limits<std::int64_t>::min();  // record timestamps, ms; -1 always passes
  std::int64_t timestamp_max = std::numeric_limits<std::int64_t>::max();
};

// Whole batch, exactly: length, magic, CRC, counts, attributes, producer fields. Does not look at records, and
// so at no timestamp: the header's are only a summary, which the log puts right.
Verdict check(Bytes batch, const Limits& limits);

struct Depth {                           // what a deep check has learned besides
  std::int64_t max_timestamp = -1;       // of the records, which is what the header ought to say
  std::int32_t max_timestamp_delta = 0;  // offset delta of the first record that has it
  std::size_t plain_bytes = 0;
  std::vector<std::int32_t> refused;  // records that are at fault themselves, by timestamp or missing key
};
// check(), then every record: decompresses within bounds, count, offset deltas, timestamps, keys. All records
// that are at fault themselves are gathered, the first refused_max of them.
inline constexpr std::size_t refused_max = 1000;
Verdict check_deep(Bytes batch, const Limits& limits, Scratch& scratch, Depth* learned = nullptr);

// The first batch of a run of whole batches (a Produce or Fetch payload, a segment): cuts it off `run`.
// Nothing, and `run` as it was, where less than one whole batch is left.
std::optional<Bytes> next_batch(Bytes& run);

}  // namespace edgelog::record

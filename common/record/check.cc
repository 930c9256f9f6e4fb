#include "common/record/check.h"

namespace edgelog::record {
namespace {

constexpr std::int64_t no_timestamp = -1;

constexpr Verdict invalid(const char* why) { return {Fault::invalid_record, why}; }

Verdict check_size(Bytes batch, const Limits& limits) {
  if (batch.size() < header_bytes) return {Fault::corrupt_message, "shorter than a batch header"};
  const auto size = peek_size(batch);
  if (!size || *size != batch.size()) return {Fault::corrupt_message, "length does not match the bytes given"};
  if (load_big<std::int8_t>(batch.data() + at::magic) != magic_v2) {
    return {Fault::corrupt_message, "magic is not 2"};
  }
  if (batch.size() > limits.batch_bytes_max) return {Fault::message_too_large, "larger than max.message.bytes"};
  return {};
}

Verdict check_producer(const BatchHeader& h) {
  if (h.producer_id == no_producer) {
    return h.transactional() ? invalid("transactional without a producer id") : Verdict{};
  }
  if (h.producer_id.value() < 0) return invalid("negative producer id");
  if (h.producer_epoch.value() < 0) return invalid("producer id without an epoch");
  if (h.base_sequence.value() < 0 && !h.control()) return invalid("producer id without a sequence");
  return {};
}

Verdict check_counts(const BatchHeader& h, const Limits& limits) {
  if (h.last_offset_delta < 0) return invalid("negative last offset delta");
  if (h.count < 0) return invalid("negative record count");
  if (limits.from_client) {
    if (h.count == 0) return invalid("no records");
    if (h.count != h.last_offset_delta + 1LL) return invalid("record count does not match the last offset delta");
    if (h.control()) return invalid("control batch from a client");
    if (h.has(attribute::delete_horizon)) return invalid("delete horizon from a client");
  } else if (h.count > h.last_offset_delta + 1LL) {
    return invalid("more records than offsets");
  }
  return {};
}

Verdict check_timestamp(std::int64_t timestamp, const Limits& limits) {
  if (timestamp == no_timestamp) return {};
  if (timestamp < no_timestamp) return {Fault::invalid_timestamp, "negative timestamp"};
  if (timestamp < limits.timestamp_min) return {Fault::invalid_timestamp, "timestamp before what the topic takes"};
  if (timestamp > limits.timestamp_max) return {Fault::invalid_timestamp, "timestamp after what the topic takes"};
  return {};
}

// Walks the records; `previous` offset deltas rise by one for a client's batch.
Verdict check_records(RecordReader& reader, const BatchHeader& h, const Limits& limits, Depth& learned) {
  std::int64_t expected = 0;
  Verdict refused;
  const auto refuse = [&](std::int32_t index, Verdict why) {
    if (refused || why.fault == Fault::invalid_timestamp) refused = why;
    if (learned.refused.size() < refused_max) learned.refused.push_back(index);
  };
  for (RecordView record; reader.next(record);) {
    const bool fits = limits.from_client ? record.offset_delta == expected : record.offset_delta >= expected;
    if (!fits) return invalid("offset deltas out of order");
    expected = record.offset_delta + 1LL;
    std::int64_t timestamp = 0;
    if (__builtin_add_overflow(h.base_timestamp, record.timestamp_delta, &timestamp)) {
      return {Fault::invalid_timestamp, "timestamp delta overflows"};
    }
    const Verdict timely =
        limits.from_client && !h.has(attribute::log_append_time) ? check_timestamp(timestamp, limits) : Verdict{};
    if (!timely) {
      refuse(record.offset_delta, timely);
    } else if (limits.keys_required && !record.key) {
      refuse(record.offset_delta, invalid("record without a key in a compacted topic"));
    }
    if (timestamp > learned.max_timestamp) {
      learned.max_timestamp = timestamp;
      learned.max_timestamp_delta = record.offset_delta;
    }
  }
  if (!reader.ok()) return invalid("malformed record, or bytes behind the last");
  if (expected > h.last_offset_delta + 1LL) return invalid("offset delta above the last one");
  return refused;
}

}  // namespace

Verdict check(Bytes batch, const Limits& limits) {
  if (const Verdict verdict = check_size(batch, limits); !verdict) return verdict;
  const BatchHeader h = *parse_header(batch);
  if (h.crc != compute_crc(batch)) return {Fault::corrupt_message, "CRC does not match"};
  if (!h.codec()) return {Fault::unsupported_compression, "unknown compression"};
  if (const Verdict verdict = check_counts(h, limits); !verdict) return verdict;
  if (const Verdict verdict = check_producer(h); !verdict) return verdict;
  return {};
}

Verdict check_deep(Bytes batch, const Limits& limits, Scratch& scratch, Depth* learned) {
  if (const Verdict verdict = check(batch, limits); !verdict) return verdict;
  const BatchHeader h = *parse_header(batch);
  auto reader = open_records(batch, h, scratch, limits.plain_bytes_max);
  if (!reader) {
    return reader.error().code == Code::full ? Verdict{Fault::message_too_large, "too large once decompressed"}
                                             : invalid("records do not decompress");
  }
  Depth depth;
  depth.plain_bytes = reader->bytes_left();
  const Verdict verdict = check_records(*reader, h, limits, depth);
  if (learned != nullptr) *learned = depth;
  return verdict;
}

std::optional<Bytes> next_batch(Bytes& run) {
  const auto size = peek_size(run);
  if (!size || *size > run.size()) return {};
  const Bytes batch = run.first(*size);
  run = run.subspan(*size);
  return batch;
}

}  // namespace edgelog::record

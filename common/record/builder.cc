#include "common/record/builder.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "common/base/assert.h"
#include "common/record/varint.h"

namespace edgelog::record {
namespace {

std::size_t blob_bytes(std::optional<Bytes> blob) {
  return blob ? varint_bytes(static_cast<std::int64_t>(blob->size())) + blob->size() : 1;
}

std::byte* put_blob(std::byte* to, std::optional<Bytes> blob) {
  if (!blob) return put_varint(to, -1);
  to = put_varint(to, static_cast<std::int64_t>(blob->size()));
  if (!blob->empty()) std::memcpy(to, blob->data(), blob->size());
  return to + blob->size();
}

std::size_t headers_bytes(std::span<const HeaderView> headers) {
  std::size_t bytes = 0;
  for (const HeaderView& h : headers) bytes += blob_bytes(as_bytes(h.key)) + blob_bytes(h.value);
  return bytes;
}

constexpr std::size_t overhead_max = 5 + 1 + 10 + 5 + 5;  // length, attributes, both deltas, header count

}  // namespace

// The numbers in front of a record's payload, and how many bytes the payload's encoded headers take.
struct BatchBuilder::Shape {
  std::int64_t timestamp_delta;
  std::int32_t offset_delta;
  std::optional<Bytes> key, value;
  std::int64_t header_count;
  std::size_t headers_bytes;
};

void BatchBuilder::reset(std::optional<std::int64_t> base_timestamp) {
  records_.clear();
  base_timestamp_ = base_timestamp;
  max_timestamp_ = -1;
  count_ = next_delta_ = 0;
}

std::byte* BatchBuilder::grow(std::size_t bytes) {
  const std::size_t from = std::max(records_.size(), header_bytes);
  ASSERT(from + bytes <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
  if (records_.capacity() < from + bytes) records_.reserve(std::max(from + bytes, 2 * records_.capacity()));
  records_.resize(from + bytes);
  return records_.data() + from;
}

std::size_t BatchBuilder::record_bytes(std::optional<Bytes> key, std::optional<Bytes> value,
                                       std::span<const HeaderView> headers) {
  return overhead_max + blob_bytes(key) + blob_bytes(value) + headers_bytes(headers);
}

// Writes all but the headers and returns where they go.
std::byte* BatchBuilder::begin_record(const Shape& shape) {
  const std::size_t body = 1 + varint_bytes(shape.timestamp_delta) + varint_bytes(shape.offset_delta) +
                           blob_bytes(shape.key) + blob_bytes(shape.value) + varint_bytes(shape.header_count) +
                           shape.headers_bytes;
  const auto size = static_cast<std::int64_t>(body);
  std::byte* to = put_varint(grow(varint_bytes(size) + body), size);
  *to++ = std::byte{0};
  to = put_varint(to, shape.timestamp_delta);
  to = put_varint(to, shape.offset_delta);
  to = put_blob(put_blob(to, shape.key), shape.value);
  return put_varint(to, shape.header_count);
}

void BatchBuilder::append(std::int64_t timestamp_ms, std::optional<Bytes> key, std::optional<Bytes> value,
                          std::span<const HeaderView> headers) {
  append_at(next_delta_, timestamp_ms, key, value, headers);
}

void BatchBuilder::append_at(std::int32_t offset_delta, std::int64_t timestamp_ms, std::optional<Bytes> key,
                             std::optional<Bytes> value, std::span<const HeaderView> headers) {
  ASSERT(offset_delta >= next_delta_ && offset_delta < std::numeric_limits<std::int32_t>::max());
  if (!base_timestamp_) base_timestamp_ = timestamp_ms;
  std::byte* to = begin_record({.timestamp_delta = timestamp_ms - *base_timestamp_,
                                .offset_delta = offset_delta,
                                .key = key,
                                .value = value,
                                .header_count = static_cast<std::int64_t>(headers.size()),
                                .headers_bytes = headers_bytes(headers)});
  for (const HeaderView& h : headers) to = put_blob(put_blob(to, as_bytes(h.key)), h.value);
  ASSERT(to == records_.data() + records_.size());
  max_timestamp_ = std::max(max_timestamp_, timestamp_ms);
  next_delta_ = offset_delta + 1;
  ++count_;
}

void BatchBuilder::append_record(const RecordView& record, std::int64_t timestamp_ms) {
  ASSERT(record.offset_delta >= next_delta_);
  if (!base_timestamp_) base_timestamp_ = timestamp_ms;
  std::byte* to = begin_record({.timestamp_delta = timestamp_ms - *base_timestamp_,
                                .offset_delta = record.offset_delta,
                                .key = record.key,
                                .value = record.value,
                                .header_count = record.header_count,
                                .headers_bytes = record.headers.size()});
  if (!record.headers.empty()) std::memcpy(to, record.headers.data(), record.headers.size());
  max_timestamp_ = std::max(max_timestamp_, timestamp_ms);
  next_delta_ = record.offset_delta + 1;
  ++count_;
}

void BatchBuilder::finish(const Finish& how, Compressor& compressor, Buffer& out) const {
  ASSERT(count_ > 0 || how.last_offset_delta);
  ASSERT(!how.last_offset_delta || *how.last_offset_delta + 1 >= next_delta_);
  ASSERT(!how.delete_horizon_ms || how.delete_horizon_ms == base_timestamp_);
  const std::size_t start = out.size();
  const Bytes plain = count_ > 0 ? Bytes(records_).subspan(header_bytes) : Bytes{};
  Codec codec = count_ > 0 ? how.codec : Codec::none;
  out.resize(start + header_bytes);
  if (codec != Codec::none) {
    compressor.compress(codec, plain, out, how.level);
    if (!how.keep_codec && out.size() - start - header_bytes >= plain.size()) {
      out.resize(start + header_bytes);
      codec = Codec::none;
    }
  }
  if (codec == Codec::none) edgelog::append(out, plain);

  const MutableBytes batch = MutableBytes(out).subspan(start);
  ASSERT(batch.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
  int attributes = static_cast<int>(codec);
  if (how.transactional) attributes |= attribute::transactional;
  if (how.control) attributes |= attribute::control;
  if (how.delete_horizon_ms) attributes |= attribute::delete_horizon;
  BatchHeader h;
  h.base_offset = how.base_offset;
  h.length = static_cast<std::int32_t>(batch.size() - length_end);
  h.leader_epoch = how.leader_epoch;
  h.attributes = static_cast<std::int16_t>(attributes);
  h.last_offset_delta = how.last_offset_delta.value_or(next_delta_ - 1);
  h.base_timestamp = base_timestamp_.value_or(-1);
  h.max_timestamp = how.max_timestamp.value_or(max_timestamp_);
  h.producer_id = how.producer_id;
  h.producer_epoch = how.producer_epoch;
  h.base_sequence = how.base_sequence;
  h.count = count_;
  store_header(batch, h);
  store_big(batch.data() + at::crc, compute_crc(batch));
}

Buffer BatchBuilder::finish(const Finish& how, Compressor& compressor) const {
  Buffer out;
  out.reserve(plain_bytes());
  finish(how, compressor, out);
  return out;
}

Buffer control_batch(ControlType type, std::int32_t coordinator_epoch, std::int64_t timestamp_ms, ProducerId id,
                     ProducerEpoch epoch, Compressor& compressor) {
  std::byte key[4], value[6];
  store_big(key, std::int16_t{0});
  store_big(key + 2, static_cast<std::int16_t>(type));
  store_big(value, std::int16_t{0});
  store_big(value + 2, coordinator_epoch);
  BatchBuilder builder;
  builder.append(timestamp_ms, Bytes(key), Bytes(value));
  return builder.finish({.producer_id = id, .producer_epoch = epoch, .transactional = true, .control = true},
                        compressor);
}

}  // namespace edgelog::record

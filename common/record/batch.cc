#include "common/record/batch.h"

#include <limits>

#include "common/base/assert.h"
#include "common/record/crc32c.h"
#include "common/record/varint.h"

namespace edgelog::record {
namespace {

constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t int64_min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();

// A varint length, then so many bytes; -1 is null.
bool take_blob(Bytes& from, std::optional<Bytes>& out) {
  std::int64_t size = 0;
  if (!take_varint(from, size, -1, int32_max)) return false;
  out.reset();
  if (size < 0) return true;
  if (static_cast<std::uint64_t>(size) > from.size()) return false;
  out = from.first(static_cast<std::size_t>(size));
  from = from.subspan(static_cast<std::size_t>(size));
  return true;
}

bool take_header(Bytes& from, HeaderView& out) {
  std::optional<Bytes> key;
  if (!take_blob(from, key) || !key) return false;  // a header's key cannot be null (KIP-82)
  out.key = as_text(*key);
  return take_blob(from, out.value);
}

bool take_headers(Bytes& body, RecordView& out) {
  std::int64_t count = 0;
  if (!take_varint(body, count, 0, int32_max)) return false;
  out.header_count = static_cast<std::int32_t>(count);
  out.headers = body;
  for (HeaderView header; count > 0; --count) {
    if (!take_header(body, header)) return false;
  }
  return body.empty();
}

}  // namespace

std::optional<BatchHeader> parse_header(Bytes batch) {
  if (batch.size() < header_bytes) return {};
  const std::byte* p = batch.data();
  BatchHeader h;
  h.base_offset = Offset{load_big<std::int64_t>(p + at::base_offset)};
  h.length = load_big<std::int32_t>(p + at::length);
  h.leader_epoch = LeaderEpoch{load_big<std::int32_t>(p + at::leader_epoch)};
  h.magic = load_big<std::int8_t>(p + at::magic);
  h.crc = load_big<std::uint32_t>(p + at::crc);
  h.attributes = load_big<std::int16_t>(p + at::attributes);
  h.last_offset_delta = load_big<std::int32_t>(p + at::last_offset_delta);
  h.base_timestamp = load_big<std::int64_t>(p + at::base_timestamp);
  h.max_timestamp = load_big<std::int64_t>(p + at::max_timestamp);
  h.producer_id = ProducerId{load_big<std::int64_t>(p + at::producer_id)};
  h.producer_epoch = ProducerEpoch{load_big<std::int16_t>(p + at::producer_epoch)};
  h.base_sequence = Sequence{load_big<std::int32_t>(p + at::base_sequence)};
  h.count = load_big<std::int32_t>(p + at::count);
  return h;
}

std::optional<std::size_t> peek_size(Bytes batch) {
  if (batch.size() < length_end) return {};
  const auto length = load_big<std::int32_t>(batch.data() + at::length);
  if (length < static_cast<std::int32_t>(header_bytes - length_end)) return {};
  return length_end + static_cast<std::size_t>(length);
}

void store_header(MutableBytes to, const BatchHeader& h) {
  ASSERT(to.size() >= header_bytes);
  std::byte* p = to.data();
  store_big(p + at::base_offset, h.base_offset.value());
  store_big(p + at::length, h.length);
  store_big(p + at::leader_epoch, h.leader_epoch.value());
  store_big(p + at::magic, h.magic);
  store_big(p + at::crc, h.crc);
  store_big(p + at::attributes, h.attributes);
  store_big(p + at::last_offset_delta, h.last_offset_delta);
  store_big(p + at::base_timestamp, h.base_timestamp);
  store_big(p + at::max_timestamp, h.max_timestamp);
  store_big(p + at::producer_id, h.producer_id.value());
  store_big(p + at::producer_epoch, h.producer_epoch.value());
  store_big(p + at::base_sequence, h.base_sequence.value());
  store_big(p + at::count, h.count);
}

void stamp(MutableBytes batch, Offset base_offset, LeaderEpoch epoch) {
  ASSERT(batch.size() >= header_bytes);
  store_big(batch.data() + at::base_offset, base_offset.value());
  store_big(batch.data() + at::leader_epoch, epoch.value());
}

void stamp_append_time(MutableBytes batch, std::int64_t now_ms) {
  ASSERT(batch.size() >= header_bytes);
  std::byte* p = batch.data();
  const auto attributes = load_big<std::int16_t>(p + at::attributes);
  store_big(p + at::attributes, static_cast<std::int16_t>(attributes | attribute::log_append_time));
  store_big(p + at::max_timestamp, now_ms);
  store_big(p + at::crc, compute_crc(batch));
}

void stamp_max_timestamp(MutableBytes batch, std::int64_t timestamp_ms) {
  ASSERT(batch.size() >= header_bytes);
  store_big(batch.data() + at::max_timestamp, timestamp_ms);
  store_big(batch.data() + at::crc, compute_crc(batch));
}

std::uint32_t compute_crc(Bytes batch) {
  ASSERT(batch.size() >= header_bytes);
  return crc32c(batch.subspan(at::attributes));
}

bool HeaderReader::next(HeaderView& out) {
  if (left_ <= 0) return false;
  --left_;
  const bool good = take_header(rest_, out);
  ASSERT(good);  // RecordReader went over them
  return true;
}

std::optional<Bytes> find_header(const RecordView& record, std::string_view key) {
  HeaderReader reader(record);
  for (HeaderView header; reader.next(header);) {
    if (header.key == key) return header.value;
  }
  return {};
}

bool RecordReader::next(RecordView& out) {
  if (bad_ || left_ <= 0) return false;
  bad_ = true;  // until the record is seen to be whole
  std::int64_t size = 0, delta = 0;
  if (!take_varint(rest_, size, 1, int32_max) || static_cast<std::uint64_t>(size) > rest_.size()) return false;
  Bytes body = rest_.first(static_cast<std::size_t>(size)).subspan(1);  // attributes: unused so far
  if (!take_varint(body, out.timestamp_delta, int64_min, int64_max)) return false;
  if (!take_varint(body, delta, 0, int32_max)) return false;
  out.offset_delta = static_cast<std::int32_t>(delta);
  if (!take_blob(body, out.key) || !take_blob(body, out.value) || !take_headers(body, out)) return false;
  rest_ = rest_.subspan(static_cast<std::size_t>(size));
  --left_;
  bad_ = false;
  return true;
}

Result<RecordReader> open_records(Bytes batch, const BatchHeader& header, Scratch& scratch,
                                  std::size_t plain_bytes_max) {
  if (batch.size() < header_bytes) return Error{Code::corrupt, "read batch: shorter than a header"};
  const auto codec = header.codec();
  if (!codec) return Error{Code::unsupported, "read batch: unknown compression"};
  auto plain = scratch.decompressor.decompress(*codec, batch.subspan(at::records), plain_bytes_max, scratch.plain);
  if (!plain) return std::move(plain).error();
  return RecordReader(*plain, header.count);
}

}  // namespace edgelog::record

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/record/builder.h"
#include "common/record/check.h"
#include "common/record/varint.h"

namespace edgelog::record {
namespace {

struct Header {
  std::string key;
  std::optional<std::string> value;
};
struct Record {
  std::int64_t timestamp;
  std::optional<std::string> key, value;
  std::vector<Header> headers;
};

template <class T>
rc::Gen<std::optional<T>> maybe(rc::Gen<T> some) {
  return rc::gen::oneOf(rc::gen::just(std::optional<T>{}), rc::gen::map(some, [](T v) { return std::optional<T>(v); }));
}

rc::Gen<std::vector<Record>> records() {
  const auto text = rc::gen::arbitrary<std::string>();
  const auto header =
      rc::gen::build<Header>(rc::gen::set(&Header::key, text), rc::gen::set(&Header::value, maybe(text)));
  const auto record =
      rc::gen::build<Record>(rc::gen::set(&Record::timestamp, rc::gen::inRange<std::int64_t>(0, 2'000'000'000'000)),
                             rc::gen::set(&Record::key, maybe(text)), rc::gen::set(&Record::value, maybe(text)),
                             rc::gen::set(&Record::headers, rc::gen::container<std::vector<Header>>(header)));
  return rc::gen::scale(0.5, rc::gen::nonEmpty(rc::gen::container<std::vector<Record>>(record)));
}

std::optional<Bytes> view(const std::optional<std::string>& text) {
  return text ? std::optional<Bytes>(as_bytes(*text)) : std::nullopt;
}
std::optional<std::string> text(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional<std::string>(as_text(*bytes)) : std::nullopt;
}

Buffer build(const std::vector<Record>& made, Codec codec) {
  Compressor compressor;
  BatchBuilder builder;
  std::size_t most = header_bytes;
  for (const Record& r : made) {
    std::vector<HeaderView> headers;
    for (const Header& h : r.headers) headers.push_back({h.key, view(h.value)});
    most += BatchBuilder::record_bytes(view(r.key), view(r.value), headers);
    builder.append(r.timestamp, view(r.key), view(r.value), headers);
  }
  RC_ASSERT(builder.plain_bytes() <= most);
  return builder.finish({.codec = codec,
                         .producer_id = ProducerId{3},
                         .producer_epoch = ProducerEpoch{1},
                         .base_sequence = Sequence{7},
                         .keep_codec = true},
                        compressor);
}

Codec any_codec() { return static_cast<Codec>(*rc::gen::inRange(0, codec_count)); }

TEST(RecordProperty, RoundTrip) {
  EXPECT_TRUE(rc::check([] {
    const auto made = *records();
    const Buffer batch = build(made, any_codec());
    Scratch scratch;
    RC_ASSERT(check_deep(batch, {}, scratch).fault == Fault::none);
    const BatchHeader header = *parse_header(batch);
    auto reader = open_records(batch, header, scratch, 64 << 20);
    RC_ASSERT(static_cast<bool>(reader));
    RecordView r;
    for (std::size_t i = 0; i < made.size(); ++i) {
      RC_ASSERT(reader->next(r));
      RC_ASSERT(r.offset_delta == static_cast<std::int32_t>(i));
      RC_ASSERT(header.base_timestamp + r.timestamp_delta == made[i].timestamp);
      RC_ASSERT(text(r.key) == made[i].key && text(r.value) == made[i].value);
      HeaderReader headers(r);
      HeaderView h;
      for (const Header& expected : made[i].headers) {
        RC_ASSERT(headers.next(h));
        RC_ASSERT(h.key == expected.key && text(h.value) == expected.value);
      }
      RC_ASSERT(!headers.next(h));
    }
    RC_ASSERT(!reader->next(r) && reader->ok());
  }));
}

TEST(RecordProperty, EveryTruncationIsRefused) {
  EXPECT_TRUE(rc::check([] {
    const Buffer batch = build(*records(), any_codec());
    for (std::size_t size = 0; size < batch.size(); size += size < at::records ? 1 : 1 + batch.size() / 64) {
      RC_ASSERT(check(Bytes(batch).first(size), {}).fault == Fault::corrupt_message);
    }
  }));
}

// What the CRC covers is caught by it; of the rest only base offset and leader epoch may be anything.
TEST(RecordProperty, EveryFlippedBitIsSeen) {
  EXPECT_TRUE(rc::check([] {
    Buffer batch = build(*records(), any_codec());
    const auto bit = *rc::gen::inRange<std::size_t>(0, 8 * batch.size());
    batch[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const std::size_t byte = bit / 8;
    const bool stamped = byte < at::length || (byte >= at::leader_epoch && byte < at::magic);
    RC_ASSERT((check(batch, {}).fault == Fault::none) == stamped);
  }));
}

// Bytes that pass the CRC but not the format: no crash, and never more than the bound.
TEST(RecordProperty, AnyRecordsBehindAGoodCrc) {
  EXPECT_TRUE(rc::check([] {
    Buffer batch = build(*records(), any_codec());
    const auto changes = *rc::gen::container<std::vector<std::pair<std::uint16_t, std::uint8_t>>>(
        rc::gen::arbitrary<std::pair<std::uint16_t, std::uint8_t>>());
    for (const auto& [where, what] : changes) {
      const std::size_t left = batch.size() - at::records;
      if (left > 0) batch[at::records + where % left] = static_cast<std::byte>(what);
    }
    store_big(batch.data() + at::crc, compute_crc(batch));
    Scratch scratch;
    Depth learned;
    const Verdict verdict = check_deep(batch, {.plain_bytes_max = 100'000}, scratch, &learned);
    RC_ASSERT(scratch.plain.size() <= 100'001);
    if (verdict) RC_ASSERT(learned.plain_bytes <= 100'000);
  }));
}

TEST(RecordProperty, Varints) {
  EXPECT_TRUE(rc::check([](std::int64_t v, std::uint8_t shift) {
    v >>= shift % 64;
    std::byte buffer[10];
    const auto size = static_cast<std::size_t>(put_varint(buffer, v) - buffer);
    RC_ASSERT(size == varint_bytes(v));
    Bytes from(buffer, size);
    std::int64_t read = 0;
    RC_ASSERT(take_varint(from, read, INT64_MIN, INT64_MAX) && read == v && from.empty());
    Bytes cut(buffer, size - 1);
    RC_ASSERT(!take_varint(cut, read, INT64_MIN, INT64_MAX));
  }));
}

}  // namespace
}  // namespace edgelog::record

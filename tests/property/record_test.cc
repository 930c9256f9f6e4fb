#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/record/check.h"
#include "tests/property/records.h"

namespace edgelog::record {
namespace {

std::optional<std::string> text(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional<std::string>(as_text(*bytes)) : std::nullopt;
}

TEST(RecordProperty, RoundTrip) {
  EXPECT_TRUE(rc::check([] {
    const auto made = *records();
    const Buffer batch = build(made, *codecs());
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
    const Buffer batch = build(*records(), *codecs());
    for (std::size_t size = 0; size < batch.size(); size += size < at::records ? 1 : 1 + batch.size() / 64) {
      RC_ASSERT(check(Bytes(batch).first(size), {}).fault == Fault::corrupt_message);
    }
  }));
}

// What the CRC covers is caught by it; of the rest only base offset and leader epoch may be anything.
TEST(RecordProperty, EveryFlippedBitIsSeen) {
  EXPECT_TRUE(rc::check([] {
    Buffer batch = build(*records(), *codecs());
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
    Buffer batch = build(*records(), *codecs());
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

}  // namespace
}  // namespace edgelog::record

#include <gtest/gtest.h>

#include "common/record/builder.h"
#include "common/record/check.h"

namespace edgelog::record {
namespace {

std::string text(std::optional<Bytes> bytes) { return bytes ? std::string(as_text(*bytes)) : "(null)"; }

struct Codecs : ::testing::TestWithParam<Codec> {
  Compressor compressor;
  Scratch scratch;
};
INSTANTIATE_TEST_SUITE_P(All, Codecs,
                         ::testing::Values(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd),
                         [](const auto& codec) { return std::string(codec_name(codec.param)); });

TEST_P(Codecs, WhatGoesInComesOut) {
  BatchBuilder builder;
  const HeaderView headers[] = {{"boot", as_bytes("7")}, {"none", {}}, {"", Bytes{}}};
  for (int i = 0; i < 300; ++i) {
    builder.append(1'700'000'000'000 + 10 * i, as_bytes("site/device"), as_bytes(R"({"temperature":21.5})"), headers);
  }
  builder.append(1'700'000'000'005, {}, {});
  const Buffer batch = builder.finish({.codec = GetParam(),
                                       .producer_id = ProducerId{77},
                                       .producer_epoch = ProducerEpoch{0},
                                       .base_sequence = Sequence{5}},
                                      compressor);

  Depth learned;
  const Verdict verdict = check_deep(batch, {}, scratch, &learned);
  ASSERT_TRUE(verdict) << verdict.why;
  EXPECT_EQ(learned.max_timestamp, 1'700'000'000'000 + 2990);
  EXPECT_EQ(learned.max_timestamp_delta, 299);
  const BatchHeader header = *parse_header(batch);
  EXPECT_EQ(header.codec(), GetParam());
  EXPECT_EQ(header.count, 301);
  EXPECT_EQ(header.max_timestamp, learned.max_timestamp);
  EXPECT_EQ(header.last_sequence(), Sequence{305});
  auto reader = open_records(batch, header, scratch, 1 << 20);
  ASSERT_TRUE(reader);
  RecordView record;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(reader->next(record));
    EXPECT_EQ(record.offset_delta, i);
    EXPECT_EQ(record.timestamp_delta, 10 * i);
    EXPECT_EQ(text(record.key), "site/device");
    EXPECT_EQ(text(find_header(record, "boot")), "7");
    EXPECT_FALSE(find_header(record, "none"));
    EXPECT_EQ(text(find_header(record, "")), "");
  }
  ASSERT_TRUE(reader->next(record));
  EXPECT_FALSE(record.key || record.value);
  EXPECT_EQ(record.timestamp_delta, 5);
  EXPECT_FALSE(reader->next(record));
  EXPECT_TRUE(reader->ok());
}

TEST_P(Codecs, NothingBeyondTheBound) {
  BatchBuilder builder;
  builder.append(0, {}, Buffer(1 << 20, std::byte{'x'}));
  const Buffer batch = builder.finish({.codec = GetParam(), .keep_codec = true}, compressor);
  const BatchHeader header = *parse_header(batch);
  const std::size_t exact = builder.plain_bytes() - header_bytes;
  EXPECT_TRUE(open_records(batch, header, scratch, exact));
  auto refused = open_records(batch, header, scratch, exact - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::full);
  Limits limits{.batch_bytes_max = 2 << 20, .plain_bytes_max = exact - 1};
  EXPECT_EQ(check_deep(batch, limits, scratch).fault, Fault::message_too_large);
}

TEST(Batch, StampsLeaveTheCrcAlone) {
  Compressor compressor;
  BatchBuilder builder;
  builder.append(5, as_bytes("k"), as_bytes("v"));
  Buffer batch = builder.finish({}, compressor);
  stamp(batch, Offset{42}, LeaderEpoch{3});
  EXPECT_TRUE(check(batch, {}));
  EXPECT_EQ(parse_header(batch)->base_offset, Offset{42});
  EXPECT_EQ(parse_header(batch)->leader_epoch, LeaderEpoch{3});
  stamp_append_time(batch, 99);
  EXPECT_TRUE(check(batch, {}));
  EXPECT_EQ(parse_header(batch)->max_timestamp, 99);
}

TEST(Batch, CompressionThatDoesNotPayIsLeftOut) {
  Compressor compressor;
  BatchBuilder builder;
  builder.append(5, {}, as_bytes("v"));
  EXPECT_EQ(parse_header(builder.finish({.codec = Codec::zstd}, compressor))->codec(), Codec::none);
  EXPECT_EQ(parse_header(builder.finish({.codec = Codec::zstd, .keep_codec = true}, compressor))->codec(), Codec::zstd);
}

TEST(Batch, HolesAreForCompactionOnly) {
  Compressor compressor;
  Scratch scratch;
  BatchBuilder builder;
  builder.append_at(2, 5, as_bytes("k"), as_bytes("v"));
  builder.append_at(7, 6, as_bytes("k"), as_bytes("w"));
  const Buffer batch = builder.finish({.last_offset_delta = 9}, compressor);
  EXPECT_EQ(check_deep(batch, {}, scratch).fault, Fault::invalid_record);
  EXPECT_TRUE(check_deep(batch, {.from_client = false}, scratch));
  EXPECT_EQ(parse_header(batch)->next_offset(), Offset{10});
  builder.reset();
  const Buffer empty = builder.finish({.producer_id = ProducerId{1},
                                       .producer_epoch = ProducerEpoch{0},
                                       .base_sequence = Sequence{0},
                                       .last_offset_delta = 9,
                                       .max_timestamp = 8},
                                      compressor);
  EXPECT_TRUE(check_deep(empty, {.from_client = false}, scratch));
  EXPECT_EQ(check(empty, {}).fault, Fault::invalid_record);
}

TEST(Batch, ControlBatchesAreNotForClients) {
  Compressor compressor;
  const Buffer batch = control_batch(ControlType::commit, 4, 1000, ProducerId{9}, ProducerEpoch{1}, compressor);
  EXPECT_EQ(check(batch, {}).fault, Fault::invalid_record);
  EXPECT_TRUE(check(batch, {.from_client = false}));
}

// Changes one field of a good batch and makes the CRC right again.
template <class T>
Verdict with(std::size_t offset, T value, Limits limits = {}) {
  Compressor compressor;
  Scratch scratch;
  BatchBuilder builder;
  builder.append(5, as_bytes("k"), as_bytes("v"));
  builder.append(6, {}, as_bytes("v"));
  Buffer batch = builder.finish(
      {.producer_id = ProducerId{1}, .producer_epoch = ProducerEpoch{0}, .base_sequence = Sequence{0}}, compressor);
  store_big(batch.data() + offset, value);
  if (offset >= at::attributes) store_big(batch.data() + at::crc, compute_crc(batch));
  return check_deep(batch, limits, scratch);
}

TEST(Check, TheRecordsAtFaultAreNamedAndTheHeadersTimestampIsNoFault) {
  Compressor compressor;
  Scratch scratch;
  BatchBuilder builder;
  builder.append(5, as_bytes("k"), as_bytes("v"));
  builder.append(60, {}, as_bytes("v"));
  builder.append(7, as_bytes("k"), as_bytes("v"));
  builder.append(80, as_bytes("k"), as_bytes("v"));
  Buffer batch = builder.finish({}, compressor);
  Depth depth;
  EXPECT_EQ(check_deep(batch, {.keys_required = true}, scratch, &depth).fault, Fault::invalid_record);
  EXPECT_EQ(depth.refused, std::vector<std::int32_t>{1});
  EXPECT_EQ(check_deep(batch, {.keys_required = true, .timestamp_max = 70}, scratch, &depth).fault,
            Fault::invalid_timestamp);
  EXPECT_EQ(depth.refused, (std::vector<std::int32_t>{1, 3}));
  stamp_max_timestamp(batch, -5);
  EXPECT_TRUE(check_deep(batch, {}, scratch, &depth));
  EXPECT_EQ(depth.max_timestamp, 80);
}

TEST(Check, EachFieldHasItsFault) {
  EXPECT_TRUE(with<std::int64_t>(at::base_offset, 99));
  EXPECT_TRUE(with<std::int32_t>(at::leader_epoch, 99));
  EXPECT_EQ(with<std::int32_t>(at::length, 60).fault, Fault::corrupt_message);
  EXPECT_EQ(with<std::int8_t>(at::magic, 1).fault, Fault::corrupt_message);
  EXPECT_EQ(with<std::uint32_t>(at::crc, 1).fault, Fault::corrupt_message);
  EXPECT_EQ(with<std::int16_t>(at::attributes, 5).fault, Fault::unsupported_compression);
  EXPECT_EQ(with<std::int16_t>(at::attributes, 4).fault, Fault::invalid_record);  // says zstd, is not
  EXPECT_EQ(with<std::int32_t>(at::last_offset_delta, 2).fault, Fault::invalid_record);
  EXPECT_EQ(with<std::int32_t>(at::count, 1).fault, Fault::invalid_record);
  EXPECT_EQ(with<std::int64_t>(at::producer_id, -2).fault, Fault::invalid_record);
  EXPECT_TRUE(with<std::int64_t>(at::producer_id, -1));
  EXPECT_EQ(with<std::int16_t>(at::producer_epoch, -1).fault, Fault::invalid_record);
  EXPECT_EQ(with<std::int32_t>(at::base_sequence, -1).fault, Fault::invalid_record);
  EXPECT_EQ(with<std::int64_t>(at::base_timestamp, -5).fault, Fault::invalid_timestamp);
  EXPECT_EQ(with<std::int64_t>(at::base_timestamp, INT64_MAX).fault, Fault::invalid_timestamp);
  EXPECT_EQ(with<std::int64_t>(at::base_offset, 0, {.batch_bytes_max = 70}).fault, Fault::message_too_large);
  EXPECT_EQ(with<std::int64_t>(at::base_offset, 0, {.keys_required = true}).fault, Fault::invalid_record);
  EXPECT_EQ(with<std::int64_t>(at::base_offset, 0, {.timestamp_max = 5}).fault, Fault::invalid_timestamp);
  EXPECT_EQ(with<std::int64_t>(at::base_offset, 0, {.timestamp_min = 6}).fault, Fault::invalid_timestamp);
}

TEST(Batch, ARunIsCutIntoBatches) {
  Compressor compressor;
  BatchBuilder builder;
  builder.append(5, {}, as_bytes("v"));
  Buffer run;
  builder.finish({}, compressor, run);
  builder.finish({}, compressor, run);
  Bytes rest = run;
  ASSERT_TRUE(next_batch(rest));
  const Bytes cut = rest.first(rest.size() - 1);
  Bytes torn = cut;
  EXPECT_FALSE(next_batch(torn));
  EXPECT_EQ(torn.size(), cut.size());
  ASSERT_TRUE(next_batch(rest));
  EXPECT_FALSE(next_batch(rest));
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace edgelog::record

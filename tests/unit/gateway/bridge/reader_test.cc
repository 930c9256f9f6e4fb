#include "gateway/bridge/reader.h"

#include <gtest/gtest.h>

#include "common/record/builder.h"
#include "gateway/bridge/batch_facts.h"
#include "tests/unit/gateway/bridge/fake_log.h"

namespace edgelog::gateway {
namespace {

const std::string agent = "house-1";

// One record, `bytes` of which are the same letter, with a transport header.
Buffer batch_of(std::size_t bytes, std::string_view header, Bytes value, ProducerEpoch epoch, record::Codec codec) {
  const record::HeaderView mark{header, value};
  record::BatchBuilder builder;
  const std::string payload(bytes, 'x');
  builder.append(1, std::nullopt, as_bytes(payload), {&mark, 1});
  record::BatchBuilder::Finish how;
  how.codec = codec;
  how.producer_id = uplink::make_producer_id(agent, 1);
  how.producer_epoch = epoch;
  how.base_sequence = Sequence{0};
  record::Compressor compressor;
  return builder.finish(how, compressor);
}

Buffer fence_of(std::size_t bytes, record::Codec codec) {
  std::array<std::byte, 8> value;
  store_big(value.data(), uplink::make_producer_id(agent, 1).value());
  return batch_of(bytes, uplink::header_fence, Bytes(value), uplink::fence_epoch, codec);
}

Buffer events_of(std::size_t bytes) {
  const Buffer mark = uplink::encode(uplink::OriginMark{uplink::make_producer_id(agent, 1), EventIndex{7}});
  return batch_of(bytes, uplink::header_origin, Bytes(mark), uplink::event_epoch, record::Codec::zstd);
}

// What claims to be a fence is decompressed before anybody knows whose it is: so it has to be small.
TEST(BatchFactsTest, AFenceIsSmall) {
  record::Scratch scratch;
  EXPECT_TRUE(read_facts(fence_of(0, record::Codec::none), scratch).fence_record);
  EXPECT_TRUE(read_facts(fence_of(1000, record::Codec::zstd), scratch).fence_record);
  const Buffer large = fence_of(8 << 20, record::Codec::zstd);
  ASSERT_LT(large.size(), fence_bytes_max);
  EXPECT_FALSE(read_facts(large, scratch).fence_record);
  EXPECT_LE(scratch.plain.size(), 2 * fence_bytes_max);
  EXPECT_FALSE(read_facts(fence_of(fence_bytes_max, record::Codec::none), scratch).fence_record);
}

class ReaderTest : public ::testing::Test {
 protected:
  ReaderTest() {
    log.add_topic("doors", 1);
    log.on<wire::FetchRequest>([this](LinkId link, const client::Asked& asked) {
      request = asked.as<wire::FetchRequest>();
      wire::FetchResponse response;
      auto& topic = response.topics.emplace_back();
      topic.topic = "doors";
      auto& partition = topic.partitions.emplace_back();
      partition.high_watermark = Offset{100};
      partition.records = Bytes(records);
      log.links.answer(link, response);
    });
    log.client.start();
    log.run();
  }
  RangeRead read(const Read& what, ReaderConfig config = {}) {
    Reader reader(log.client, config);
    std::optional<RangeRead> out;
    reader.read(what, [&](const RangeRead& read) { out = read; });
    log.run();
    return out.value();
  }
  Read whole() const {
    const auto prefix =
        static_cast<std::uint32_t>(static_cast<std::uint64_t>(uplink::make_producer_id(agent, 1).value()) >> 32);
    return {ReadId{1}, "doors", PartitionIndex{0}, Offset{0}, Offset{100}, false, {prefix}};
  }

  FakeLog log;
  Buffer records;
  wire::FetchRequest request;
};

TEST_F(ReaderTest, WhatAPieceDecompressesIsBounded) {
  for (std::int64_t i = 0; i < 5; ++i) {
    Buffer batch = events_of(60'000);
    store_big(batch.data(), i);  // its base offset
    append(records, batch);
  }
  const auto all = read(whole());
  EXPECT_EQ(all.next, Offset{5});
  ASSERT_EQ(all.batches.size(), 5u);
  EXPECT_EQ(all.batches[0].origin->index, EventIndex{7});
  const auto some = read(whole(), {.piece_plain_bytes_max = 100'000});
  EXPECT_EQ(some.next, Offset{2});
  EXPECT_EQ(some.batches.size(), 2u);
  const auto too_large = read(whole(), {.plain_bytes_max = 50'000});
  EXPECT_FALSE(too_large.batches.at(0).origin);
}

TEST_F(ReaderTest, ForASpotOneBatchIsFetched) {
  records = events_of(10);
  Read spot = whole();
  EXPECT_EQ(read(spot).batches.size(), 1u);
  EXPECT_GT(request.topics.at(0).partitions.at(0).partition_max_bytes, 1 << 20);
  spot.spot = true;
  spot.to = Offset{1};
  EXPECT_EQ(read(spot).batches.size(), 1u);
  EXPECT_EQ(request.topics.at(0).partitions.at(0).partition_max_bytes, 1);
}

}  // namespace
}  // namespace edgelog::gateway

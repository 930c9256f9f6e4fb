#include "gateway/bridge/outbox.h"

#include <gtest/gtest.h>

#include "common/record/builder.h"
#include "gateway/bridge/batch_facts.h"

namespace edgelog::gateway {
namespace {

class FakeUplink final : public Uplink {
 public:
  bool connected() const override { return places > 0; }
  void subscribe(const std::string&) override {}
  void unsubscribe(const std::string&) override {}
  void reconnect() override {}
  bool publish(const std::string& topic, Bytes payload, bool) override {
    if (places == 0) return false;
    --places;
    uplink::Answers answers;
    EXPECT_TRUE(uplink::decode(payload, answers));
    sent.emplace_back(topic, std::move(answers));
    return true;
  }
  std::size_t places = 100;
  std::vector<std::pair<std::string, uplink::Answers>> sent;
};

uplink::BatchAnswer answer(std::int64_t offset) {
  uplink::BatchAnswer out;
  out.offset = Offset{offset};
  return out;
}

TEST(OutboxTest, WhatBelongsToOneAgentGoesOutTogether) {
  FakeUplink uplink;
  Outbox outbox(uplink);
  outbox.add("a", answer(1));
  outbox.add("b", answer(2));
  outbox.add("a", answer(3));
  outbox.flush(Instant{}, WallMillis{77});
  ASSERT_EQ(uplink.sent.size(), 2u);
  EXPECT_EQ(uplink.sent[0].first, "edgelog/1/ack/a");
  EXPECT_EQ(uplink.sent[0].second.batches.size(), 2u);
  EXPECT_EQ(uplink.sent[0].second.gateway_time, WallMillis{77});
  EXPECT_TRUE(outbox.empty());
}

// A gateway whose MQTT server takes nothing asked it again in every turn of its loop.
TEST(OutboxTest, WithoutAPlaceItPausesUntilThereIsRoom) {
  FakeUplink uplink;
  Outbox outbox(uplink);
  EXPECT_EQ(outbox.deadline(), never);
  outbox.add("a", answer(1));
  EXPECT_EQ(outbox.deadline(), Instant{});
  uplink.places = 0;
  const Instant now = Instant{} + seconds(5);
  outbox.flush(now, WallMillis{1});
  outbox.add("b", answer(2));
  EXPECT_EQ(outbox.deadline(), now + no_place_pause);
  outbox.room();
  EXPECT_LE(outbox.deadline(), now);
  uplink.places = 2;
  outbox.flush(now, WallMillis{1});
  EXPECT_EQ(outbox.deadline(), never);
}

TEST(OutboxTest, WaitsForAPlaceAndKeepsOrder) {
  FakeUplink uplink;
  uplink.places = 0;
  Outbox outbox(uplink);
  for (std::int64_t i = 0; i < 300; ++i) outbox.add("a", answer(i));
  outbox.flush(Instant{}, WallMillis{1});
  EXPECT_TRUE(uplink.sent.empty());
  uplink.places = 10;
  outbox.flush(Instant{}, WallMillis{2});
  std::int64_t next = 0;
  for (const auto& [topic, answers] : uplink.sent)
    for (const auto& one : answers.batches) EXPECT_EQ(one.offset, Offset{next++});
  EXPECT_EQ(next, 300);
  EXPECT_EQ(outbox.metrics().waiting.value(), 0);
}

TEST(OutboxTest, IsBounded) {
  FakeUplink uplink;
  uplink.places = 0;
  Outbox outbox(uplink);
  for (int i = 0; i < 100'000; ++i) outbox.add("agent-" + std::to_string(i % 1000), answer(i));
  EXPECT_LE(outbox.metrics().waiting.value(), 32'768);
  EXPECT_GT(outbox.metrics().dropped.value(), 0u);
  uplink.places = 1'000'000;
  outbox.flush(Instant{}, WallMillis{1});
  EXPECT_TRUE(outbox.empty());
}

TEST(BatchFactsTest, ReadsWhatTheCoreWantsToKnow) {
  const ProducerId id = uplink::make_producer_id("a", 1);
  record::BatchBuilder builder;
  record::Compressor compressor;
  record::Scratch scratch;
  Buffer value(8);
  store_big(value.data(), id.value());
  const std::array headers{record::HeaderView{uplink::header_fence, Bytes(value)}};
  builder.append(5, std::nullopt, std::nullopt, headers);
  record::BatchBuilder::Finish how;
  how.producer_id = id;
  how.producer_epoch = uplink::fence_epoch;
  how.base_sequence = Sequence{0};
  Buffer batch = builder.finish(how, compressor);
  EXPECT_TRUE(read_facts(batch, scratch).fence_record);
  EXPECT_TRUE(read_facts(batch, scratch).crc_ok);
  batch.push_back(std::byte{0});
  EXPECT_FALSE(read_facts(batch, scratch).well_formed);
  batch.pop_back();
  batch.back() ^= std::byte{4};
  EXPECT_TRUE(read_facts(batch, scratch).well_formed);
  EXPECT_FALSE(read_facts(batch, scratch).crc_ok);
  for (std::size_t cut = 0; cut < batch.size(); ++cut)
    EXPECT_FALSE(read_facts(Bytes(batch).first(cut), scratch).well_formed);

  how.producer_id = uplink::make_producer_id("a", 2);  // the header names another id
  batch = builder.finish(how, compressor);
  EXPECT_FALSE(read_facts(batch, scratch).fence_record);
}

}  // namespace
}  // namespace edgelog::gateway

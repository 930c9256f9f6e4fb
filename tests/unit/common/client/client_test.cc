#include "common/client/client.h"

#include <gtest/gtest.h>
#include <algorithm>

#include "tests/unit/common/client/fake_cluster.h"

namespace edgelog::client {
namespace {

using wire::ErrorCode;

const TopicPartitionName doors0{"doors", PartitionIndex{0}}, doors1{"doors", PartitionIndex{1}};

wire::MetadataResponse cluster(std::int32_t leader = 1, std::int32_t epoch = 5) {
  wire::MetadataResponse out;
  out.brokers = {{NodeId{1}, "one", 9092}, {NodeId{2}, "two", 9092}};
  out.controller_id = NodeId{1};
  auto& topic = out.topics.emplace_back();
  topic.name = "doors";
  for (std::int32_t i = 0; i < 2; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = PartitionIndex{i};
    partition.leader_id = NodeId{leader};
    partition.leader_epoch = LeaderEpoch{epoch};
  }
  return out;
}

std::shared_ptr<const Buffer> batch(char fill, std::size_t size = 100) {
  return std::make_shared<const Buffer>(size, static_cast<std::byte>(fill));
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() : client(options(), links, timer, 1) {}
  static ClientOptions options() {
    ClientOptions out;
    out.bootstrap = {{"seed", 9092}};
    return out;
  }
  // Lets the clock run to the next alarms until nothing more is due within `time`.
  void run(Duration time = Duration{0}) {
    const Instant until = timer.now() + time;
    for (int i = 0; i < 10'000 && timer.wake() <= until; ++i) {
      timer.move_to(timer.wake());
      client.on_alarm();
    }
    timer.move_to(until);
  }
  LinkId to(const std::string& host, std::size_t which = 0) {
    for (const auto& [id, link] : links.open)
      if (link.address.host == host && which-- == 0) return id;
    ADD_FAILURE() << "no link to " << host;
    return {};
  }
  std::size_t links_to(const std::string& host) {
    return static_cast<std::size_t>(std::count_if(links.open.begin(), links.open.end(),
                                                  [&](const auto& l) { return l.second.address.host == host; }));
  }
  void start() {
    client.start();
    run();
    links.accept(to("seed"));
    links.answer(to("seed"), cluster());
    run();
  }
  void produce(const TopicPartitionName& where, char name) {
    client.produce(where, 0, batch(name), never,
                   [this, name](const ProduceResult& result) { results.emplace_back(name, result); });
  }
  // All batches accepted, from offset 10 on.
  static wire::ProduceResponse accepted(const wire::ProduceRequest& request, ErrorCode error = ErrorCode::none) {
    wire::ProduceResponse out;
    for (const auto& topic : request.topics) {
      auto& answer = out.topics.emplace_back();
      answer.name = topic.name;
      for (const auto& partition : topic.partitions) {
        auto& one = answer.partitions.emplace_back();
        one.index = partition.index;
        one.error_code = error;
        one.base_offset = Offset{error == ErrorCode::none ? 10 : -1};
      }
    }
    return out;
  }

  FakeTimer timer;
  FakeLinks links;
  Client client;
  std::vector<std::pair<char, ProduceResult>> results;
};

TEST_F(ClientTest, LearnsTheClusterFromTheAddressesToBeginWith) {
  int told = 0;
  client.on_metadata([&] { ++told; });
  start();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(client.metadata().brokers().at(NodeId{2}).host, "two");
  EXPECT_EQ(client.metadata().find("doors", PartitionIndex{1})->leader_epoch, LeaderEpoch{5});
  EXPECT_EQ(client.metadata().find("doors", PartitionIndex{2}), nullptr);
}

TEST_F(ClientTest, ProducesToTheLeaderAndSaysTheEpochThatWasKnown) {
  start();
  produce(doors0, 'a');
  EXPECT_TRUE(results.empty());
  run();
  const LinkId link = to("one");
  links.accept(link);
  run();
  const auto request = links.open.at(link).asked.front().as<wire::ProduceRequest>();
  EXPECT_EQ(request.acks, -1);
  EXPECT_EQ((*request.topics.at(0).partitions.at(0).records)[0], std::byte{'a'});
  links.answer(link, accepted(request));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].second.error, ErrorCode::none);
  EXPECT_EQ(results[0].second.offset, Offset{10});
  EXPECT_EQ(results[0].second.leader_epoch, LeaderEpoch{5});
}

TEST_F(ClientTest, OneBatchAPartitionAndRequestInOrder) {
  start();
  for (const char name : {'a', 'b', 'c'}) produce(doors0, name);
  produce(doors1, 'x');
  links.accept(to("one"));
  run();
  std::string order;
  while (!links.open.at(to("one")).asked.empty()) {
    const auto request = links.open.at(to("one")).asked.front().as<wire::ProduceRequest>();
    for (const auto& topic : request.topics) {
      std::set<PartitionIndex> once;
      for (const auto& partition : topic.partitions) {
        EXPECT_TRUE(once.insert(partition.index).second);
        if (partition.index == PartitionIndex{0}) order += static_cast<char>((*partition.records)[0]);
      }
    }
    links.answer(to("one"), accepted(request));
  }
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(results.size(), 4u);
}

TEST_F(ClientTest, ABrokenConnectionFailsAllThatIsOnIt) {
  start();
  for (const char name : {'a', 'b'}) produce(doors0, name);
  links.accept(to("one"));
  run();
  links.shut(to("one"));
  ASSERT_EQ(results.size(), 2u);
  for (const auto& [name, result] : results) EXPECT_EQ(result.error, ErrorCode::network_exception);
  // It asks for the cluster anew, and dials again when something is to be said, after a pause.
  produce(doors0, 'c');
  EXPECT_EQ(links_to("one"), 0u);
  run(seconds(1));
  EXPECT_GE(links_to("one"), 1u);
}

TEST_F(ClientTest, WhatIsNotAnsweredInTimeEndsTheConnection) {
  start();
  produce(doors0, 'a');
  links.accept(to("one"));
  run();
  run(seconds(20));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].second.error, ErrorCode::request_timed_out);
}

TEST_F(ClientTest, WithoutALeaderItSaysSoAndAsks) {
  start();
  produce({"unknown", PartitionIndex{0}}, 'a');
  EXPECT_TRUE(results.empty());
  run(seconds(1));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].second.error, ErrorCode::leader_not_available);
}

TEST_F(ClientTest, FollowsTheLeader) {
  start();
  produce(doors0, 'a');
  links.accept(to("one"));
  run();
  links.answer(to("one"), accepted(links.open.at(to("one")).asked.front().as<wire::ProduceRequest>(),
                                   ErrorCode::not_leader_or_follower));
  EXPECT_EQ(results.at(0).second.error, ErrorCode::not_leader_or_follower);
  run(milliseconds(200));  // the cluster is asked for anew, on a connection of its own
  const LinkId control = to("one", 1);
  links.accept(control);
  links.answer(control, cluster(2, 6));
  produce(doors0, 'b');
  run();
  links.accept(to("two"));
  run();
  ASSERT_EQ(links.open.at(to("two")).asked.size(), 1u);
  links.answer(to("two"), accepted(links.open.at(to("two")).asked.front().as<wire::ProduceRequest>()));
  EXPECT_EQ(results.at(1).second.leader_epoch, LeaderEpoch{6});
}

TEST_F(ClientTest, NotSentAfterItsTime) {
  start();
  client.produce(doors0, 0, batch('a'), timer.now() + seconds(3),
                 [this](const ProduceResult& result) { results.emplace_back('a', result); });
  run(seconds(4));  // the broker does not answer the dial
  ASSERT_EQ(results.size(), 1u);
  EXPECT_NE(results[0].second.error, ErrorCode::none);
}

TEST_F(ClientTest, TakesBackWhatIsNotSent) {
  start();
  const auto token = client.produce(doors0, 0, batch('a'), never, [](const ProduceResult&) { FAIL(); });
  EXPECT_TRUE(client.cancel(token));
  EXPECT_FALSE(client.cancel(token));
  links.accept(to("one"));
  run(seconds(1));
}

TEST_F(ClientTest, ListsOffsetsOfAllLeadersAtOnce) {
  start();
  Client::Offsets got;
  client.list_offsets({doors0, doors1, {"unknown", PartitionIndex{0}}}, latest_offset,
                      [&](Client::Offsets offsets) { got = std::move(offsets); });
  run();
  links.accept(to("one"));
  const auto request = links.open.at(to("one")).asked.front().as<wire::ListOffsetsRequest>();
  ASSERT_EQ(request.topics.size(), 1u);
  EXPECT_EQ(request.topics[0].partitions.size(), 2u);
  wire::ListOffsetsResponse response;
  auto& topic = response.topics.emplace_back();
  topic.name = "doors";
  for (std::int32_t i = 0; i < 2; ++i)
    topic.partitions.push_back({PartitionIndex{i}, ErrorCode::none, -1, Offset{100 + i}, LeaderEpoch{5}});
  links.answer(to("one"), response);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got.at(doors1).offset, Offset{101});
  EXPECT_EQ(got.at({"unknown", PartitionIndex{0}}).error, ErrorCode::leader_not_available);
}

TEST_F(ClientTest, GarbageInAnAnswerEndsTheConnection) {
  start();
  produce(doors0, 'a');
  links.accept(to("one"));
  run();
  const LinkId link = to("one");
  links.open.at(link).events->received(link, as_bytes("abcdefgh"));
  EXPECT_EQ(results.at(0).second.error, ErrorCode::network_exception);
  EXPECT_FALSE(links.open.contains(link));
}

TEST(MetadataTest, AnOlderEpochIsBelievedOnlyAfterAWhile) {
  Metadata metadata;
  ASSERT_TRUE(metadata.take(cluster(1, 7), Instant{1}));
  int answers = 0;
  while (metadata.find("doors", PartitionIndex{0})->leader_epoch == LeaderEpoch{7} && answers < 20) {
    ASSERT_TRUE(metadata.take(cluster(2, 3), Instant{2}));
    ++answers;
  }
  EXPECT_EQ(metadata.find("doors", PartitionIndex{0})->leader_epoch, LeaderEpoch{3});
  EXPECT_GT(answers, 3);
  ASSERT_TRUE(metadata.take(cluster(1, 8), Instant{3}));
  EXPECT_EQ(metadata.find("doors", PartitionIndex{0})->leader_epoch, LeaderEpoch{8});
}

TEST(MetadataTest, RefusesWhatMakesNoSense) {
  Metadata metadata;
  EXPECT_FALSE(metadata.take({}, Instant{1}));
  auto twice = cluster();
  twice.topics[0].partitions[1].partition_index = PartitionIndex{0};
  EXPECT_FALSE(metadata.take(twice, Instant{1}));
  auto port = cluster();
  port.brokers[0].port = 70'000;
  EXPECT_FALSE(metadata.take(port, Instant{1}));
  EXPECT_FALSE(metadata.known());
}

}  // namespace
}  // namespace edgelog::client

// ApiVersions, Metadata, Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, InitProducerId.
#include "tests/unit/cloud-broker/server/handlers/shard_world.h"

#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"

namespace edgelog::broker {
namespace {

class Data : public ShardWorld {};

TEST_F(Data, ApiVersionsOffersEveryHandlerWithTheOldMinimums) {
  for (wire::Version version = 0; version <= 4; ++version) {
    wire::ApiVersionsRequest request{"kcat", "1.7"};
    const auto got = ask<wire::ApiVersionsResponse>(request, version);
    EXPECT_EQ(got.error_code, ErrorCode::none);
    EXPECT_EQ(got.apis.size(), handler_table().size());
    for (const auto& each : got.apis) {
      const bool from_zero = each.api_key == wire::produce_api.key || each.api_key == wire::join_group_api.key;
      EXPECT_TRUE(!from_zero || each.min_version == 0);
      EXPECT_TRUE(each.api_key != wire::fetch_api.key || each.max_version == 17);
    }
  }
}

TEST_F(Data, AnUnknownVersionOfApiVersionsIsAnsweredInVersion0) {
  Buffer frame(10);
  store_big<std::int16_t>(frame.data(), 18);
  store_big<std::int16_t>(frame.data() + 2, 77);
  store_big<std::int32_t>(frame.data() + 4, static_cast<std::int32_t>(next_ticket_) + 1000);
  store_big<std::int16_t>(frame.data() + 8, -1);
  frame.push_back(std::byte{0});
  const Ticket ticket{next_ticket_++};
  shard->request(at, client, ticket, frame);
  const auto got = response<wire::ApiVersionsResponse>(ticket, 0);
  EXPECT_EQ(got.error_code, ErrorCode::unsupported_version);
  EXPECT_FALSE(got.apis.empty());
}

TEST_F(Data, AClientNameOutsideThePatternIsRefused) {
  EXPECT_EQ(ask<wire::ApiVersionsResponse>(wire::ApiVersionsRequest{"no spaces", "1"}).error_code,
            ErrorCode::invalid_request);
}

TEST_F(Data, GarbageUnknownApisAndUnservedVersionsCloseTheConnection) {
  Buffer garbage(3, std::byte{0xff});
  shard->request(at, client, Ticket{900}, garbage);
  EXPECT_EQ(closed_.size(), 1u);
  send(wire::ProduceRequest{}, 2);  // offered, not served
  EXPECT_EQ(closed_.size(), 2u);
  Buffer unknown(10);
  store_big<std::int16_t>(unknown.data(), 999);
  shard->request(at, client, Ticket{901}, unknown);
  EXPECT_EQ(closed_.size(), 3u);
  EXPECT_TRUE(responses.empty());
}

TEST_F(Data, MetadataOfAllOfNoneAndOfOne) {
  create_topic("a", 3);
  wire::MetadataRequest all;
  const auto everything = ask<wire::MetadataResponse>(all);
  ASSERT_EQ(everything.topics.size(), 1u);
  EXPECT_EQ(everything.topics[0].partitions.size(), 3u);
  EXPECT_EQ(everything.brokers.size(), 1u);
  EXPECT_EQ(everything.controller_id, NodeId{1});
  EXPECT_EQ(everything.cluster_id->size(), 22u);
  EXPECT_NE(everything.topics[0].topic_id, Uuid{});
  wire::MetadataRequest none;
  none.topics.emplace();
  EXPECT_TRUE(ask<wire::MetadataResponse>(none).topics.empty());
  EXPECT_EQ(ask<wire::MetadataResponse>(none, 0).topics.size(), 1u);  // v0: an empty list means all
}

TEST_F(Data, MetadataMakesATopicWhereBothSidesAllowIt) {
  wire::MetadataRequest request;
  request.topics.emplace().push_back({{}, "fresh"});
  request.allow_auto_topic_creation = false;
  EXPECT_EQ(ask<wire::MetadataResponse>(request).topics[0].error_code, ErrorCode::unknown_topic_or_partition);
  request.allow_auto_topic_creation = true;
  const Ticket ticket = send(request, 12);
  EXPECT_FALSE(answered(ticket));  // not before it is durable
  settle();
  const auto made = response<wire::MetadataResponse>(ticket, 12);
  EXPECT_EQ(made.topics[0].error_code, ErrorCode::none);
  EXPECT_EQ(made.topics[0].partitions.size(), 1u);
  request.topics->at(0).name = "not/allowed";
  EXPECT_EQ(ask<wire::MetadataResponse>(request).topics[0].error_code, ErrorCode::invalid_topic);
}

TEST_F(Data, MetadataById) {
  create_topic("a");
  wire::MetadataRequest all;
  const Uuid id = ask<wire::MetadataResponse>(all).topics.at(0).topic_id;
  wire::MetadataRequest by_id;
  by_id.topics.emplace().push_back({id, std::nullopt});
  EXPECT_EQ(ask<wire::MetadataResponse>(by_id).topics.at(0).name, "a");
  by_id.topics->at(0).topic_id = Uuid{std::byte{9}};
  EXPECT_EQ(ask<wire::MetadataResponse>(by_id).topics.at(0).error_code, ErrorCode::unknown_topic_id);
}

TEST_F(Data, ProduceIsAnsweredOnlyWhenDurable) {
  create_topic("a");
  const Buffer batch = make_batch({.records = 3, .timestamp = at.wall.value()});
  for (const std::int16_t acks : {std::int16_t{-1}, std::int16_t{1}}) {
    auto request = produce_request("a", batch);
    request.acks = acks;
    const Ticket ticket = send(request, 9);
    shard->end_of_turn(at);
    EXPECT_FALSE(answered(ticket));
    disk.complete_all();
    EXPECT_EQ(response<wire::ProduceResponse>(ticket, 9).topics[0].partitions[0].error_code, ErrorCode::none);
  }
  EXPECT_EQ(produce("a").base_offset, Offset{6});
}

TEST_F(Data, ProduceInEveryServedVersionAndCompression) {
  create_topic("a");
  std::int64_t next = 0;
  for (wire::Version version = 3; version <= 11; ++version) {
    for (int codec = 0; codec < record::codec_count; ++codec) {
      const auto answer =
          produce("a", {.records = 2, .value_bytes = 300, .codec = static_cast<record::Codec>(codec)}, version);
      if (static_cast<record::Codec>(codec) == record::Codec::zstd && version < 7) {
        EXPECT_EQ(answer.error_code, ErrorCode::unsupported_compression_type);
        EXPECT_EQ(answer.base_offset, Offset{-1});
        continue;
      }
      EXPECT_EQ(answer.error_code, ErrorCode::none) << "v" << version << " codec " << codec;
      EXPECT_EQ(answer.base_offset, Offset{next});
      next += 2;
    }
  }
}

TEST_F(Data, ProduceRefusals) {
  create_topic("a");
  create_topic("keyed", 1, {{"cleanup.policy", "compact"}});
  create_topic("small", 1, {{"max.message.bytes", "200"}});
  create_topic("two", 1, {{"min.insync.replicas", "2"}});
  EXPECT_EQ(produce("nowhere").error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(produce("__consumer_offsets").error_code, ErrorCode::unknown_topic_or_partition);  // not made yet
  EXPECT_EQ(produce("keyed").error_code, ErrorCode::invalid_record);
  EXPECT_EQ(produce("keyed", {.key = "k"}).error_code, ErrorCode::none);
  EXPECT_EQ(produce("small", {.value_bytes = 500}).error_code, ErrorCode::message_too_large);
  EXPECT_EQ(produce("two").error_code, ErrorCode::none);  // it has one replica, which is in sync
  EXPECT_EQ(produce("a", {.timestamp = at.wall.value() + 7'200'000}).error_code, ErrorCode::invalid_timestamp);
  Buffer broken = make_batch({.timestamp = at.wall.value()});
  broken.back() ^= std::byte{1};
  EXPECT_EQ(ask<wire::ProduceResponse>(produce_request("a", broken)).topics[0].partitions[0].error_code,
            ErrorCode::corrupt_message);
  Buffer two = make_batch({.timestamp = at.wall.value()});
  two.resize(two.size() * 2);
  std::copy(two.begin(), two.begin() + static_cast<std::ptrdiff_t>(two.size() / 2),
            two.begin() + static_cast<std::ptrdiff_t>(two.size() / 2));
  EXPECT_EQ(ask<wire::ProduceResponse>(produce_request("a", two)).topics[0].partitions[0].error_code,
            ErrorCode::invalid_record);
  const Buffer good = make_batch({.timestamp = at.wall.value()});
  auto bad_acks = produce_request("a", good);
  bad_acks.acks = 2;
  EXPECT_EQ(ask<wire::ProduceResponse>(bad_acks).topics[0].partitions[0].error_code, ErrorCode::invalid_required_acks);
}

TEST_F(Data, WithoutAcksThereIsNoAnswerAndAnErrorCloses) {
  create_topic("a");
  const Buffer batch = make_batch({.timestamp = at.wall.value()});
  auto request = produce_request("a", batch);
  request.acks = 0;
  const Ticket ticket = send(request, 9);
  settle();
  EXPECT_FALSE(answered(ticket));
  EXPECT_EQ(silent_, std::vector{ticket});
  const Buffer other = make_batch({.timestamp = at.wall.value()});
  auto wrong = produce_request("nowhere", other);
  wrong.acks = 0;
  send(wrong, 9);
  EXPECT_EQ(closed_.size(), 1u);
}

TEST_F(Data, ProduceTimesOutWhileTheDiskIsSlowAndTheBatchStays) {
  create_topic("a");
  const Buffer batch = make_batch({.timestamp = at.wall.value()});
  auto request = produce_request("a", batch);
  request.timeout_ms = wire::Millis{100};
  const Ticket ticket = send(request, 9);
  shard->end_of_turn(at);
  at = {at.now + milliseconds(101), at.wall + milliseconds(101)};
  shard->wake(at);
  EXPECT_FALSE(answered(ticket));  // a disk gets five seconds at least
  at = {at.now + milliseconds(4900), at.wall + milliseconds(4900)};
  shard->wake(at);
  const auto answer = response<wire::ProduceResponse>(ticket, 9).topics[0].partitions[0];
  EXPECT_EQ(answer.error_code, ErrorCode::request_timed_out);
  EXPECT_EQ(answer.base_offset, Offset{-1});
  settle();
  EXPECT_EQ(produce("a").base_offset, Offset{1});
}

TEST_F(Data, AMaxTimestampThatIsNotTheRecordsIsPutRight) {
  create_topic("a");
  Buffer batch = make_batch({.timestamp = 500});
  record::stamp_max_timestamp(batch, 3);
  EXPECT_EQ(ask<wire::ProduceResponse>(produce_request("a", batch), 9).topics[0].partitions[0].error_code,
            ErrorCode::none);
  const auto got = ask<wire::FetchResponse>(fetch_request("a", 0), 11);
  const Bytes records = *got.topics[0].partitions[0].records;
  EXPECT_EQ(record::parse_header(records)->max_timestamp, 500);
  EXPECT_TRUE(record::check(records, {}));
}

TEST_F(Data, LogAppendTimeIsStampedAndToldAndTheBatchStaysWhole) {
  create_topic("a", 1, {{"message.timestamp.type", "LogAppendTime"}});
  const auto answer = produce("a", {.timestamp = 5});
  EXPECT_EQ(answer.log_append_time_ms, at.wall.value());
  const auto got = ask<wire::FetchResponse>(fetch_request("a", 0), 11);
  const auto header = record::parse_header(*got.topics[0].partitions[0].records);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->max_timestamp, at.wall.value());
  EXPECT_EQ(header->crc, record::compute_crc(*got.topics[0].partitions[0].records));
}

TEST_F(Data, ATopicsOwnCompressionIsApplied) {
  create_topic("a", 1, {{"compression.type", "zstd"}});
  produce("a", {.records = 5, .value_bytes = 500, .codec = record::Codec::gzip});
  const auto got = ask<wire::FetchResponse>(fetch_request("a", 0), 11);
  const Bytes records = *got.topics[0].partitions[0].records;
  const auto header = record::parse_header(records);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->codec(), record::Codec::zstd);
  EXPECT_EQ(header->count, 5);
  record::Scratch scratch;
  EXPECT_TRUE(record::check_deep(records, {}, scratch));
}

TEST_F(Data, FetchGivesTheBytesThatWereProduced) {
  create_topic("a");
  const Buffer sent =
      make_batch({.records = 4, .value_bytes = 3000, .timestamp = at.wall.value(), .codec = record::Codec::lz4});
  ask<wire::ProduceResponse>(produce_request("a", sent));
  for (wire::Version version = 4; version <= 12; ++version) {
    const auto got = ask<wire::FetchResponse>(fetch_request("a", 0), version).topics.at(0).partitions.at(0);
    EXPECT_EQ(got.error_code, ErrorCode::none);
    EXPECT_EQ(got.high_watermark, Offset{4});
    EXPECT_EQ(got.last_stable_offset, Offset{4});
    ASSERT_TRUE(got.records);
    ASSERT_EQ(got.records->size(), sent.size());
    EXPECT_TRUE(std::equal(sent.begin() + record::at::magic, sent.end(), got.records->begin() + record::at::magic));
  }
}

TEST_F(Data, FetchByTopicId) {
  create_topic("a");
  produce("a");
  wire::MetadataRequest all;
  const Uuid id = ask<wire::MetadataResponse>(all).topics.at(0).topic_id;
  auto request = fetch_request("", 0);
  request.topics[0].topic_id = id;
  const auto got = ask<wire::FetchResponse>(request, 17);
  EXPECT_EQ(got.topics[0].topic_id, id);
  EXPECT_FALSE(got.topics[0].partitions[0].records->empty());
  request.topics[0].topic_id = Uuid{std::byte{7}};
  EXPECT_EQ(ask<wire::FetchResponse>(request, 17).topics[0].partitions[0].error_code, ErrorCode::unknown_topic_id);
}

TEST_F(Data, FetchShowsOnlyWhatIsCommitted) {
  create_topic("a");
  const Buffer batch = make_batch({.timestamp = at.wall.value()});
  send(produce_request("a", batch), 9);
  shard->end_of_turn(at);
  const Ticket early = send(fetch_request("a", 0), 11);
  EXPECT_TRUE(response<wire::FetchResponse>(early, 11).topics[0].partitions[0].records->empty());
}

TEST_F(Data, FetchWaitsForDataAndThenForItsTime) {
  create_topic("a");
  const Ticket waiting = send(fetch_request("a", 0, 500), 11);
  settle();
  EXPECT_FALSE(answered(waiting));
  produce("a");
  EXPECT_FALSE(response<wire::FetchResponse>(waiting, 11).topics[0].partitions[0].records->empty());
  const Ticket idle = send(fetch_request("a", 1, 500), 11);
  later(milliseconds(499));
  EXPECT_FALSE(answered(idle));
  later(milliseconds(2));
  EXPECT_TRUE(response<wire::FetchResponse>(idle, 11).topics[0].partitions[0].records->empty());
}

TEST_F(Data, AFetchThatParksBetweenAppendAndCommitIsWoken) {
  create_topic("a");
  const Buffer batch = make_batch({.timestamp = at.wall.value()});
  send(produce_request("a", batch), 9);
  const Ticket waiting = send(fetch_request("a", 0, 20'000), 11);
  EXPECT_FALSE(answered(waiting));
  settle();
  EXPECT_FALSE(response<wire::FetchResponse>(waiting, 11).topics[0].partitions[0].records->empty());
}

TEST_F(Data, FetchWaitsForMinBytes) {
  create_topic("a");
  const Ticket waiting = send(fetch_request("a", 0, 10'000, 1500), 11);
  produce("a", {.value_bytes = 700});
  EXPECT_FALSE(answered(waiting));
  produce("a", {.value_bytes = 700});
  EXPECT_GE(response<wire::FetchResponse>(waiting, 11).topics[0].partitions[0].records->size(), 1500u);
}

TEST_F(Data, AParkedFetchOfAClosedConnectionIsForgotten) {
  create_topic("a");
  const Ticket waiting = send(fetch_request("a", 0, 500), 11);
  shard->closed(client);
  produce("a");
  EXPECT_FALSE(answered(waiting));
}

TEST_F(Data, TheFirstBatchComesWhateverItsSize) {
  create_topic("a");
  produce("a", {.value_bytes = 5000});
  produce("a", {.value_bytes = 5000});
  auto request = fetch_request("a", 0);
  request.topics[0].partitions[0].partition_max_bytes = 100;
  request.max_bytes = 100;
  EXPECT_GT(ask<wire::FetchResponse>(request, 11).topics[0].partitions[0].records->size(), 5000u);
}

TEST_F(Data, PartitionsAreServedInTheOrderOfTheRequest) {
  create_topic("a", 3);
  for (std::int32_t p = 0; p < 3; ++p) {
    const Buffer batch = make_batch({.value_bytes = 5000, .timestamp = at.wall.value()});
    ask<wire::ProduceResponse>(produce_request("a", batch, p));
  }
  auto request = fetch_request("a", 0);
  request.max_bytes = 100;
  request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
  request.topics[0].partitions[0].partition = PartitionIndex{2};
  const auto got = ask<wire::FetchResponse>(request, 11).topics[0].partitions;
  EXPECT_FALSE(got[0].records->empty());
  EXPECT_TRUE(got[1].records->empty());
}

TEST_F(Data, FetchRefusals) {
  create_topic("a");
  produce("a");
  EXPECT_EQ(ask<wire::FetchResponse>(fetch_request("a", 2), 11).topics[0].partitions[0].error_code,
            ErrorCode::offset_out_of_range);
  EXPECT_EQ(ask<wire::FetchResponse>(fetch_request("b", 0), 11).topics[0].partitions[0].error_code,
            ErrorCode::unknown_topic_or_partition);
  auto fenced = fetch_request("a", 0);
  fenced.topics[0].partitions[0].current_leader_epoch = LeaderEpoch{0};
  EXPECT_EQ(ask<wire::FetchResponse>(fenced, 11).topics[0].partitions[0].error_code, ErrorCode::fenced_leader_epoch);
  fenced.topics[0].partitions[0].current_leader_epoch = LeaderEpoch{1'000'000};
  EXPECT_EQ(ask<wire::FetchResponse>(fenced, 11).topics[0].partitions[0].error_code, ErrorCode::unknown_leader_epoch);
  auto session = fetch_request("a", 0);
  session.session_id = 5;
  session.session_epoch = 0;  // a new session, whatever was before
  EXPECT_EQ(ask<wire::FetchResponse>(session, 11).error_code, ErrorCode::none);
  session.session_epoch = 1;
  EXPECT_EQ(ask<wire::FetchResponse>(session, 11).error_code, ErrorCode::fetch_session_id_not_found);
}

TEST_F(Data, ListOffsetsByMarkAndByTime) {
  create_topic("a");
  const std::int64_t t = at.wall.value();
  produce("a", {.records = 3, .timestamp = t - 1000});
  produce("a", {.records = 3, .timestamp = t - 500, .codec = record::Codec::gzip});
  const auto list = [&](std::int64_t timestamp) {
    wire::ListOffsetsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "a";
    topic.partitions.push_back({PartitionIndex{0}, LeaderEpoch{-1}, timestamp});
    return ask<wire::ListOffsetsResponse>(request).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(list(-1).offset, Offset{6});
  EXPECT_EQ(list(-2).offset, Offset{0});
  EXPECT_EQ(list(-3).offset, Offset{5});
  EXPECT_EQ(list(-5).offset, Offset{-1});
  EXPECT_EQ(list(t - 499).offset, Offset{4});  // inside of the compressed batch
  EXPECT_EQ(list(t - 499).timestamp, t - 499);
  EXPECT_EQ(list(t + 1).offset, Offset{-1});
  EXPECT_EQ(list(t + 1).error_code, ErrorCode::none);
}

TEST_F(Data, OffsetForLeaderEpochAfterARestart) {
  create_topic("a");
  produce("a", {.records = 3});
  wire::MetadataRequest all;
  const LeaderEpoch first = ask<wire::MetadataResponse>(all).topics.at(0).partitions.at(0).leader_epoch;
  restart();
  produce("a", {.records = 2});
  const LeaderEpoch second = ask<wire::MetadataResponse>(all).topics.at(0).partitions.at(0).leader_epoch;
  EXPECT_GT(second, first);
  const auto end_of = [&](LeaderEpoch epoch) {
    wire::OffsetForLeaderEpochRequest request;
    auto& topic = request.topics.emplace_back();
    topic.topic = "a";
    topic.partitions.push_back({PartitionIndex{0}, LeaderEpoch{-1}, epoch});
    return ask<wire::OffsetForLeaderEpochResponse>(request).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(end_of(first).end_offset, Offset{3});
  EXPECT_EQ(end_of(second).end_offset, Offset{5});
  EXPECT_EQ(end_of(LeaderEpoch{second.value() + 1}).end_offset, Offset{-1});
}

TEST_F(Data, ProducerIdsAreNeverGivenOutTwice) {
  std::set<ProducerId> ids;
  for (int life = 0; life < 3; ++life) {
    for (int i = 0; i < 5; ++i) {
      const auto got = ask<wire::InitProducerIdResponse>(wire::InitProducerIdRequest{});
      EXPECT_EQ(got.error_code, ErrorCode::none);
      EXPECT_EQ(got.producer_epoch, ProducerEpoch{0});
      EXPECT_TRUE(ids.insert(got.producer_id).second);
    }
    restart();
  }
  wire::InitProducerIdRequest transactional;
  transactional.transactional_id = "t";
  EXPECT_EQ(ask<wire::InitProducerIdResponse>(transactional).error_code,
            ErrorCode::transactional_id_authorization_failed);
}

TEST_F(Data, AnIdempotentProducersRepeatGetsTheOldOffsetAlsoAfterARestart) {
  create_topic("a");
  const ProducerId id = ask<wire::InitProducerIdResponse>(wire::InitProducerIdRequest{}).producer_id;
  const BatchSpec first{.producer = id, .epoch = 0, .sequence = 0, .records = 2};
  EXPECT_EQ(produce("a", first).base_offset, Offset{0});
  EXPECT_EQ(produce("a", first).base_offset, Offset{0});
  restart();
  EXPECT_EQ(produce("a", first).base_offset, Offset{0});
  EXPECT_EQ(produce("a", {.producer = id, .epoch = 0, .sequence = 5}).error_code,
            ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(produce("a", {.producer = id, .epoch = 0, .sequence = 2}).base_offset, Offset{2});
}

}  // namespace
}  // namespace edgelog::broker

#pragma once
// A whole shard on a simulated disk, asked in the protocol's bytes: requests go in as frames, responses come
// out as frames, in any version. Syncs complete when the test says so.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cloud-broker/server/handlers/table.h"
#include "cloud-broker/server/shard.h"
#include "common/wire/all.h"
#include "common/wire/header.h"
#include "tests/support/batches.h"
#include "tests/support/sim_disk.h"

namespace edgelog::broker {

using edgelog::testing::BatchSpec;
using edgelog::testing::make_batch;
using wire::ErrorCode;

class ShardWorld : public ::testing::Test, public Clients {
 protected:
  static constexpr ConnectionId client{1};

  void SetUp() override {
    settings.groups.initial_rebalance_delay = Duration{0};
    start();
  }
  void start() {
    ShardPorts ports{disk, *this, [] {}, [this](const Error& error) { fatal = error.what; }};
    auto made = Shard::start(std::move(ports), settings, store_config, handler_table(), seed++, at);
    ASSERT_TRUE(made) << made.error().what;
    shard = std::move(*made);
    shard->opened(client, "10.0.0.9");
    settle();
  }
  void kill() {
    shard.reset();
    disk.kill();
    responses.clear();
    closed_.clear();
  }
  void restart() {
    kill();
    start();
  }
  // Ends turns and completes syncs until nothing moves any more.
  void settle() {
    for (int round = 0; round < 8; ++round) {
      shard->end_of_turn(at);
      disk.complete_all();
    }
  }
  void later(Duration by) {
    at = {at.now + by, at.wall + by};
    for (int round = 0; round < 4 && shard->deadline() <= at.now; ++round) {
      shard->wake(at);
      settle();
    }
  }

  // Sends without letting anything become durable; the ticket names the response.
  template <class Request>
  Ticket send(const Request& request, wire::Version version, std::string client_id = "test") {
    Buffer frame;
    const std::int32_t correlation = static_cast<std::int32_t>(next_ticket_) + 1000;
    wire::encode_request({Request::api.key, version, correlation, std::move(client_id)}, request, frame);
    frame.erase(frame.begin(), frame.begin() + wire::frame_size_bytes);
    const Ticket ticket{next_ticket_++};
    shard->request(at, client, ticket, frame);
    return ticket;
  }
  bool answered(Ticket ticket) const { return responses.contains(ticket); }
  template <class Response>
  Response response(Ticket ticket, wire::Version version) {
    Response out;
    EXPECT_TRUE(answered(ticket)) << Response::api.name;
    if (!answered(ticket)) return out;
    Bytes rest = responses[ticket];
    std::int32_t correlation = 0;
    EXPECT_TRUE(wire::take_response_header(rest, Response::api, version, correlation));
    EXPECT_EQ(correlation, static_cast<std::int32_t>(ticket.value()) + 1000);
    EXPECT_TRUE(wire::decode(rest, version, out)) << Response::api.name << " v" << version;
    return out;
  }
  // Asks and lets everything become durable.
  template <class Response, class Request>
  Response ask(const Request& request, wire::Version version = Request::api.last) {
    const Ticket ticket = send(request, version);
    settle();
    return response<Response>(ticket, version);
  }

  ErrorCode create_topic(const std::string& name, std::int32_t partitions = 1,
                         std::map<std::string, std::string> config = {}) {
    wire::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = -1;
    for (const auto& [key, value] : config) topic.configs.push_back({key, value});
    return ask<wire::CreateTopicsResponse>(request).topics.at(0).error_code;
  }
  wire::ProduceRequest produce_request(const std::string& topic, const Buffer& batch, std::int32_t partition = 0) {
    wire::ProduceRequest request;
    request.timeout_ms = wire::Millis{30'000};
    auto& out = request.topics.emplace_back();
    out.name = topic;
    out.partitions.push_back({PartitionIndex{partition}, Bytes(batch)});
    return request;
  }
  wire::ProduceResponse::Topic::Partition produce(const std::string& topic, const BatchSpec& spec = {},
                                                  wire::Version version = 11) {
    BatchSpec timed = spec;
    if (timed.timestamp == 1'000) timed.timestamp = at.wall.value();
    const Buffer batch = make_batch(timed);
    return ask<wire::ProduceResponse>(produce_request(topic, batch), version).topics.at(0).partitions.at(0);
  }
  wire::FetchRequest fetch_request(const std::string& topic, std::int64_t offset, std::int32_t max_wait = 0,
                                   std::int32_t min_bytes = 1) {
    wire::FetchRequest request;
    request.max_wait_ms = wire::Millis{max_wait};
    request.min_bytes = min_bytes;
    request.max_bytes = 50 << 20;
    auto& out = request.topics.emplace_back();
    out.topic = topic;
    wire::FetchRequest::Topic::Partition partition;
    partition.fetch_offset = Offset{offset};
    partition.partition_max_bytes = 1 << 20;
    out.partitions.push_back(partition);
    return request;
  }

  // Clients
  void respond(ConnectionId, Ticket request, Reply reply) override {
    Buffer whole;
    for (const Buffer& part : reply.parts) append(whole, part);
    EXPECT_TRUE(responses.emplace(request, std::move(whole)).second) << "answered twice";
  }
  void no_response(ConnectionId, Ticket request) override { silent_.push_back(request); }
  void close(ConnectionId connection) override {
    closed_.push_back(connection);
    shard->closed(connection);
  }
  std::size_t room() const override { return room_; }

  edgelog::testing::SimDisk disk;
  BrokerSettings settings;
  StoreConfig store_config;
  std::unique_ptr<Shard> shard;
  At at{Instant{1'000'000'000}, WallMillis{1'700'000'000'000}};
  std::map<Ticket, Buffer> responses;
  std::vector<Ticket> silent_;
  std::vector<ConnectionId> closed_;
  std::string fatal;
  std::uint64_t seed = 1, next_ticket_ = 0;
  std::size_t room_ = 256u << 20;
};

}  // namespace edgelog::broker

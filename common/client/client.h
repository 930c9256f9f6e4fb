#pragma once
// A small Kafka client for those who have record batches already: it sends their bytes as they are and
// hands out those it fetches. It knows the cluster (metadata), finds leaders, keeps connections, and says
// what happened; it never retries by itself, so order is the caller's.
//
// Order: batches of one (lane, partition) reach the log in the order of produce(). Requests of one lane to
// one broker share a connection and are pipelined; a connection that breaks fails all that is on it.
//
// Every answer comes through a callback on the owner's thread, never from within the call that asked, and
// exactly once. Errors are Kafka's; the client's own are leader_not_available (no leader is known),
// unknown_topic_or_partition (the topic is, with fewer partitions), network_exception (the connection broke: unknown
// whether it took effect), request_timed_out, and unsupported_version.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/client/broker_link.h"
#include "common/client/metadata.h"
#include "common/client/produce_lane.h"
#include "common/port/links.h"
#include "common/port/timer.h"
#include "common/wire/header.h"

namespace edgelog::client {

struct ClientOptions {
  std::vector<Address> bootstrap;
  LinkOptions link;
  ProduceOptions produce;
  Duration request_timeout = seconds(15);
  Duration metadata_pause_min = milliseconds(100);  // between two refreshes
  Duration metadata_pause_max = seconds(1);         // after failures
  Duration metadata_age_max = seconds(30);
  std::int32_t fetch_bytes_max = 2 << 20;
};

// Connections to one broker, by what goes over them: what may wait long does not hold up the rest.
enum class Way : std::uint8_t { control, fetch, group, produce };

struct FetchResult {
  wire::ErrorCode error = wire::ErrorCode::none;
  Offset high_watermark{-1}, log_start{-1};
  Bytes records;  // whole batches, perhaps cut off at the end; the first may begin before the offset. Valid in the
                  // callback
};
struct OffsetResult {
  wire::ErrorCode error = wire::ErrorCode::none;
  Offset offset{-1};
  LeaderEpoch leader_epoch{-1};
  std::int64_t timestamp = -1;
};
struct EpochEndResult {
  wire::ErrorCode error = wire::ErrorCode::none;
  LeaderEpoch leader_epoch{-1};
  Offset end{-1};
};
inline constexpr std::int64_t latest_offset = -1, earliest_offset = -2;  // ListOffsets' marks

struct TopicPartitionName {
  std::string topic;
  PartitionIndex partition;
  auto operator<=>(const TopicPartitionName&) const = default;
};

class Client final : public LinkOwner {
 public:
  // `timer`'s alarm calls on_alarm(). Ports outlive the client.
  Client(ClientOptions options, Links& links, Timer& timer, std::uint64_t seed);
  ~Client() override;
  void start();  // begins to look for the cluster
  void on_alarm();

  const Metadata& metadata() const { return metadata_; }
  // Called after each answer that was taken. Set before start().
  void on_metadata(std::function<void()> handler) { metadata_handler_ = std::move(handler); }
  // Asks again soon, however often this is called.
  void refresh_metadata();

  // acks=all. The bytes are kept until the answer; `not_after`: not sent later than that.
  using Produced = std::function<void(const ProduceResult&)>;
  ProduceToken produce(const TopicPartitionName& to, std::uint32_t lane, std::shared_ptr<const Buffer> batch,
                       Instant not_after, Produced done);
  // Takes back what has not been sent; its callback is not called. False: it is on its way, or was answered.
  bool cancel(ProduceToken token);

  // At most `bytes_max` and ClientOptions::fetch_bytes_max, but the first batch whole.
  void fetch(const TopicPartitionName& from, Offset offset, std::function<void(const FetchResult&)> done,
             std::int32_t bytes_max = INT32_MAX);
  // One answer per partition that was asked for.
  using Offsets = std::map<TopicPartitionName, OffsetResult>;
  void list_offsets(const std::vector<TopicPartitionName>& partitions, std::int64_t at,
                    std::function<void(Offsets)> done);
  void offset_for_leader_epoch(const TopicPartitionName& of, LeaderEpoch epoch,
                               std::function<void(const EpochEndResult&)> done);

  // Any request to a broker of the caller's choice; nothing: any broker. Bytes within `request` stay valid
  // until the answer. The response is valid in the callback.
  template <class Response, class Request>
  void ask(std::optional<NodeId> node, Way way, Request request, Duration timeout,
           std::function<void(wire::ErrorCode, Response&)> done, wire::Version version_max = INT16_MAX);

  struct Metrics {
    Counter requests, metadata_answers, links_lost;
  };
  const Metrics& metrics() const { return metrics_; }

 private:
  struct Leader {
    NodeId node;
    LeaderEpoch epoch;
  };
  using LinkKey = std::pair<NodeId, std::uint32_t>;  // node, or -1 - i for the i-th bootstrap address; way and lane

  void link_ready(BrokerLink& link) override;
  void link_lost(BrokerLink& link, const std::string& reason) override;
  void link_moved(BrokerLink& link) override;

  std::optional<Leader> leader_of(const TopicPartitionName& partition) const;
  // Why there is none: the topic is known and has no such partition, or it may yet come.
  wire::ErrorCode without_leader(const TopicPartitionName& partition) const;
  BrokerLink* link_to(NodeId node, std::uint32_t way);
  NodeId any_node();
  void call(std::optional<NodeId> node, Way way, Call&& call);
  void later(std::function<void()> work);
  void ask_metadata();
  void took_metadata(wire::ErrorCode error, const wire::MetadataResponse& response);
  void move_links();
  void note_error(wire::ErrorCode error);
  void schedule();

  ClientOptions options_;
  Links& links_;
  Timer& timer_;
  Prng prng_;
  Metadata metadata_;
  Metrics metrics_;
  std::function<void()> metadata_handler_;
  std::map<LinkKey, std::unique_ptr<BrokerLink>> by_key_;
  std::map<LinkKey, std::unique_ptr<ProduceLane>> lanes_;
  std::vector<std::function<void()>> later_;  // told at the next alarm
  std::uint64_t any_turn_ = 0;
  std::uint64_t last_token_ = 0;
  Instant metadata_next_{};  // not asked before
  bool started_ = false, metadata_wanted_ = true, metadata_asked_ = false;
  std::uint32_t metadata_failures_ = 0;
  log::RateLimit lost_log_{5, seconds(30)};
};

template <class Response, class Request>
void Client::ask(std::optional<NodeId> node, Way way, Request request, Duration timeout,
                 std::function<void(wire::ErrorCode, Response&)> done, wire::Version version_max) {
  Call to{&Request::api, version_max, {}, timer_.now() + timeout, {}};
  to.encode = [request = std::move(request), name = options_.link.client_id](wire::Version version, std::int32_t id,
                                                                             Buffer& out) {
    wire::encode_request({Request::api.key, version, id, name}, request, out);
  };
  to.done = [done = std::move(done)](wire::ErrorCode error, wire::Version version, Bytes body) {
    Response response{};
    if (error == wire::ErrorCode::none && !wire::decode(body, version, response))
      error = wire::ErrorCode::unknown_server_error;
    done(error, response);
  };
  call(node, way, std::move(to));
}

}  // namespace edgelog::client

#include "common/client/client.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/wire/fetch.h"
#include "common/wire/list_offsets.h"
#include "common/wire/offset_for_leader_epoch.h"

namespace edgelog::client {
using wire::ErrorCode;

namespace {

constexpr wire::Version fetch_by_name = 12;  // from 13 on topics have ids only
constexpr auto fetch_wait = wire::Millis{500};

bool asks_for_metadata(ErrorCode error) {
  switch (error) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::leader_not_available:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::unknown_leader_epoch:
    case ErrorCode::network_exception: return true;
    default: return false;
  }
}

}  // namespace

Client::Client(ClientOptions options, Links& links, Timer& timer, std::uint64_t seed)
    : options_(std::move(options)), links_(links), timer_(timer), prng_(seed) {
  ASSERT(!options_.bootstrap.empty());
}

Client::~Client() = default;

void Client::start() {
  started_ = true;
  refresh_metadata();
}

void Client::refresh_metadata() {
  metadata_wanted_ = true;
  schedule();
}

void Client::on_alarm() {
  const Instant now = timer_.now();
  for (auto& work : std::exchange(later_, {})) work();
  if (started_ && !metadata_asked_ && now >= metadata_next_ &&
      (metadata_wanted_ || now >= metadata_.at() + options_.metadata_age_max))
    ask_metadata();
  // What is called may add links and lanes (a std::map's iterators stand that) but removes none.
  for (auto& [key, link] : by_key_) link->tick();
  for (auto& [key, lane] : lanes_) lane->tick();
  schedule();
}

void Client::schedule() {
  Instant at = later_.empty() ? never : timer_.now();
  for (const auto& [key, link] : by_key_) at = std::min(at, link->deadline());
  for (const auto& [key, lane] : lanes_) at = std::min(at, lane->deadline());
  if (started_ && !metadata_asked_)
    at = std::min(
        at, metadata_wanted_ ? metadata_next_ : std::max(metadata_next_, metadata_.at() + options_.metadata_age_max));
  timer_.wake_at(at);
}

void Client::later(std::function<void()> work) {
  later_.push_back(std::move(work));
  schedule();
}

void Client::link_ready(BrokerLink&) { schedule(); }

void Client::link_lost(BrokerLink& link, const std::string& reason) {
  metrics_.links_lost.add();
  std::uint64_t suppressed = 0;
  if (lost_log_.pass(timer_.now(), suppressed))
    LOG(info, "broker {}:{}: {} ({} like it before)", link.address().host, link.address().port, reason, suppressed);
  metadata_wanted_ = true;
  for (const auto& [key, owned] : by_key_) {
    if (owned.get() != &link) continue;
    if (const auto lane = lanes_.find(key); lane != lanes_.end())
      lane->second->fail_waiting(ErrorCode::network_exception);
  }
}

void Client::link_moved(BrokerLink&) { schedule(); }

BrokerLink* Client::link_to(NodeId node, std::uint32_t way) {
  const LinkKey key{node, way};
  if (const auto found = by_key_.find(key); found != by_key_.end()) return found->second.get();
  Address address;
  if (node.value() < 0) {
    address = options_.bootstrap.at(static_cast<std::size_t>(-1 - node.value()));
  } else {
    const auto broker = metadata_.brokers().find(node);
    if (broker == metadata_.brokers().end()) return nullptr;
    address = broker->second;
  }
  auto link = std::make_unique<BrokerLink>(options_.link, links_, timer_, *this, address, prng_.next());
  return by_key_.emplace(key, std::move(link)).first->second.get();
}

// The brokers that are known, then the addresses to begin with; another one after each failure.
NodeId Client::any_node() {
  const auto& brokers = metadata_.brokers();
  const std::uint64_t turn = any_turn_ % (brokers.size() + options_.bootstrap.size());
  if (turn < brokers.size()) return std::next(brokers.begin(), static_cast<std::ptrdiff_t>(turn))->first;
  return NodeId{-1 - static_cast<std::int32_t>(turn - brokers.size())};
}

void Client::call(std::optional<NodeId> node, Way way, Call&& call) {
  metrics_.requests.add();
  BrokerLink* const link = link_to(node ? *node : any_node(), static_cast<std::uint32_t>(way));
  if (!link || !link->call(std::move(call)))
    return later([done = std::move(call.done)] { done(ErrorCode::network_exception, 0, {}); });
  schedule();
}

void Client::ask_metadata() {
  metadata_asked_ = true;
  metadata_wanted_ = false;
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  ask<wire::MetadataResponse>(
      std::nullopt, Way::control, std::move(request), options_.request_timeout,
      [this](ErrorCode error, wire::MetadataResponse& response) { took_metadata(error, response); });
}

void Client::took_metadata(ErrorCode error, const wire::MetadataResponse& response) {
  metadata_asked_ = false;
  const Instant now = timer_.now();
  if (error == ErrorCode::none && metadata_.take(response, now)) {
    metadata_failures_ = 0;
    metadata_next_ = now + options_.metadata_pause_min;
    metrics_.metadata_answers.add();
    move_links();
    if (metadata_handler_) metadata_handler_();
  } else {
    ++any_turn_;
    metadata_wanted_ = true;
    const std::int64_t doubled = options_.metadata_pause_min.value()
                                 << std::min<std::uint32_t>(metadata_failures_++, 8);
    const std::int64_t whole = std::min(options_.metadata_pause_max.value(), doubled);
    metadata_next_ = now + Duration{prng_.between(whole / 2, whole)};
  }
  schedule();
}

void Client::move_links() {
  for (auto& [key, link] : by_key_) {
    const auto broker = metadata_.brokers().find(key.first);
    if (broker != metadata_.brokers().end()) link->move_to(broker->second);
  }
}

void Client::note_error(ErrorCode error) {
  if (asks_for_metadata(error)) refresh_metadata();
}

std::optional<Client::Leader> Client::leader_of(const TopicPartitionName& partition) const {
  const PartitionState* const state = metadata_.find(partition.topic, partition.partition);
  if (!state || !metadata_.brokers().contains(state->leader)) return std::nullopt;
  return Leader{state->leader, state->leader_epoch};
}

ErrorCode Client::without_leader(const TopicPartitionName& partition) const {
  const auto topic = metadata_.topics().find(partition.topic);
  const bool fewer = topic != metadata_.topics().end() && !topic->second.partitions.empty() &&
                     !metadata_.find(partition.topic, partition.partition);
  return fewer ? ErrorCode::unknown_topic_or_partition : ErrorCode::leader_not_available;
}

ProduceToken Client::produce(const TopicPartitionName& to, std::uint32_t lane, std::shared_ptr<const Buffer> batch,
                             Instant not_after, Produced done) {
  const ProduceToken token{++last_token_};
  const auto leader = leader_of(to);
  if (!leader) {
    refresh_metadata();
    later([done = std::move(done), error = without_leader(to)] { done({error}); });
    return token;
  }
  const LinkKey key{leader->node, static_cast<std::uint32_t>(Way::produce) + lane};
  auto& owned = lanes_[key];
  if (!owned)
    owned = std::make_unique<ProduceLane>(options_.produce, options_.link.client_id, *link_to(key.first, key.second),
                                          timer_);
  auto noted = [this, done](const ProduceResult& result) {
    note_error(result.error);
    done(result);
  };
  metrics_.requests.add();
  if (!owned->add({token, to.topic, to.partition, leader->epoch, std::move(batch), not_after, std::move(noted)}))
    later([done = std::move(done)] { done({ErrorCode::throttling_quota_exceeded}); });
  schedule();
  return token;
}

bool Client::cancel(ProduceToken token) {
  return std::any_of(lanes_.begin(), lanes_.end(), [&](auto& lane) { return lane.second->cancel(token); });
}

void Client::fetch(const TopicPartitionName& from, Offset offset, std::function<void(const FetchResult&)> done,
                   std::int32_t bytes_max) {
  const auto leader = leader_of(from);
  if (!leader) {
    refresh_metadata();
    return later([done = std::move(done), error = without_leader(from)] { done({error}); });
  }
  wire::FetchRequest request;
  request.max_wait_ms = fetch_wait;
  request.min_bytes = 1;
  request.max_bytes = options_.fetch_bytes_max;
  auto& topic = request.topics.emplace_back();
  topic.topic = from.topic;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = from.partition;
  partition.current_leader_epoch = leader->epoch;
  partition.fetch_offset = offset;
  partition.partition_max_bytes = std::min(bytes_max, options_.fetch_bytes_max);
  ask<wire::FetchResponse>(
      leader->node, Way::fetch, std::move(request), options_.request_timeout,
      [this, done = std::move(done)](ErrorCode error, wire::FetchResponse& response) {
        FetchResult result{error == ErrorCode::none ? response.error_code : error};
        if (result.error == ErrorCode::none) {
          if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1) {
            result.error = ErrorCode::unknown_server_error;
          } else {
            const auto& got = response.topics[0].partitions[0];
            result = {got.error_code, got.high_watermark, got.log_start_offset, got.records.value_or(Bytes{})};
          }
        }
        note_error(result.error);
        done(result);
      },
      fetch_by_name);
}

void Client::list_offsets(const std::vector<TopicPartitionName>& partitions, std::int64_t at,
                          std::function<void(Offsets)> done) {
  struct Gathered {
    Offsets offsets;
    std::size_t open = 0;
    std::function<void(Offsets)> done;
  };
  auto gathered = std::make_shared<Gathered>();
  gathered->done = std::move(done);
  std::map<NodeId, wire::ListOffsetsRequest> requests;
  for (const TopicPartitionName& name : partitions) {
    const auto leader = leader_of(name);
    gathered->offsets[name].error = leader ? ErrorCode::network_exception : without_leader(name);
    if (!leader) continue;
    auto& topics = requests[leader->node].topics;
    if (topics.empty() || topics.back().name != name.topic) topics.push_back({name.topic, {}});
    topics.back().partitions.push_back({name.partition, leader->epoch, at});
  }
  if (requests.empty()) {
    refresh_metadata();
    return later([gathered] { gathered->done(std::move(gathered->offsets)); });
  }
  gathered->open = requests.size();
  for (auto& [node, request] : requests) {
    request.timeout_ms = wire::Millis{static_cast<std::int32_t>(to_millis(options_.request_timeout))};
    ask<wire::ListOffsetsResponse>(node, Way::control, std::move(request), options_.request_timeout,
                                   [this, gathered](ErrorCode error, wire::ListOffsetsResponse& response) {
                                     note_error(error);
                                     for (auto& topic : response.topics)
                                       for (auto& p : topic.partitions) {
                                         note_error(p.error_code);
                                         const auto asked = gathered->offsets.find({topic.name, p.partition_index});
                                         if (asked != gathered->offsets.end())
                                           asked->second = {p.error_code, p.offset, p.leader_epoch, p.timestamp};
                                       }
                                     if (--gathered->open == 0) gathered->done(std::move(gathered->offsets));
                                   });
  }
}

void Client::offset_for_leader_epoch(const TopicPartitionName& of, LeaderEpoch epoch,
                                     std::function<void(const EpochEndResult&)> done) {
  const auto leader = leader_of(of);
  if (!leader) {
    refresh_metadata();
    return later([done = std::move(done), error = without_leader(of)] { done({error}); });
  }
  wire::OffsetForLeaderEpochRequest request;
  request.topics.push_back({of.topic, {{of.partition, leader->epoch, epoch}}});
  ask<wire::OffsetForLeaderEpochResponse>(
      leader->node, Way::control, std::move(request), options_.request_timeout,
      [this, done = std::move(done)](ErrorCode error, wire::OffsetForLeaderEpochResponse& response) {
        EpochEndResult result{error};
        if (error == ErrorCode::none && response.topics.size() == 1 && response.topics[0].partitions.size() == 1) {
          const auto& got = response.topics[0].partitions[0];
          result = {got.error_code, got.leader_epoch, got.end_offset};
        } else if (error == ErrorCode::none) {
          result.error = ErrorCode::unknown_server_error;
        }
        note_error(result.error);
        done(result);
      });
}

}  // namespace edgelog::client

// Fetch (1), versions 4-17. Always whole, without sessions (session id 0 in every answer, KIP-227 allows it).
// Answers at once when min_bytes are there, any partition has an error, or max_wait_ms is 0; else parks until
// data is committed or the time is over. Whole batches, in the order of the request (clients rotate it, so
// that no partition starves); the first partition that has data gives one whole batch whatever its size.
// Refuses per partition: 29, 3 (by id 100), 74 and 75 (leader epoch), 1 (offset out of range), 56 (damaged);
// a diverging epoch is reported as such (KIP-595). 6 for a replica. Whole request: 70 for a session epoch
// above 0.
#include "common/wire/fetch.h"

#include <algorithm>

#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Request = wire::FetchRequest;
using Response = wire::FetchResponse;
using Answer = Response::Topic::Partition;

constexpr Duration wait_max = seconds(300);
constexpr std::size_t watched_max = 1'000'000;  // partitions that parked requests name together
constexpr std::size_t room_min = 1 << 20;       // a response may have that much even when memory is short

// What one attempt has gathered.
struct Gathered {
  Response response;
  std::vector<Buffer> buffers;  // in the order of the response's partitions
  std::size_t bytes = 0, left = 0;
  bool urgent = false;  // an error or a divergence: answer now
};

const Topic* find_topic(const World& world, const Context& context, const Request::Topic& topic) {
  return context.version >= 13 ? world.controller.find(topic.topic_id) : world.controller.find(topic.topic);
}

ErrorCode check(const World& world, const Context& context, const Topic* topic, const Partition* partition,
                std::int32_t replica, const Request::Topic::Partition& wanted) {
  if (topic == nullptr)
    return context.version >= 13 ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
  if (!world.authorizer.allows(context, Operation::read, Resource::topic, topic->name)) {
    return ErrorCode::topic_authorization_failed;
  }
  if (partition == nullptr) return ErrorCode::unknown_topic_or_partition;
  if (replica >= 0) return ErrorCode::not_leader_or_follower;  // no other broker follows this one
  return check_leader_epoch(*partition, std::max(wanted.current_leader_epoch, LeaderEpoch{-1}));
}

// KIP-595: the client's last batch is not what this log has there.
bool diverges(const Partition& partition, const Request::Topic::Partition& wanted, Answer& answer) {
  if (wanted.last_fetched_epoch.value() < 0) return false;
  const EpochEnd here = partition.end_offset_for_epoch(wanted.last_fetched_epoch);
  if (here.epoch.value() < 0 || (here.epoch == wanted.last_fetched_epoch && here.end >= wanted.fetch_offset))
    return false;
  answer.diverging_epoch = {here.epoch, here.end};
  return true;
}

Answer fetch_one(World& world, const Context& context, const Request& request, const Topic* topic,
                 const Request::Topic::Partition& wanted, Gathered& gathered, Buffer& into) {
  Answer answer;
  answer.partition_index = wanted.partition;
  answer.high_watermark = Offset{-1};
  answer.records = Bytes{};
  Partition* partition = topic != nullptr ? world.find(*topic, wanted.partition) : nullptr;
  answer.error_code = check(world, context, topic, partition,
                            std::max(request.replica_id, request.replica_state.replica_id).value(), wanted);
  if (answer.error_code == ErrorCode::fenced_leader_epoch)
    answer.current_leader = {world.settings.node, partition->leader_epoch()};
  if (answer.error_code == ErrorCode::none) {
    const bool committed_only = request.isolation_level == 1;
    const Offset limit = committed_only ? partition->last_stable() : partition->committed();
    const auto bytes_max = std::min(static_cast<std::size_t>(std::max(0, wanted.partition_max_bytes)), gathered.left);
    if (diverges(*partition, wanted, answer)) {
      gathered.urgent = true;
    } else {
      ReadResult read = partition->read(wanted.fetch_offset, bytes_max, gathered.bytes == 0, limit);
      answer.error_code = static_cast<ErrorCode>(read.error);
      into = std::move(read.batches);
    }
    if (answer.error_code == ErrorCode::none) {
      answer.high_watermark = partition->committed();
      answer.last_stable_offset = partition->last_stable();
      answer.log_start_offset = partition->log_start();
      if (committed_only) answer.aborted_transactions.emplace();
    }
  }
  if (answer.error_code != ErrorCode::none) {
    gathered.urgent = true;
    world.metrics.fetch_errors.add();
    return answer;
  }
  answer.records = Bytes(into);
  gathered.bytes += into.size();
  gathered.left -= std::min(gathered.left, into.size());
  return answer;
}

Gathered gather(World& world, const Context& context, const Request& request) {
  Gathered gathered;
  const std::size_t room = std::max(world.replies.room() / 2, room_min);
  gathered.left = std::min({static_cast<std::size_t>(std::max(0, request.max_bytes)),
                            static_cast<std::size_t>(world.settings.fetch_bytes_max), room});
  std::size_t count = 0;
  for (const auto& topic : request.topics) count += topic.partitions.size();
  gathered.buffers.resize(count);
  auto buffer = gathered.buffers.begin();
  for (const auto& asked : request.topics) {
    auto& topic = gathered.response.topics.emplace_back();
    topic.topic = asked.topic;
    topic.topic_id = asked.topic_id;
    const Topic* known = find_topic(world, context, asked);
    for (const auto& wanted : asked.partitions) {
      topic.partitions.push_back(fetch_one(world, context, request, known, wanted, gathered, *buffer++));
    }
  }
  return gathered;
}

void send(World& world, const Context& context, Gathered gathered) {
  world.metrics.fetched_bytes.add(gathered.bytes);
  world.replies.send(context, gathered.response, std::move(gathered.buffers));
}

std::size_t named(const Request& request) {
  std::size_t count = request.topics.size() + request.forgotten.size();
  constexpr std::size_t name_bytes = 64;  // a longer name counts for more
  for (const auto& topic : request.topics) count += topic.partitions.size() + topic.topic.size() / name_bytes;
  for (const auto& topic : request.forgotten) count += topic.partitions.size() + topic.topic.size() / name_bytes;
  return count;
}

void park(World& world, const Context& context, const Request& request, std::size_t have) {
  std::vector<const Partition*> watched;
  for (const auto& topic : request.topics) {
    const Topic* known = find_topic(world, context, topic);
    for (const auto& each : topic.partitions) {
      if (const Partition* partition = known != nullptr ? world.find(*known, each.partition) : nullptr)
        watched.push_back(partition);
    }
  }
  Context kept = context;
  kept.frame = {};
  const auto held = std::make_shared<const Request>(request);
  const Duration wait = std::min(milliseconds(request.max_wait_ms.value()), wait_max);
  const std::int64_t missing = std::max<std::int64_t>(1, request.min_bytes - static_cast<std::int64_t>(have));
  world.fetches.park(
      context.connection, std::move(watched), missing, context.at.now + wait, [&world, kept, held](bool last) {
        Gathered again = gather(world, kept, *held);
        if (!last && !again.urgent && again.bytes < static_cast<std::size_t>(std::max(1, held->min_bytes)))
          return false;
        send(world, kept, std::move(again));
        return true;
      });
}

}  // namespace

void handle_fetch(World& world, const Context& context, const wire::FetchRequest& request) {
  // Epoch 0 asks for a new session and -1 for none: both are whole requests, whatever session was before.
  if (request.session_epoch > 0) {
    Response response;
    response.error_code = ErrorCode::fetch_session_id_not_found;
    return world.replies.send(context, response);
  }
  Gathered gathered = gather(world, context, request);
  const bool enough = gathered.bytes >= static_cast<std::size_t>(std::max(0, request.min_bytes));
  // What waits is kept, so it is bounded: by requests, and by what they name.
  const bool crowded = world.fetches.waiting() >= static_cast<std::size_t>(world.settings.fetch_waiting_max) ||
                       world.fetches.watched() + named(request) > watched_max;
  if (enough || gathered.urgent || request.max_wait_ms.value() <= 0 || crowded || request.topics.empty()) {
    return send(world, context, std::move(gathered));
  }
  park(world, context, request, gathered.bytes);
}

}  // namespace edgelog::broker

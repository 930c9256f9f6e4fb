// OffsetCommit (8), versions 1-9, answered once the offsets are durable.
// Refuses all: 30, 24 (only where a member commits), 22, 25, 27, 82, 15, 28 (too much at once); per partition: 29, 3
// (no such partition), 12 (metadata too long).
#include "common/wire/offset_commit.h"

#include <algorithm>
#include <limits>

#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Request = wire::OffsetCommitRequest;
using Response = wire::OffsetCommitResponse;
using Errors = std::vector<ErrorCode>;

ErrorCode check_partition(const World& world, const Context& context, const std::string& topic, PartitionIndex index) {
  if (!world.authorizer.allows(context, Operation::read, Resource::topic, topic))
    return ErrorCode::topic_authorization_failed;
  return world.find(topic, index) == nullptr ? ErrorCode::unknown_topic_or_partition : ErrorCode::none;
}

group::CommittedOffset to_core(const Request& request, const Request::Topic::Partition& from, const Context& context) {
  group::CommittedOffset offset;
  offset.offset = from.committed_offset;
  offset.leader_epoch = from.committed_leader_epoch;
  offset.metadata = from.committed_metadata.value_or("");
  const bool own_time = context.version == 1 && from.commit_timestamp >= 0;
  offset.committed_at = own_time ? WallMillis{from.commit_timestamp} : context.at.wall;
  // In milliseconds, and no further than time goes: what a client may say is more than nanoseconds can hold.
  if (const std::int64_t kept = request.retention_time_ms; kept >= 0) {
    const std::int64_t most =
        std::numeric_limits<std::int64_t>::max() - std::max<std::int64_t>(0, offset.committed_at.value());
    offset.expires_at = WallMillis{offset.committed_at.value() + std::min(kept, most)};
  }
  return offset;
}

// Every partition has an answer already; those that may be committed are gathered.
struct Sorted {
  Response response;
  group::CommitRequest commit;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // of the partitions to commit, in the response
};

Sorted sort(const World& world, const Context& context, const Request& request) {
  Sorted sorted;
  sorted.commit.group = request.group_id;
  sorted.commit.who = who(request.member_id, request.group_instance_id, request.generation_id);
  for (const auto& topic : request.topics) {
    auto& out = sorted.response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& each : topic.partitions) {
      const ErrorCode error = check_partition(world, context, topic.name, each.partition_index);
      out.partitions.push_back({each.partition_index, error});
      if (error != ErrorCode::none) continue;
      sorted.places.push_back({sorted.response.topics.size() - 1, out.partitions.size() - 1});
      sorted.commit.partitions.push_back({topic.name, each.partition_index, to_core(request, each, context)});
    }
  }
  return sorted;
}

// Versions before 9 have no word for a group that is not there.
ErrorCode told(ErrorCode error, wire::Version version) {
  return error == ErrorCode::group_id_not_found && version < 9 ? ErrorCode::illegal_generation : error;
}

void refuse_all(World& world, const Context& context, Response& response, ErrorCode error) {
  for (auto& topic : response.topics) {
    for (auto& each : topic.partitions) each.error_code = error;
  }
  world.replies.send(context, response);
}

}  // namespace

void handle_offset_commit(World& world, const Context& context, const wire::OffsetCommitRequest& request) {
  Sorted sorted = sort(world, context, request);
  ErrorCode error = check_group(world, context, request.group_id);
  // Kafka still takes the empty group id of a consumer that is in no group.
  if (error == ErrorCode::invalid_group_id && request.generation_id < 0) error = ErrorCode::none;
  if (error != ErrorCode::none) return refuse_all(world, context, sorted.response, error);
  world.groups.when_ready(context.at, [&](bool ready) {
    if (!ready) return refuse_all(world, context, sorted.response, ErrorCode::coordinator_not_available);
    const auto held = std::make_shared<Sorted>(std::move(sorted));
    world.groups.write<Errors>(
        context.at, request.group_id,
        [&](group::Coordinator& coordinator, group::Effects& effects) {
          return coordinator.commit(context.at, held->commit, effects);
        },
        [&world, kept = without_frame(context), held](ErrorCode failed, const Errors& errors) {
          for (std::size_t i = 0; i < held->places.size(); ++i) {
            const auto [topic, partition] = held->places[i];
            held->response.topics[topic].partitions[partition].error_code =
                failed == ErrorCode::none ? told(errors[i], kept.version) : failed;
          }
          world.metrics.offset_commits.add(held->places.size());
          world.replies.send(kept, held->response);
        });
  });
}

}  // namespace edgelog::broker

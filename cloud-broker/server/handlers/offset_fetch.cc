// OffsetFetch (9), versions 1-9; several groups from 8. Topics null: all that the group committed. What was
// never committed is offset -1 without an error, for unknown groups and partitions too. An answer waits until
// what it shows is durable. require_stable has nothing to wait for without transactions.
// Refuses: 30, 15 for what would make the answer too large; per partition 29.
#include "common/wire/offset_fetch.h"

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Request = wire::OffsetFetchRequest;
using Response = wire::OffsetFetchResponse;
using OutTopic = Response::Group::Topic;
using OutPartition = OutTopic::Partition;

OutPartition answer_one(PartitionIndex index, const group::CommittedOffset* committed) {
  OutPartition out;
  out.partition_index = index;
  out.committed_offset = committed != nullptr ? committed->offset : Offset{-1};
  if (committed != nullptr) out.committed_leader_epoch = committed->leader_epoch;
  out.metadata = committed != nullptr ? committed->metadata : std::string();
  return out;
}

// What the response may still take.
struct Room {
  std::size_t partitions = response_partitions_max, bytes = response_bytes_max;

  // False: too much, now and for whatever comes after.
  bool take(const group::CommittedOffset* committed) {
    const std::size_t more = committed != nullptr ? committed->metadata.size() : 0;
    if (partitions == 0 || more > bytes) {
      partitions = 0;
      return false;
    }
    --partitions;
    bytes -= more;
    return true;
  }
};

// Asked for with less it can be told. Version 1 has errors of partitions only, and what it is not told of it takes for
// never committed: there those that were reached say it.
void refuse_too_large(Response::Group& group, wire::Version version) {
  group.error_code = ErrorCode::coordinator_not_available;
  if (version >= 2) group.topics.clear();
  for (auto& topic : group.topics) {
    for (auto& each : topic.partitions) {
      each = answer_one(each.partition_index, nullptr);
      each.error_code = group.error_code;
    }
  }
}

// False: there is no room for all of it.
bool add_all(const group::Offsets* committed, Room& room, std::vector<OutTopic>& topics) {
  if (committed == nullptr) return true;
  for (const auto& [key, offset] : *committed) {
    if (topics.empty() || topics.back().name != key.first) topics.emplace_back().name = key.first;
    if (!room.take(&offset)) return false;
    topics.back().partitions.push_back(answer_one(key.second, &offset));
  }
  return true;
}

bool add_wanted(const World& world, const Context& context, const Request::Group& wanted,
                const group::Coordinator* coordinator, Room& room, std::vector<OutTopic>& topics) {
  for (const auto& topic : *wanted.topics) {
    auto& to = topics.emplace_back();
    to.name = topic.name;
    const bool allowed = world.authorizer.allows(context, Operation::describe, Resource::topic, topic.name);
    for (const PartitionIndex index : topic.partition_indexes) {
      const bool known = allowed && coordinator != nullptr;
      const auto* committed = known ? coordinator->committed(wanted.group_id, topic.name, index) : nullptr;
      if (!room.take(committed)) return false;
      to.partitions.push_back(answer_one(index, committed));
      if (!allowed) to.partitions.back().error_code = ErrorCode::topic_authorization_failed;
    }
  }
  return true;
}

Response::Group answer_group(const World& world, const Context& context, const Request::Group& wanted,
                             const group::Coordinator* coordinator, Room& room) {
  Response::Group out;
  out.group_id = wanted.group_id;
  if (!world.authorizer.allows(context, Operation::describe, Resource::group, wanted.group_id)) {
    out.error_code = ErrorCode::group_authorization_failed;
    return out;
  }
  const auto* committed = coordinator != nullptr ? coordinator->committed(wanted.group_id) : nullptr;
  const bool whole = wanted.topics ? add_wanted(world, context, wanted, coordinator, room, out.topics)
                                   : add_all(committed, room, out.topics);
  if (!whole) refuse_too_large(out, context.version);
  return out;
}

// Before 8 there is one group, and its shape is its own.
std::vector<Request::Group> wanted_groups(const Request& request, wire::Version version) {
  if (version >= 8) return request.groups;
  Request::Group only;
  only.group_id = request.group_id;
  if (request.topics) {
    only.topics.emplace();
    for (const auto& topic : *request.topics) only.topics->push_back({topic.name, topic.partition_indexes});
  }
  return {std::move(only)};
}

void flatten(Response& response) {
  Response::Group only = std::move(response.groups.front());
  response.groups.clear();
  response.error_code = only.error_code;
  for (auto& topic : only.topics) {
    auto& out = response.topics.emplace_back();
    out.name = std::move(topic.name);
    for (auto& each : topic.partitions) {
      out.partitions.push_back({each.partition_index, each.committed_offset, each.committed_leader_epoch,
                                std::move(each.metadata), each.error_code});
    }
  }
}

}  // namespace

void handle_offset_fetch(World& world, const Context& context, const wire::OffsetFetchRequest& request) {
  const auto collected = collect<Response>(world, context);
  const std::vector<Request::Group> wanted = wanted_groups(request, context.version);
  Room room;
  collected->response.groups.resize(wanted.size());
  if (context.version < 8) collected->finish = flatten;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto look = [&](const group::Coordinator* coordinator) {
      collected->response.groups[i] = answer_group(world, collected->context(), wanted[i], coordinator, room);
    };
    if (!world.groups.ready()) {
      look(nullptr);
      continue;
    }
    collected->expect();
    world.groups.read(
        wanted[i].group_id, [&](const group::Coordinator& coordinator) { look(&coordinator); },
        [collected] { collected->arrive(); });
  }
  collected->arrive();
}

}  // namespace edgelog::broker

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

std::vector<OutTopic> all_topics(const group::Coordinator* coordinator, const std::string& group) {
  std::vector<OutTopic> topics;
  if (coordinator == nullptr) return topics;
  for (const auto& [key, offset] : coordinator->committed(group)) {
    if (topics.empty() || topics.back().name != key.first) topics.emplace_back().name = key.first;
    topics.back().partitions.push_back(answer_one(key.second, &offset));
  }
  return topics;
}

Response::Group answer_group(const World& world, const Context& context, const Request::Group& wanted,
                             const group::Coordinator* coordinator) {
  Response::Group out;
  out.group_id = wanted.group_id;
  if (!world.authorizer.allows(context, Operation::describe, Resource::group, wanted.group_id)) {
    out.error_code = ErrorCode::group_authorization_failed;
    return out;
  }
  if (!wanted.topics) {
    out.topics = all_topics(coordinator, wanted.group_id);
    return out;
  }
  for (const auto& topic : *wanted.topics) {
    auto& to = out.topics.emplace_back();
    to.name = topic.name;
    const bool allowed = world.authorizer.allows(context, Operation::describe, Resource::topic, topic.name);
    for (const PartitionIndex index : topic.partition_indexes) {
      const bool known = allowed && coordinator != nullptr;
      to.partitions.push_back(
          answer_one(index, known ? coordinator->committed(wanted.group_id, topic.name, index) : nullptr));
      if (!allowed) to.partitions.back().error_code = ErrorCode::topic_authorization_failed;
    }
  }
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
  std::size_t partitions = 0;
  collected->response.groups.resize(wanted.size());
  if (context.version < 8) collected->finish = flatten;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto look = [&](const group::Coordinator* coordinator) {
      Response::Group& group = collected->response.groups[i];
      if (partitions > response_partitions_max) {
        group.group_id = wanted[i].group_id;
        group.error_code = ErrorCode::coordinator_not_available;  // asked for alone it can be told
      } else {
        group = answer_group(world, collected->context(), wanted[i], coordinator);
        for (const auto& topic : group.topics) partitions += topic.partitions.size();
      }
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

// ListOffsets (2), versions 1-10. Timestamps: -1 the committed end (read_committed: the last stable offset),
// -2 and -4 the log's start, -3 the record with the largest timestamp, -5 none (nothing is tiered), else the
// first record not older, looked for inside of compressed batches too; none is offset -1 and no error.
// Refuses per partition: 29, 3, 74, 75, 56, 35 (a mark that the request's version does not have), and 42, once,
// for one that is named twice.
#include "common/wire/list_offsets.h"

#include <map>
#include <set>
#include <string_view>

#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Answer = wire::ListOffsetsResponse::Topic::Partition;

enum Mark : std::int64_t {
  latest = -1,
  earliest = -2,
  largest_timestamp = -3,
  earliest_local = -4,
  latest_tiered = -5
};

// The first version that knows a mark; 11 is one that we do not offer.
wire::Version known_since(std::int64_t mark) {
  switch (mark) {
    case Mark::latest:
    case Mark::earliest: return 0;
    case Mark::largest_timestamp: return 7;
    case Mark::earliest_local: return 8;
    case Mark::latest_tiered: return 9;
    default: return mark < 0 ? 11 : 0;
  }
}

void look_up(Partition& partition, std::int64_t timestamp, Offset limit, Answer& answer) {
  if (timestamp == Mark::latest) {
    answer.offset = limit;
    answer.leader_epoch = partition.leader_epoch();
  } else if (timestamp == Mark::earliest || timestamp == Mark::earliest_local) {
    answer.offset = partition.log_start();
    const LeaderEpoch epoch = partition.epoch_at(answer.offset);
    answer.leader_epoch = epoch.value() >= 0 ? epoch : partition.leader_epoch();
  } else if (timestamp == Mark::largest_timestamp || timestamp >= 0) {
    const TimedOffset found =
        timestamp >= 0 ? partition.offset_for_time(timestamp, limit) : partition.max_timestamp(limit);
    answer.error_code = static_cast<ErrorCode>(found.error);
    answer.offset = found.offset;
    answer.timestamp = found.timestamp;
    answer.leader_epoch = found.epoch;
  }
}

Answer answer_one(World& world, const Context& context, const std::string& topic,
                  const wire::ListOffsetsRequest::Topic::Partition& wanted, std::int8_t isolation) {
  Answer answer;
  answer.partition_index = wanted.partition_index;
  Partition* partition = world.find(topic, wanted.partition_index);
  if (!world.authorizer.allows(context, Operation::describe, Resource::topic, topic)) {
    answer.error_code = ErrorCode::topic_authorization_failed;
  } else if (context.version < known_since(wanted.timestamp)) {
    answer.error_code = ErrorCode::unsupported_version;
  } else if (partition == nullptr) {
    answer.error_code = ErrorCode::unknown_topic_or_partition;
  } else if (!partition->damage().empty()) {
    answer.error_code = ErrorCode::kafka_storage_error;
  } else {
    answer.error_code = check_leader_epoch(*partition, wanted.current_leader_epoch);
    if (answer.error_code != ErrorCode::none) return answer;
    look_up(*partition, wanted.timestamp, isolation == 1 ? partition->last_stable() : partition->committed(), answer);
  }
  return answer;
}

}  // namespace

void handle_list_offsets(World& world, const Context& context, const wire::ListOffsetsRequest& request) {
  wire::ListOffsetsResponse response;
  std::map<std::string_view, std::size_t> numbers;  // of names, so that long ones are compared once a topic
  for (const auto& topic : request.topics) numbers.emplace(topic.name, numbers.size());
  std::set<std::pair<std::size_t, PartitionIndex>> seen, twice, told;
  for (const auto& topic : request.topics) {
    const std::size_t number = numbers.at(topic.name);
    for (const auto& each : topic.partitions) {
      if (!seen.insert({number, each.partition_index}).second) twice.insert({number, each.partition_index});
    }
  }
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    const std::size_t number = numbers.at(topic.name);
    for (const auto& each : topic.partitions) {
      const std::pair key(number, each.partition_index);
      if (twice.contains(key)) {
        if (!told.insert(key).second) continue;
        out.partitions.emplace_back().partition_index = each.partition_index;
        out.partitions.back().error_code = ErrorCode::invalid_request;
      } else {
        out.partitions.push_back(answer_one(world, context, topic.name, each, request.isolation_level));
      }
    }
  }
  world.replies.send(context, response);
}

}  // namespace edgelog::broker

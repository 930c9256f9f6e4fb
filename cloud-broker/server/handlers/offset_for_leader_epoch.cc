// OffsetForLeaderEpoch (23), versions 2-4 (KIP-320): the largest epoch not above the asked one that this log
// knows, and where it ended. An epoch that is newer than ours, or nothing known: -1, -1 without an error.
// Refuses per partition: 29, 3, 74, 75, 56.
#include "common/wire/offset_for_leader_epoch.h"

#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

using wire::ErrorCode;

void handle_offset_for_leader_epoch(World& world, const Context& context,
                                    const wire::OffsetForLeaderEpochRequest& request) {
  wire::OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.topic = topic.topic;
    const bool allowed = world.authorizer.allows(context, Operation::describe, Resource::topic, topic.topic);
    for (const auto& wanted : topic.partitions) {
      auto& answer = out.partitions.emplace_back();
      answer.partition = wanted.partition;
      const Partition* partition = world.find(topic.topic, wanted.partition);
      if (!allowed) {
        answer.error_code = ErrorCode::topic_authorization_failed;
      } else if (partition == nullptr) {
        answer.error_code = ErrorCode::unknown_topic_or_partition;
      } else if (!partition->damage().empty()) {
        answer.error_code = ErrorCode::kafka_storage_error;
      } else {
        answer.error_code = check_leader_epoch(*partition, wanted.current_leader_epoch);
        if (answer.error_code != ErrorCode::none) continue;
        const EpochEnd end = partition->end_offset_for_epoch(wanted.leader_epoch);
        answer.leader_epoch = end.epoch;
        answer.end_offset = end.end;
      }
    }
  }
  world.replies.send(context, response);
}

}  // namespace edgelog::broker

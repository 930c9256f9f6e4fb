// OffsetDelete (47), version 0 (KIP-496): forgets offsets that a group committed. Answered once durable.
// Refuses: 30, 24, 69 (no such group); per partition: 29, 3, 86 (a member subscribes to the topic), 28 (too
// much at once: nothing is deleted).
#include "common/wire/offset_delete.h"

#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

namespace {
using wire::ErrorCode;
using Errors = std::vector<ErrorCode>;
using Response = wire::OffsetDeleteResponse;

void refuse(World& world, const Context& context, ErrorCode error) {
  Response response;
  response.error_code = error;
  world.replies.send(context, response);
}
}  // namespace

void handle_offset_delete(World& world, const Context& context, const wire::OffsetDeleteRequest& request) {
  if (const ErrorCode error = check_group(world, context, request.group_id); error != ErrorCode::none) {
    return refuse(world, context, error);
  }
  if (!world.groups.ready()) return refuse(world, context, ErrorCode::group_id_not_found);
  const auto response = std::make_shared<Response>();
  std::vector<std::pair<std::string, PartitionIndex>> wanted;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (const auto& topic : request.topics) {
    auto& out = response->topics.emplace_back();
    out.name = topic.name;
    const bool allowed = world.authorizer.allows(context, Operation::read, Resource::topic, topic.name);
    for (const auto& each : topic.partitions) {
      out.partitions.push_back(
          {each.partition_index, allowed ? ErrorCode::none : ErrorCode::topic_authorization_failed});
      if (!allowed) continue;
      if (world.find(topic.name, each.partition_index) == nullptr) {
        out.partitions.back().error_code = ErrorCode::unknown_topic_or_partition;
        continue;
      }
      wanted.push_back({topic.name, each.partition_index});
      places.push_back({response->topics.size() - 1, out.partitions.size() - 1});
    }
  }
  const auto unknown = std::make_shared<bool>(false);  // which goes before what is wrong with partitions
  world.groups.write<Errors>(
      context.at, request.group_id,
      [&](group::Coordinator& coordinator, group::Effects& effects) {
        *unknown = coordinator.describe(request.group_id).state == "Dead";
        return coordinator.remove_offsets(context.at, request.group_id, wanted, effects);
      },
      [&world, kept = without_frame(context), response, places, unknown](ErrorCode error, const Errors& errors) {
        response->error_code = error == ErrorCode::none && *unknown ? ErrorCode::group_id_not_found : error;
        for (std::size_t i = 0; i < places.size(); ++i) {
          if (errors[i] == ErrorCode::group_id_not_found)
            response->error_code = errors[i];
          else
            response->topics[places[i].first].partitions[places[i].second].error_code = errors[i];
        }
        if (response->error_code != ErrorCode::none) response->topics.clear();
        world.replies.send(kept, *response);
      });
}

}  // namespace edgelog::broker

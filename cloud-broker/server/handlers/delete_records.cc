// DeleteRecords (21), versions 0-2: moves a partition's start up to `offset` (-1: the committed end) and
// answers the start that then holds once it is durable. Below the start: nothing to do.
// Refuses per partition: 29, 3, 17 (internal), 1 (beyond the committed end), 56.
#include "common/wire/delete_records.h"

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Response = wire::DeleteRecordsResponse;

ErrorCode delete_one(World& world, const Context& context, const std::string& topic,
                     const wire::DeleteRecordsRequest::Topic::Partition& wanted, Offset& low_watermark) {
  if (!world.authorizer.allows(context, Operation::remove, Resource::topic, topic))
    return ErrorCode::topic_authorization_failed;
  if (is_internal(topic)) return ErrorCode::invalid_topic;
  Partition* partition = world.find(topic, wanted.partition_index);
  if (partition == nullptr) return ErrorCode::unknown_topic_or_partition;
  if (!partition->damage().empty()) return ErrorCode::kafka_storage_error;
  const Offset to = wanted.offset.value() == -1 ? partition->committed() : wanted.offset;
  if (to.value() < 0) return ErrorCode::offset_out_of_range;
  if (to > partition->log_start() && !partition->delete_records(to)) return ErrorCode::offset_out_of_range;
  low_watermark = partition->log_start();
  return ErrorCode::none;
}

}  // namespace

void handle_delete_records(World& world, const Context& context, const wire::DeleteRecordsRequest& request) {
  const auto collected = collect<Response>(world, context);
  for (const auto& topic : request.topics) {
    auto& out = collected->response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& wanted : topic.partitions) {
      auto& answer = out.partitions.emplace_back();
      answer.partition_index = wanted.partition_index;
      answer.low_watermark = Offset{-1};
      answer.error_code = delete_one(world, context, topic.name, wanted, answer.low_watermark);
    }
  }
  world.store.when_durable([collected] { collected->arrive(); });
}

}  // namespace edgelog::broker

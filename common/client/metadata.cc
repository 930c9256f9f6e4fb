#include "common/client/metadata.h"

#include <algorithm>

namespace edgelog::client {
namespace {

constexpr std::uint8_t older_answers_max = 5;

bool read_partitions(const wire::MetadataResponse::Topic& from, TopicState& to) {
  to.partitions.resize(from.partitions.size());
  std::vector<bool> seen(from.partitions.size());
  for (const auto& partition : from.partitions) {
    const auto index = static_cast<std::size_t>(partition.partition_index.value());
    if (partition.partition_index.value() < 0 || index >= seen.size() || seen[index]) return false;
    seen[index] = true;
    to.partitions[index] = {partition.leader_id, partition.leader_epoch, 0, partition.replica_nodes.size()};
  }
  return true;
}

void keep_newer(const TopicState& before, TopicState& after) {
  if (before.id != after.id) return;  // made anew under the same name
  const std::size_t both = std::min(before.partitions.size(), after.partitions.size());
  for (std::size_t i = 0; i < both; ++i) {
    const PartitionState& was = before.partitions[i];
    if (was.leader_epoch <= after.partitions[i].leader_epoch || was.older_answers >= older_answers_max) continue;
    after.partitions[i] = was;
    ++after.partitions[i].older_answers;
  }
}

}  // namespace

bool Metadata::take(const wire::MetadataResponse& response, Instant now) {
  if (response.brokers.empty() || response.error_code != wire::ErrorCode::none) return false;
  std::map<NodeId, Address> brokers;
  for (const auto& broker : response.brokers) {
    if (broker.port <= 0 || broker.port > 65535 || broker.node_id.value() < 0) return false;
    brokers[broker.node_id] = {broker.host, static_cast<std::uint16_t>(broker.port)};
  }
  std::map<std::string, TopicState, std::less<>> topics;
  for (const auto& topic : response.topics) {
    if (!topic.name) continue;
    TopicState state{topic.topic_id, topic.is_internal, topic.error_code, {}};
    if (!read_partitions(topic, state)) return false;
    if (const auto before = topics_.find(*topic.name); before != topics_.end()) keep_newer(before->second, state);
    topics.emplace(*topic.name, std::move(state));
  }
  brokers_ = std::move(brokers);
  topics_ = std::move(topics);
  cluster_id_ = response.cluster_id.value_or("");
  controller_ = response.controller_id;
  at_ = now;
  return true;
}

const PartitionState* Metadata::find(std::string_view topic, PartitionIndex partition) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition.value() < 0) return nullptr;
  const auto index = static_cast<std::size_t>(partition.value());
  return index < found->second.partitions.size() ? &found->second.partitions[index] : nullptr;
}

}  // namespace edgelog::client

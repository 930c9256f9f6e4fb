#pragma once
// What a client knows of a cluster: brokers, topics, leaders. For one topic id a leader epoch does not go
// back at once, since a broker may lag behind (KIP-320); it does if answer after answer says so, since a
// log may have been put back to an older state.
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/port/links.h"
#include "common/wire/errors.h"
#include "common/wire/metadata.h"

namespace edgelog::client {

struct PartitionState {
  NodeId leader{-1};  // -1: none now
  LeaderEpoch leader_epoch{-1};
  std::uint8_t older_answers = 0;  // in a row, that told an older epoch
  std::size_t replicas = 0;        // that it is meant to have
};

struct TopicState {
  Uuid id{};
  bool internal = false;
  wire::ErrorCode error = wire::ErrorCode::none;
  std::vector<PartitionState> partitions;  // by index
};

class Metadata {
 public:
  // Replaces everything by an answer for all topics. False, and nothing changed, if it has no brokers or a
  // topic's partitions are not 0..n-1.
  bool take(const wire::MetadataResponse& response, Instant now);

  bool known() const { return !brokers_.empty(); }
  Instant at() const { return at_; }
  const std::string& cluster_id() const { return cluster_id_; }
  NodeId controller() const { return controller_; }
  const std::map<NodeId, Address>& brokers() const { return brokers_; }
  const std::map<std::string, TopicState, std::less<>>& topics() const { return topics_; }
  // Null if the topic or the partition is not known.
  const PartitionState* find(std::string_view topic, PartitionIndex partition) const;

 private:
  std::map<NodeId, Address> brokers_;
  std::map<std::string, TopicState, std::less<>> topics_;
  std::string cluster_id_;
  NodeId controller_{-1};
  Instant at_{};
};

}  // namespace edgelog::client

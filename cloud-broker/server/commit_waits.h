#pragma once
// What waits until a partition is committed up to some offset: answers to Produce, to commits of groups, to
// changes of metadata. Shard thread only.
#include <functional>
#include <map>

#include "cloud-broker/partition/partition.h"

namespace edgelog::broker {

class CommitWaits {
 public:
  using Done = std::function<void(bool committed)>;  // false: the partition is gone

  // Calls `done` at once where `at` is committed already.
  void when(const Partition& partition, Offset at, Done done);
  void advanced(const Partition& partition);
  void removed(const PartitionId& partition);
  std::size_t waiting() const { return count_; }

 private:
  std::map<PartitionId, std::multimap<Offset, Done>> waits_;
  std::size_t count_ = 0;
};

}  // namespace edgelog::broker

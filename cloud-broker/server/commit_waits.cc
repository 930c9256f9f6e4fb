#include "cloud-broker/server/commit_waits.h"

#include <utility>

namespace edgelog::broker {

void CommitWaits::when(const Partition& partition, Offset at, Done done) {
  if (partition.committed() >= at) return done(true);
  waits_[partition.id()].emplace(at, std::move(done));
  ++count_;
}

void CommitWaits::advanced(const Partition& partition) {
  const auto found = waits_.find(partition.id());
  if (found == waits_.end()) return;
  auto& waits = found->second;
  std::multimap<Offset, Done> ready;  // a callback may come back to us
  while (!waits.empty() && waits.begin()->first <= partition.committed()) ready.insert(waits.extract(waits.begin()));
  if (waits.empty()) waits_.erase(found);
  count_ -= ready.size();
  for (auto& [at, done] : ready) done(true);
}

void CommitWaits::removed(const PartitionId& partition) {
  const auto node = waits_.extract(partition);
  if (node.empty()) return;
  count_ -= node.mapped().size();
  for (auto& [at, done] : node.mapped()) done(false);
}

}  // namespace edgelog::broker

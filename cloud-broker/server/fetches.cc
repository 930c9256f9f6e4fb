#include "cloud-broker/server/fetches.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace edgelog::broker {

void Fetches::park(ConnectionId connection, std::vector<const Partition*> watched, std::int64_t wanted_bytes,
                   Instant deadline, Attempt attempt) {
  const Number number = next_++;
  Parked parked{connection, {}, {}, wanted_bytes, deadline, std::move(attempt)};
  for (const Partition* partition : watched) {
    parked.watched.push_back(partition->id());
    // What is appended but not committed yet must still count as growth when it is: then the next advance
    // looks for itself.
    const bool settled = partition->committed() == partition->end();
    parked.sizes[partition->id()] = settled ? partition->size_bytes() : 0;
    watchers_[partition->id()].insert(number);
    // What is appended and not committed yet is not among the bytes seen, and counts in the size already.
    if (partition->end() > partition->committed()) parked.wanted_bytes = 0;
  }
  deadlines_.emplace(deadline, number);
  watched_ += parked.watched.size();
  parked_.emplace(number, std::move(parked));
}

void Fetches::drop(Number number) {
  auto node = parked_.extract(number);
  ASSERT(!node.empty());
  for (const PartitionId& id : node.mapped().watched) {
    const auto at = watchers_.find(id);
    if (at == watchers_.end()) continue;
    at->second.erase(number);
    if (at->second.empty()) watchers_.erase(at);
  }
  watched_ -= node.mapped().watched.size();
  deadlines_.erase({node.mapped().deadline, number});
}

void Fetches::answer(Number number) {
  const Attempt attempt = parked_.at(number).attempt;
  drop(number);
  const bool answered = attempt(true);
  ASSERT(answered);
}

void Fetches::advanced(const Partition& partition) {
  const auto at = watchers_.find(partition.id());
  if (at == watchers_.end()) return;
  const std::vector<Number> numbers(at->second.begin(), at->second.end());
  for (const Number number : numbers) {
    const auto found = parked_.find(number);
    if (found == parked_.end()) continue;
    Parked& parked = found->second;
    // Cheap first: a fetch that waits for a megabyte is not read again for every record.
    std::uint64_t& size_then = parked.sizes[partition.id()];
    const std::uint64_t size_now = partition.size_bytes();
    if (size_now > size_then) {
      parked.wanted_bytes -= static_cast<std::int64_t>(size_now - size_then);
    }
    size_then = size_now;
    if (parked.wanted_bytes > 0) continue;
    const Attempt attempt = parked.attempt;
    if (attempt(false)) drop(number);
  }
}

void Fetches::removed(const PartitionId& partition) {
  const auto at = watchers_.find(partition);
  if (at == watchers_.end()) return;
  const std::vector<Number> numbers(at->second.begin(), at->second.end());
  for (const Number number : numbers) answer(number);
}

void Fetches::closed(ConnectionId connection) {
  std::vector<Number> numbers;
  for (const auto& [number, parked] : parked_) {
    if (parked.connection == connection) numbers.push_back(number);
  }
  for (const Number number : numbers) drop(number);
}

void Fetches::tick(Instant now) {
  while (deadline() <= now) answer(deadlines_.begin()->second);
}

void Fetches::answer_all() {
  while (!parked_.empty()) answer(parked_.begin()->first);
}

}  // namespace edgelog::broker

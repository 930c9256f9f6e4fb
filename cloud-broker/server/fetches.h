#pragma once
// Fetch requests that wait for data: parked with what they want, looked at again when a partition's
// committed offset moves, answered with what there is when their time is over. Shard thread only.
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "cloud-broker/partition/partition.h"
#include "cloud-broker/server/context.h"

namespace edgelog::broker {

class Fetches {
 public:
  // Tries to answer: true if it did. `last`: its time is over, so it must.
  using Attempt = std::function<bool(bool last)>;

  // `wanted_bytes`: looked at again only when the watched partitions have grown by that much together.
  void park(ConnectionId connection, std::vector<const Partition*> watched, std::int64_t wanted_bytes, Instant deadline,
            Attempt attempt);
  void advanced(const Partition& partition);
  void removed(const PartitionId& partition);  // whoever watches it is answered
  void closed(ConnectionId connection);        // nobody reads the answer any more
  void tick(Instant now);
  void answer_all();  // before the process ends
  Instant deadline() const { return deadlines_.empty() ? never : deadlines_.begin()->first; }
  std::size_t waiting() const { return parked_.size(); }
  std::size_t watched() const { return watched_; }  // partitions, of all that wait

 private:
  using Number = std::uint64_t;
  struct Parked {
    ConnectionId connection;
    std::vector<PartitionId> watched;
    std::map<PartitionId, std::uint64_t> sizes;  // when it was parked
    std::int64_t wanted_bytes = 1;
    Instant deadline;
    Attempt attempt;
  };
  void drop(Number number);
  void answer(Number number);

  std::map<Number, Parked> parked_;
  std::map<PartitionId, std::set<Number>> watchers_;
  std::set<std::pair<Instant, Number>> deadlines_;
  Number next_ = 0;
  std::size_t watched_ = 0;
};

}  // namespace edgelog::broker

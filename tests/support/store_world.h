#pragma once
// A store on a simulated disk, with a clock moved by hand.
#include <memory>
#include <vector>

#include "cloud-broker/partition/store.h"
#include "tests/support/batches.h"
#include "tests/support/sim_disk.h"

namespace edgelog::testing {

inline broker::PartitionId partition_id(int number) {
  broker::PartitionId id;
  id.topic[15] = static_cast<std::byte>(number);
  return id;
}

std::vector<std::int64_t> offsets_of(Bytes batches);  // base offsets
std::int64_t read_all(broker::Partition& partition);  // number of offsets read from log start to committed

class StoreWorld {
 public:
  StoreWorld();
  void open();
  void kill();
  void power_cut(Survival survival);
  void close();
  broker::Partition& create(int number, const broker::TopicSettings& settings = {});
  broker::AppendResult append(broker::Partition& partition, const BatchSpec& spec);
  void commit();              // ends the turn and completes every sync
  void tick(Duration later);  // moves both clocks, ticks, and completes every sync
  void idle_checkpoint();
  void complete_background();           // every sync but the one of the round that is under way
  void checkpoint_while_round_waits();  // then ends the round too

  SimDisk disk;
  broker::StoreConfig config;
  std::unique_ptr<broker::Store> store;
  bool fatal = false;
  std::vector<broker::Partition*> advanced;  // of the latest commit
  Instant now{1'000'000'000};
  WallMillis wall{1'700'000'000'000};
  Prng random{1};
};

}  // namespace edgelog::testing

#pragma once
// The controller's driver: its decisions become records of `__cluster_metadata`, partitions in the store, and
// an answer once all is durable. Shard thread only.
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cloud-broker/controller/controller.h"
#include "cloud-broker/partition/store.h"
#include "cloud-broker/server/commit_waits.h"
#include "cloud-broker/server/internal_log.h"
#include "common/base/prng.h"

namespace edgelog::broker {

class MetadataLog {
 public:
  // What others must do when a topic's partitions are about to go.
  using Removed = std::function<void(const Topic&)>;

  using Owes = std::function<bool(const std::string&)>;  // something of a removed topic of this name is still there
  MetadataLog(Store& store, CommitWaits& waits, InternalLog& log, Controller& controller, Prng& prng, Removed removed,
              Owes owes);

  // Opens or makes the log, replays it, and brings the store's partitions in line with it: those it does not
  // know go (a creation that was never committed, a deletion that was), those it misses are made.
  Status start(WallMillis wall);

  using Done = std::function<void(wire::ErrorCode error, std::string message)>;
  // Does what was decided; `done` is called once it is durable, or refused. At once where `decision` refuses. A topic
  // whose predecessor of the same name is being deleted is made after that, and after what belonged to that one went: a
  // start would give it to the successor.
  void perform(MetadataDecision decision, WallMillis wall, Done done);
  // A producer id, once it is certain never to be given out again.
  void producer_id(WallMillis wall, std::function<void(wire::ErrorCode, ProducerId)> done);

  Uuid fresh_id();
  // Removals whose record is committed take place here, outside of the store's own callbacks.
  void end_of_turn(WallMillis wall);
  Partition& partition() { return *partition_; }

 private:
  Status create_partitions(const Topic& topic, std::int32_t from);
  void remove_partitions(const Topic& topic, std::int32_t from);
  Status align_store();
  wire::ErrorCode append(const MetadataRecord& record, WallMillis wall, Offset& commit_at);

  Store& store_;
  CommitWaits& waits_;
  InternalLog& log_;
  Controller& controller_;
  Prng& prng_;
  Removed removed_;
  Owes owes_;
  Partition* partition_ = nullptr;
  Offset ids_claimed_at_{0};  // commit_at of the last claim of producer ids
  struct Postponed {
    TopicRecord record;
    Done done;
  };

  std::set<std::string> leaving_;  // from the record of a deletion to the end of `removed_`
  std::vector<Topic> to_remove_;   // of these, whose record is committed
  std::vector<Postponed> postponed_;
};

}  // namespace edgelog::broker

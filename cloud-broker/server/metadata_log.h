#pragma once
// The controller's driver: its decisions become records of `__cluster_metadata`, partitions in the store, and
// an answer once all is durable. Shard thread only.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cloud-broker/controller/controller.h"
#include "cloud-broker/partition/store.h"
#include "cloud-broker/server/commit_waits.h"
#include "cloud-broker/server/internal_log.h"
#include "common/base/prng.h"

namespace edgelog::broker {

// Of a removed topic: nothing; all will be gone once it is durable; or the disk refuses to write that it is gone.
enum class Remains { nothing, on_their_way, unwritten };

class MetadataLog {
 public:
  // What others must do when a topic's partitions are about to go.
  using Removed = std::function<void(const Topic&)>;

  // What a start would bring back of a removed topic of this name.
  using RemainsOf = std::function<Remains(const std::string&)>;
  MetadataLog(Store& store, CommitWaits& waits, InternalLog& log, Controller& controller, Prng& prng, Removed removed,
              RemainsOf remains_of);

  // Opens or makes the log, replays it, and brings the store's partitions in line with it: those it does not
  // know go (a creation that was never committed, a deletion that was), those it misses are made.
  Status start(WallMillis wall);

  using Done = std::function<void(wire::ErrorCode error, std::string message)>;
  // Does what was decided; `done` is called once it is durable, or refused. At once where `decision` refuses. A topic
  // whose predecessor of the same name is being deleted is made after that, and after it is durable that what belonged
  // to that one went: a start would give it to the successor.
  void perform(MetadataDecision decision, WallMillis wall, Done done);
  // A producer id, once it is certain never to be given out again.
  void producer_id(WallMillis wall, std::function<void(wire::ErrorCode, ProducerId)> done);

  // Up to where this log must be committed before what it says of a topic may be told to anybody.
  Offset told_from(const std::string& topic) const;

  Uuid fresh_id();
  // Removals whose record is committed take place here, outside of the store's own callbacks.
  void end_of_turn(WallMillis wall);
  Partition& partition() { return *partition_; }

 private:
  // A creation, until nothing remains of its predecessor.
  void postpone(const TopicRecord& record, Done done);
  // The record of a topic, its partitions before it, and the answer once it is committed.
  void write(const TopicRecord& record, WallMillis wall, Done done);
  Status create_partitions(const Topic& topic, std::int32_t from);
  void remove_partitions(const Topic& topic, std::int32_t from);
  Status align_store();
  void apply_settings(const Topic& topic);
  wire::ErrorCode append(const MetadataRecord& record, WallMillis wall, Offset& commit_at);

  Store& store_;
  CommitWaits& waits_;
  InternalLog& log_;
  Controller& controller_;
  Prng& prng_;
  Removed removed_;
  RemainsOf remains_of_;
  Partition* partition_ = nullptr;
  Offset ids_claimed_at_{0};  // commit_at of the last claim of producer ids
  struct Postponed {
    TopicRecord record;
    Done done;
  };

  Remains remains(const std::string& name) const;

  std::set<std::string> leaving_;              // from the record of a deletion to the end of `removed_`
  std::map<std::string, Offset> uncommitted_;  // the end of the latest record of each topic
  std::vector<Topic> to_remove_;               // of these, whose record is committed
  std::vector<Postponed> postponed_;
};

}  // namespace edgelog::broker

#pragma once
// All partitions of one shard on one data directory: identity, recovery, commit rounds, journal, checkpoints,
// retention, compaction. docs/FORMATS.md, "Broker's data directory", says what lies there. Shard thread only.
//
// The driver's duties: after every loop turn in which something was appended, created, removed or changed:
// end_of_turn(). When deadline() has come: tick(). On SIGTERM: close(), and leave when it is done. When `on_fatal` is
// called (a sync or write failed): leave the process with code 70 at once, answering nobody.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cloud-broker/partition/partition.h"
#include "common/base/ids.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/port/disk.h"

namespace edgelog::broker {

struct StoreConfig {
  // Used only when the directory is new; afterwards what lies there counts. A node id that differs is refused.
  std::string cluster_id;  // Kafka's 22 characters of base64url; empty: made from `fresh`
  NodeId node{0};
  Uuid fresh{};  // 16 random bytes for a new directory's id

  std::uint64_t journal_file_bytes = 8u << 20;
  std::uint32_t journal_files = 4;              // the ring: at most that many
  std::uint64_t direct_bytes = 256u << 10;      // a partition with that much in a round syncs its segment instead
  std::uint32_t direct_partitions_max = 4;      // but no more of them than that in a round
  std::uint64_t pending_bytes_max = 64u << 20;  // appended and not yet handed to the disk
  std::uint64_t free_bytes_min = 32u << 20;     // kept free for deletion and checkpoints; appends are refused below
  std::uint32_t open_files_max = 512;           // descriptors of segments; at least 64
  std::size_t producer_ids_max = 2'000'000;     // of all partitions; the longest idle go first
  Duration agent_producer_memory = seconds(90ll * 86'400);
  Duration producer_memory = seconds(86'400);   // of ids that a cluster handed out
  Duration checkpoint_idle = seconds(2);        // after so long without a round, segments are synced
  Duration maintenance_interval = seconds(30);  // retention, expiry, compaction
};

struct StoreIdentity {
  std::string cluster_id;
  NodeId node;
  Uuid directory{};
  LeaderEpoch epoch;  // of this start: every partition's leader epoch
};

struct StoreEvents {
  // These partitions' committed() advanced. Called from a disk completion, or from end_of_turn().
  std::function<void(std::span<Partition* const>)> on_committed;
  // Called at most once; nothing more will be committed.
  std::function<void(const Error&)> on_fatal;
};

struct StoreMetrics {
  Counter rounds, journal_bytes, direct_bytes, appended_bytes, appended_batches, duplicates, refused_full;
  Counter checkpoints, segments_deleted, compactions, producers_evicted, recovered_batches, recovered_cut_bytes;
  Gauge producer_ids, free_bytes, partitions, damaged_partitions, full, pending_bytes;
};

class StoreState;

class Store {
 public:
  // Takes the lock, reads or makes the directory's identity, recovers every partition. Errors: locked (another
  // process), unsupported (made by a newer version, or by another node), corrupt, io, full.
  static Result<std::unique_ptr<Store>> open(port::Disk& disk, StoreConfig config, StoreEvents events, Instant now);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const StoreIdentity& identity() const;

  // The partition must not exist. Durable with the next round, before anything that is appended to it.
  // Code::full: refused for space. Code::exists; also for a moment after one of that id was removed: until a
  // checkpoint, which a refused call begins, has left it behind.
  Result<Partition*> create(const PartitionId& id, const TopicSettings& settings);
  Partition* find(const PartitionId& id);  // nullptr: none
  // Gone for callers at once, on disk with the next round. Pointers to it are dead on return.
  void remove(const PartitionId& id);
  std::vector<Partition*> all();  // by id

  void end_of_turn();
  // Maintenance whose time has come. `wall` feeds retention and expiry.
  void tick(Instant now, WallMillis wall);
  Instant deadline() const;
  // Makes everything appended so far durable, segments and checkpoint included, so that the next start has nothing
  // to recover; then calls `done`. Nothing may be appended after the call. The loop must go on until then.
  void close(std::function<void(Status)> done);

  // Makes `done` run once all that was appended, created or removed so far is durable.
  void when_durable(std::function<void()> done);

  bool full() const;    // appends are refused for space
  bool failed() const;  // after on_fatal
  const StoreMetrics& metrics() const;

 private:
  explicit Store(std::unique_ptr<StoreState> state);
  std::unique_ptr<StoreState> state_;
};

}  // namespace edgelog::broker

#pragma once
// The Store's inside: rounds, checkpoints, recovery, maintenance. Shard thread only.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "cloud-broker/log/manifest.h"
#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/context.h"
#include "cloud-broker/partition/partition_log.h"

namespace edgelog::broker {

class StoreState {
 public:
  StoreState(port::Disk& disk, StoreConfig config, StoreEvents events);
  ~StoreState();

  Status open(Instant now);
  Result<Partition*> create(const PartitionId& id, const TopicSettings& settings);
  Partition* find(const PartitionId& id);
  void remove(const PartitionId& id);
  void start_round();
  void when_durable(std::function<void()> done);
  void tick(Instant now, WallMillis wall);
  Instant deadline() const;
  void close(std::function<void(Status)> done);
  bool failed() const { return failed_; }

  StoreContext context;
  std::map<PartitionId, std::unique_ptr<Partition>> partitions;

 private:
  // Rounds (rounds.cc).
  struct RoundPart {
    PartitionLog* log = nullptr;
    Offset end;
    std::vector<std::pair<Offset, std::uint64_t>> direct;  // segments and bytes of them that the round's sync covers
  };
  struct Round {
    std::vector<RoundPart> parts;
    std::vector<std::string> doomed;
    std::vector<std::function<void()>> waiters;
  };
  struct RoundPlan {
    disklog::RoundContents contents;
    std::vector<Bytes> payload;
    std::vector<RoundPart> parts;
    std::vector<std::size_t> chunks;  // taken of each part
    std::vector<port::FileId> files;
    std::vector<std::string> directories;
    std::uint64_t inline_bytes = 0;
    std::size_t direct_files = 0;
  };
  RoundPlan plan_round();
  bool plan_part(RoundPlan& plan, PartitionLog& log, std::uint32_t& direct_count);
  Status write_segments(RoundPlan& plan);
  Status name_direct(RoundPlan& plan);
  void begin_round(RoundPlan plan);
  void end_round(Status status);
  void remove_doomed(const std::vector<std::string>& doomed);
  void trouble(const Error& error);  // full: wait for space; else the end
  void fail(Error error);
  void sweep();

  // Checkpoints (checkpoint.cc).
  struct CheckpointRun {
    std::uint64_t id = 0;
    std::uint64_t round = 0;
    std::vector<disklog::FlushedPosition> positions;
    struct Written {
      PartitionLog* log;
      Offset snapshot;  // newest that it names
      int first;        // copy to be written first
      Buffer bytes;     // sealed
    };
    std::vector<Written> manifests;
    Buffer checkpoint;  // sealed
    std::vector<std::function<void()>> when_synced;
    std::size_t outstanding = 0;
    int stage = 0;
  };
  void begin_checkpoint(bool clean = false);
  // `removed`: tells whether the partition was meanwhile, with the directories that are its own.
  void sync_in_background(std::vector<port::FileId> files, std::vector<std::string> directories,
                          std::function<bool()> removed = {});
  void checkpoint_synced();
  void checkpoint_stage();
  void sync_segments(PartitionLog& log);
  disklog::FlushedPosition flushed_position(const PartitionLog& log) const;
  // turn 0: the copy that may be lost; 1: the other one, once that is synced.
  Status write_manifests(int turn);
  Status write_checkpoint(int turn);
  void manifests_synced(int turn);
  void end_checkpoint();
  void abandon_checkpoint(const Error& error);
  bool anything_dirty() const;
  void advance_close();

  // Recovery (recovery.cc, recover_partition.cc) and identity (identity.cc).
  Status open_identity();
  Status recover();
  Result<disklog::Checkpoint> read_checkpoint();
  Status recover_partitions(const disklog::Checkpoint& from, const disklog::JournalFound& found);
  Status write_recovered();

  void maintain(WallMillis wall);

  // Of a removed partition, until no journal tells of it and no power cut brings its files back: a start would take one
  // made of the same id meanwhile for the one that went.
  struct Removal {
    std::uint64_t round = 0;  // durable since; 0: not yet
    bool asked = false;       // a checkpoint is to end it, since somebody wants the id
  };

  port::Disk& disk_;
  StoreEvents events_;
  std::unique_ptr<disklog::Journal> journal_;
  std::vector<std::unique_ptr<Partition>> graveyard_;
  std::map<PartitionId, Removal> removed_;
  std::optional<Round> round_;
  std::vector<std::function<void()>> waiters_;  // for the next round
  std::optional<CheckpointRun> checkpoint_;
  bool checkpoint_again_ = false, checkpoint_clean_ = false;
  bool blocked_ = false;  // a round waits for room in the journal
  bool failed_ = false, closing_ = false, closed_ = false, maybe_dirty_ = true, no_checkpoint_ = false;
  bool checkpoint_twice_ = false;  // as it was read at the start
  disklog::Twins checkpoint_twins_;
  std::function<void(Status)> when_closed_;
  std::uint64_t checkpoint_ids_ = 0;
  std::uint64_t durable_round_ = 0, checkpoint_sequence_ = 0, rounds_at_tick_ = 0, bytes_at_checkpoint_ = 0;
  Instant next_idle_check_{}, next_maintenance_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace edgelog::broker

#pragma once
// The state of one partition and what can be done to it; the Store drives it. See README.md for the invariants.
// Shard thread only.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cloud-broker/log/manifest.h"
#include "cloud-broker/log/sealed.h"
#include "cloud-broker/log/segment_index.h"
#include "cloud-broker/partition/context.h"
#include "cloud-broker/partition/partition.h"
#include "cloud-broker/producers/producers.h"

namespace edgelog::broker {

struct Segment {
  disklog::SegmentInfo info;  // of the active one too, as appended
  disklog::FileCache::Key key = 0;
  std::uint64_t reserved = 0;                    // bytes of the file that have room on the disk
  std::uint64_t synced = 0;                      // bytes known to be durable in the segment itself
  bool named = false;                            // its directory entry is durable
  std::unique_ptr<disklog::SegmentIndex> index;  // of closed ones: loaded on use
  bool index_rebuilt = false;                    // from the segment, since a walk that began at its index failed
};

using LatestOffsets = std::map<std::string, Offset, std::less<>>;  // by record key

class PartitionLog {
 public:
  PartitionLog(StoreContext& context, PartitionId partition) : id(partition), context_(context) {}

  // Partition's calls; partition.h says what they do.
  AppendResult append(MutableBytes batch, Appender appender, WallMillis wall);
  ReadResult read(Offset from, std::size_t bytes_max, bool at_least_one, Offset limit);
  LeaderEpoch leader_epoch() const { return context_.identity.epoch; }
  EpochEnd end_offset_for_epoch(LeaderEpoch epoch) const;
  LeaderEpoch epoch_at(Offset offset) const;
  TimedOffset offset_for_time(std::int64_t timestamp, Offset limit);
  TimedOffset max_timestamp(Offset limit);
  bool delete_records(Offset offset);
  std::uint64_t size_bytes() const;

  // The Store's.
  Segment& active() { return segments.back(); }
  const Segment& active() const { return segments.back(); }
  Status add_segment(Offset base, std::uint32_t version);
  Status roll(std::int64_t append_ms);
  void retain(WallMillis wall);  // retention by time and size; rolls what is old
  void expire_producers(WallMillis wall);
  void evict_producers(std::size_t count);
  void trim();  // lets go of segments below log_start
  void set_log_start(Offset offset);
  Status compact(WallMillis wall);  // a pass over the closed segments, if it is worth one
  void damage(std::string why);
  disklog::Manifest manifest() const;
  void restore(disklog::Manifest from);  // all but sizes of the active segment, producers and end
  // The batch stands in the log.
  void note_batch(Segment& segment, const record::BatchHeader& header, std::uint64_t position, bool with_producers);
  void apply_horizons(Offset before);  // those at `before` or earlier that were not applied yet
  Result<port::FileId> file(Segment& segment, port::OpenMode mode = port::OpenMode::existing);
  std::uint64_t disk_bytes(const Segment& segment) const;  // of its file, written so far
  Result<disklog::SegmentIndex*> index_of(Segment& segment);
  std::string path() const { return disklog::partition_path(id); }
  std::string segment_path(const disklog::SegmentInfo& info) const;
  std::string snapshot_path(Offset end) const;
  // Whether it was removed by then; may be asked when it is no more.
  std::function<bool()> removal() const;
  void forget_files();  // closes descriptors, of a partition that goes
  Segment* find_segment(Offset base);
  Offset newest_snapshot() const { return snapshots.empty() ? Offset{-1} : snapshots.back(); }
  Status write_snapshot();
  Status write_ending();  // snapshot and index of the active segment, before a clean end

  PartitionId id;
  TopicSettings settings;
  std::string why_damaged;
  Partition* facade = nullptr;
  bool removed = false;

  std::vector<Segment> segments;  // by base, never empty but in recovery
  Offset log_start, end, flushed, committed;
  std::vector<disklog::EpochStart> epochs;
  std::vector<disklog::TimeMark> marks;
  std::vector<disklog::ProducerHorizon> horizons;
  std::size_t horizons_applied = 0;  // in recovery
  Producers producers;
  std::vector<Offset> snapshots;  // in files; the last may not be durable yet
  Offset durable_snapshot{-1};    // those up to it are on the disk, and so is what they tell of
  Offset confirmed_snapshot{-1};  // and a durable manifest names this one
  bool trim_waits = false;        // segments below log start wait for a checkpoint to confirm a snapshot
  std::uint64_t bytes_since_snapshot = 0;
  std::uint32_t next_version = 1;
  Offset compacted_through;
  int compacting = 0;  // new files that are being synced

  std::vector<PendingChunk> pending;
  std::uint64_t pending_bytes = 0;
  std::uint64_t manifest_sequence = 0;  // of the newest written
  disklog::Twins manifest_twins;
  bool manifest_dirty = true;  // the manifest lacks something that the journal has
  bool segments_dirty = true;  // segments hold something that no checkpoint covers
  bool touched = false;        // since it was opened
  bool named = false;          // the directory's own entry is durable

 private:
  struct Spot {
    std::size_t segment = 0;  // number in segments
    std::uint64_t position = 0;
    Offset offset;  // of the batch there
  };
  struct ReadHint {
    disklog::FileCache::Key key = 0;
    std::uint64_t position = 0;
    Offset offset;
  };
  std::int16_t make_room(std::uint64_t bytes, std::int64_t append_ms);
  void write_index(const Segment& segment);
  bool must_roll(std::uint64_t bytes, Offset last, std::int64_t append_ms);
  void take(MutableBytes batch, const record::BatchHeader& header, std::int64_t append_ms);
  void mark_time(std::int64_t append_ms);
  std::size_t segment_holding(Offset offset) const;
  Result<std::optional<Spot>> find_batch(Offset from);
  Result<std::optional<Spot>> find_in(std::size_t number, Offset from);
  bool doubt_index(Segment& segment);
  Result<std::optional<Buffer>> cut(const Spot& spot, std::size_t bytes_max, bool at_least_one, Offset limit,
                                    Offset& next);
  std::string judge(Bytes batch, const record::BatchHeader& header, Offset due, bool holes) const;
  Result<TimedOffset> record_for_time(std::size_t segment, std::uint64_t position, std::int64_t timestamp,
                                      Offset limit);
  std::int16_t failed(const Error& error);
  Offset expiry_horizon(Duration memory, WallMillis wall) const;
  void forget_producers(ProducerKind kind, Offset before);

  bool worth_compacting() const;
  Status rewrite_group(Offset base, Offset group_end, WallMillis wall, const LatestOffsets& latest);
  void swap_in(const disklog::SegmentInfo& info, const std::vector<std::uint32_t>& versions);
  Status broken(const Error& error);
  void end_pass();
  struct Pass {  // of compaction
    Offset through;
    bool begun = false, whole = true;  // begun: all of its files are written
  };

  StoreContext& context_;
  Pass pass_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  ReadHint hints_[4];
  std::size_t next_hint_ = 0;
};

}  // namespace edgelog::broker

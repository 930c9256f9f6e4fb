// A checkpoint lets the journal forget: (1) what segments and snapshots hold is synced, (2, 3) the manifests that
// changed are written twice, (3, 4) and so is the list of positions. Then the journal's files may be used again.
// It runs beside the rounds. A crash in between leaves the journal as it was, so all of it is done again.
#include <algorithm>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/store_state.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {

bool StoreState::anything_dirty() const {
  if (!maybe_dirty_) return false;
  for (const auto& [id, partition] : partitions) {
    if (partition->log().segments_dirty || partition->log().manifest_dirty) return true;
  }
  return false;
}

void StoreState::begin_checkpoint(bool clean) {
  if (failed_) return;
  if (checkpoint_) {
    checkpoint_again_ = true;
    return;
  }
  checkpoint_ = CheckpointRun{};  // clang cannot emplace a nested class with member initialisers here
  checkpoint_->id = ++checkpoint_ids_;
  checkpoint_clean_ = clean;
  checkpoint_->round = durable_round_;
  checkpoint_->outstanding = 1;  // this function
  bytes_at_checkpoint_ = context.metrics.appended_bytes.value();
  for (auto& [id, partition] : partitions) {
    PartitionLog& log = partition->log();
    checkpoint_->positions.push_back(flushed_position(log));
    if (log.segments.empty()) continue;
    if (log.segments_dirty || log.manifest_dirty) sync_segments(log);
    if (failed_) return;
  }
  // Removed partitions: their directories were deleted when the removal became durable. Those of this round or earlier
  // are over when the checkpoint is: see removed_.
  sync_in_background({}, {std::string(disklog::partitions_directory)});
  checkpoint_synced();
}

disklog::FlushedPosition StoreState::flushed_position(const PartitionLog& log) const {
  disklog::FlushedPosition out;
  out.partition = log.id;
  if (log.segments.empty()) return out;  // damaged beyond a manifest
  const Segment* segment = &log.segments.back();
  out.end = log.end;
  if (!log.pending.empty()) {
    out.end = log.pending.front().base;
    segment = const_cast<PartitionLog&>(log).find_segment(log.pending.front().segment);
    ASSERT(segment != nullptr);  // S6
  }
  out.segment = segment->info.base;
  out.version = segment->info.version;
  out.position = log.disk_bytes(*segment);
  out.first_append_ms = segment->info.first_append_ms;
  out.last_append_ms = segment->info.last_append_ms;
  return out;
}

void StoreState::sync_in_background(std::vector<port::FileId> files, std::vector<std::string> directories,
                                    std::function<bool()> removed) {
  ++checkpoint_->outstanding;
  disk_.sync(std::move(files), std::move(directories), port::Urgency::background,
             [this, alive = alive_, run = checkpoint_->id, removed = std::move(removed)](Status status) {
               if (!*alive || failed_) return;
               const bool gone = !status && status.error().code == Code::not_found && removed && removed();
               if (!status && !gone) return fail(std::move(status).error());
               if (checkpoint_ && checkpoint_->id == run) checkpoint_synced();  // not one that was given up
             });
}

void StoreState::sync_segments(PartitionLog& log) {
  log.segments_dirty = !log.pending.empty();
  std::vector<std::string> directories{log.path()};
  if (!log.named) directories.emplace_back(disklog::partitions_directory);
  for (auto& segment : log.segments) {
    const std::uint64_t bytes = log.disk_bytes(segment);
    if (segment.named && segment.synced >= bytes) continue;
    auto file = log.file(segment);
    if (!file) return fail(std::move(file).error());
    sync_in_background({*file}, segment.named ? std::vector<std::string>{} : directories, log.removal());
    checkpoint_->when_synced.push_back([&log, base = segment.info.base, version = segment.info.version, bytes] {
      Segment* const synced = log.removed ? nullptr : log.find_segment(base);
      if (synced == nullptr || synced->info.version != version) return;
      synced->synced = std::max(synced->synced, bytes);
      synced->named = log.named = true;
    });
  }
  // A snapshot counts once it and all that it tells of are durable.
  const Offset written = log.pending.empty() ? log.end : log.pending.front().base;
  Offset newest = log.durable_snapshot;
  for (const Offset snapshot : log.snapshots) {
    if (snapshot <= log.durable_snapshot || snapshot > written) continue;
    auto file = disk_.open(log.snapshot_path(snapshot), port::OpenMode::existing);
    if (!file) return fail(std::move(file).error());
    sync_in_background({*file}, directories, log.removal());
    disk_.close(*file);
    newest = snapshot;
  }
  checkpoint_->when_synced.push_back([&log, newest] { log.durable_snapshot = std::max(log.durable_snapshot, newest); });
}

void StoreState::checkpoint_synced() {
  if (failed_ || --checkpoint_->outstanding > 0) return;
  ++checkpoint_->stage;
  ++checkpoint_->outstanding;
  checkpoint_stage();
}

void StoreState::checkpoint_stage() {
  Status written = Ok{};
  switch (checkpoint_->stage) {
    case 1:
      for (auto& done : std::exchange(checkpoint_->when_synced, {})) done();
      written = write_manifests(0);
      break;
    case 2:
      manifests_synced(0);
      written = write_manifests(1);
      if (written) written = write_checkpoint(0);
      break;
    case 3:
      manifests_synced(1);
      checkpoint_twins_.kept = checkpoint_twins_.first();
      written = write_checkpoint(1);
      break;
    default: return end_checkpoint();
  }
  if (!written) return abandon_checkpoint(written.error());
  checkpoint_synced();
}

// The copy that is durable must outlive the next write, also when this checkpoint is given up.
void StoreState::manifests_synced(int turn) {
  for (auto& written : checkpoint_->manifests) written.log->manifest_twins.kept = turn == 0 ? written.first : 1;
}

Status StoreState::write_manifests(int turn) {
  if (turn == 0) {
    for (auto& [id, partition] : partitions) {
      PartitionLog& log = partition->log();
      if (!log.manifest_dirty || log.segments.empty()) continue;
      log.manifest_dirty = false;
      checkpoint_->manifests.push_back(
          {&log, log.durable_snapshot, log.manifest_twins.first(),
           disklog::seal(disklog::SealedKind::manifest, ++log.manifest_sequence, disklog::encode(log.manifest()))});
    }
  }
  for (auto& [log, snapshot, first, bytes] : checkpoint_->manifests) {
    if (log->removed) continue;
    const int twin = turn == 0 ? first : 1 - first;
    auto file = disklog::write_file(disk_, disklog::twin_path(log->path() + "/manifest", twin), bytes);
    if (!file) return std::move(file).error();
    std::vector<std::string> directories{log->path()};
    if (!log->named) directories.emplace_back(disklog::partitions_directory);
    sync_in_background({*file}, std::move(directories), log->removal());
    disk_.close(*file);
  }
  return Ok{};
}

Status StoreState::write_checkpoint(int turn) {
  if (turn == 0) {
    disklog::Checkpoint state;
    state.epoch = context.identity.epoch;
    state.round = checkpoint_->round;
    state.generation = journal_->generation();
    state.change = context.last_change;
    state.clean = checkpoint_clean_;
    for (auto& position : checkpoint_->positions) {
      Partition* const partition = find(position.partition);
      if (partition == nullptr) continue;
      position.manifest = std::max<std::uint64_t>(1, partition->log().manifest_sequence);
      state.partitions.push_back(position);
    }
    checkpoint_->checkpoint =
        disklog::seal(disklog::SealedKind::checkpoint, ++checkpoint_sequence_, disklog::encode(state));
  }
  const std::string path = disklog::twin_path(disklog::checkpoint_slots, checkpoint_twins_.first());
  auto file = disklog::write_file(disk_, path, checkpoint_->checkpoint);
  if (!file) return std::move(file).error();
  sync_in_background({*file}, {""});
  disk_.close(*file);
  return Ok{};
}

void StoreState::end_checkpoint() {
  journal_->release(checkpoint_->round);
  checkpoint_twins_ = {};
  std::erase_if(removed_,
                [this](const auto& each) { return each.second.round != 0 && each.second.round <= checkpoint_->round; });
  for (const auto& written : checkpoint_->manifests) written.log->confirmed_snapshot = written.snapshot;
  checkpoint_.reset();
  context.metrics.checkpoints.add();
  for (auto& [id, partition] : partitions) {
    PartitionLog& log = partition->log();
    // Two snapshots are kept: if one cannot be read, the other and the log after it tell the same.
    while (log.snapshots.size() > 2 && log.snapshots[2] <= log.confirmed_snapshot) {
      if (auto removed = disk_.remove(log.snapshot_path(log.snapshots[0])); !removed)
        LOG(warning, "{}", removed.error().what);
      log.snapshots.erase(log.snapshots.begin());
      std::erase_if(log.horizons, [&](const auto& horizon) { return horizon.at < log.snapshots[0]; });
      log.horizons_applied = log.horizons.size();
    }
  }
  maybe_dirty_ = true;
  maybe_dirty_ = anything_dirty();
  sweep();
  if (checkpoint_clean_) {
    closed_ = true;
    if (auto done = std::exchange(when_closed_, {})) done(Ok{});
    return;
  }
  if (std::exchange(checkpoint_again_, false) && !closing_) begin_checkpoint();
  if (std::exchange(blocked_, false)) start_round();
  advance_close();
}

// No space for it: tried again when there is. Nothing was given up: the journal still holds all.
void StoreState::abandon_checkpoint(const Error& error) {
  for (auto& written : checkpoint_->manifests) written.log->manifest_dirty = true;
  for (auto& [id, removal] : removed_) removal.asked = false;
  checkpoint_.reset();
  checkpoint_again_ = false;
  sweep();
  trouble(error);
  if (closing_ && when_closed_) std::exchange(when_closed_, {})(error);
}

void StoreState::close(std::function<void(Status)> done) {
  ASSERT(!closing_);
  closing_ = true;
  when_closed_ = std::move(done);
  if (failed_) return std::exchange(when_closed_, {})(Error{Code::io, "close: the disk has failed"});
  start_round();
  advance_close();
}

// Once all is durable: snapshots and indexes beside the segments, and a checkpoint that says that nothing follows.
void StoreState::advance_close() {
  if (!closing_ || closed_ || failed_ || round_ || checkpoint_) return;
  if (!context.dirty.empty() || !context.pending_meta.empty()) {
    start_round();  // a compaction may have ended meanwhile
    if (!context.full || round_ || checkpoint_) return;
    if (auto done = std::exchange(when_closed_, {}))
      done(Error{Code::full, "close: no space for what was not committed"});
    return;
  }
  for (auto& [id, partition] : partitions) {
    PartitionLog& log = partition->log();
    if (!log.touched || !log.why_damaged.empty()) continue;
    if (auto written = log.write_ending(); !written) LOG(warning, "{}: {}", log.path(), written.error().what);
  }
  begin_checkpoint(true);
}

}  // namespace edgelog::broker

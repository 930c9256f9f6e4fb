// What a start does with a partition that turned out to be damaged.
#include <algorithm>
#include <set>

#include "cloud-broker/partition/recover_partition.h"

namespace edgelog::broker {

// What is damaged is refused as it is: nothing of it goes, and the journal's part of it is kept.
Status PartitionRecovery::settle_damaged() {
  TRY(keep_evidence());
  std::erase_if(context_.doomed, [&](const auto& path) { return path.starts_with(log_.path() + "/"); });
  if (before_.segments.empty()) {
    log_.manifest_dirty = false;  // what is there is evidence
    return Ok{};
  }
  std::string why = log_.why_damaged;
  log_.restore(before_);
  log_.manifest_dirty = why != damage_told_;  // the checkpoint that follows forgets the evidence
  log_.why_damaged = std::move(why);
  log_.end = log_.flushed = log_.committed = std::max(log_.log_start, durable_);
  log_.segments_dirty = false;
  return Ok{};
}

// The checkpoint that follows lets go of the journal, and with it of batches that were acknowledged and stand nowhere
// else: redo() may not have come to them, and what it wrote is in the page cache. So they go to their places whatever
// the damage is, and are synced with all that no checkpoint vouches for.
Status PartitionRecovery::keep_evidence() {
  TRY(context_.disk.make_directory(log_.path()));
  std::set<std::string> files;
  for (const Segment& segment : log_.segments)
    if (!vouched(segment)) files.insert(log_.segment_path(segment.info));
  for (const auto& piece : evidence_.pieces) {
    const auto& entry = *piece.entry;
    if (entry.direct || superseded(entry)) continue;
    auto bytes = payload(piece);
    if (!bytes) return std::move(bytes).error();
    if (!*bytes) continue;  // damaged there too, or of the last round and torn
    const std::string path = log_.path() + "/" + disklog::segment_name(entry.segment, entry.version);
    auto to = context_.disk.open(path, port::OpenMode::existing_or_new);
    if (!to) return std::move(to).error();
    const Bytes all = **bytes;
    auto written = context_.disk.write(*to, entry.position, {&all, 1});
    context_.disk.close(*to);
    if (!written) return written;
    files.insert(path);
  }
  for (const std::string& path : files) {
    auto file = context_.disk.open(path, port::OpenMode::existing);
    if (!file && file.error().code == Code::not_found) continue;
    if (!file) return std::move(file).error();
    auto synced = context_.disk.sync_now(*file);
    context_.disk.close(*file);
    if (!synced) return synced;
  }
  return context_.disk.sync_directory(log_.path());
}

}  // namespace edgelog::broker

// Start of the store: checkpoint, journal, every partition, and a new beginning of all three.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/recover_partition.h"
#include "cloud-broker/partition/store_state.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {

Result<disklog::Checkpoint> StoreState::read_checkpoint() {
  disklog::Checkpoint out;
  auto sealed = disklog::read_twins(disk_, disklog::SealedKind::checkpoint, disklog::checkpoint_slots);
  if (sealed && disklog::decode(sealed->payload, out)) {
    checkpoint_sequence_ = sealed->sequence;
    checkpoint_twice_ = sealed->twice;
    checkpoint_twins_ = {sealed->copy, false};
    return out;
  }
  if (!sealed && sealed.error().code != Code::not_found && sealed.error().code != Code::corrupt)
    return std::move(sealed).error();
  if (sealed || sealed.error().code == Code::corrupt)
    LOG(warning, "no checkpoint can be read: everything that the journal holds is done again");
  no_checkpoint_ = true;
  return disklog::Checkpoint{};
}

Status StoreState::recover() {
  TRY(disk_.make_directory(disklog::partitions_directory));
  TRY(disk_.make_directory(disklog::journal_directory));
  // Names that the last process made may be in the page cache only; from here on they are relied upon.
  for (const auto directory : {std::string_view(), disklog::journal_directory, disklog::partitions_directory})
    TRY(disk_.sync_directory(directory));
  auto from = read_checkpoint();
  if (!from) return std::move(from).error();
  Result<disklog::JournalFound> found = disklog::JournalFound{};
  if (!from->clean) {
    const auto after = no_checkpoint_ ? std::nullopt : std::optional(from->round);
    found = disklog::find_rounds(disk_, context.identity.directory, after);
  }
  if (!found) return std::move(found).error();
  context.last_change = from->change;
  context.identity.epoch = LeaderEpoch{std::max(from->epoch.value(), found->last_epoch.value()) + 1};
  TRY(recover_partitions(*from, *found));
  for (auto& [id, partition] : partitions) {
    const PartitionLog& log = partition->log();
    if (!log.epochs.empty() && log.epochs.back().epoch >= context.identity.epoch)
      context.identity.epoch = LeaderEpoch{log.epochs.back().epoch.value() + 1};
  }
  const std::uint64_t round = std::max(from->round, found->last_round) + 1;
  const std::uint64_t generation = std::max(from->generation, found->last_generation);
  journal_ = std::make_unique<disklog::Journal>(
      disk_,
      disklog::JournalPlace{context.config.journal_file_bytes, context.config.journal_files, context.identity.directory,
                            context.identity.epoch},
      round, generation);
  durable_round_ = round;
  context.metrics.partitions.set(static_cast<std::int64_t>(partitions.size()));
  TRY(write_recovered());
  // Only now: what let them go may have been in the page cache only.
  const auto doomed = std::exchange(context.doomed, {});
  remove_doomed(doomed);
  // One of the same id may be made at once, and must not find the files of the other after a power cut.
  const bool directories =
      std::any_of(doomed.begin(), doomed.end(), [](const auto& path) { return path.ends_with('/'); });
  return directories ? disk_.sync_directory(disklog::partitions_directory) : Status{Ok{}};
}

namespace {

// Of an id that was removed and made again only what follows the removal counts.
void take_change(Evidence& about, const disklog::MetaEntry& change) {
  if (change.kind != static_cast<std::int8_t>(disklog::MetaKind::removed)) return about.changes.push_back(&change);
  about.removed = true;
  about.changes.clear();
  about.pieces.clear();
}

}  // namespace

Status StoreState::recover_partitions(const disklog::Checkpoint& from, const disklog::JournalFound& found) {
  std::map<PartitionId, Evidence> evidence;
  for (const auto& position : from.partitions) evidence[position.partition].checkpoint = position;
  for (const auto& round : found.rounds) {
    for (const auto& change : round.contents.meta) {
      context.last_change = std::max(context.last_change, change.number);
      take_change(evidence[change.partition], change);
    }
    std::uint64_t at = round.payload_at;
    for (const auto& entry : round.contents.data) {
      evidence[entry.partition].pieces.push_back({&round, &entry, at});
      if (!entry.direct) at += entry.bytes;
    }
  }
  auto names = disk_.list(disklog::partitions_directory);
  if (!names) return std::move(names).error();
  for (const auto& name : *names) {
    if (const auto id = disklog::parse_partition_name(name)) evidence[*id];
  }
  const std::uint64_t missing = found.missing.empty() ? 0 : found.missing.back();
  if (missing != 0) LOG(error, "round {} of the journal cannot be read, but later ones can: damage", missing);
  for (auto& [id, about] : evidence) {
    about.clean = from.clean && found.rounds.empty();
    about.checkpoint_twice = checkpoint_twice_;
    about.last_round = found.rounds.empty() ? 0 : found.rounds.back().round;
    about.last_missing = missing;
    const bool removed = about.removed && about.changes.empty() && about.pieces.empty();
    const std::string path = disklog::partition_path(id);
    // Its creation was never durable, so neither was anything in it; or its removal was. Its files may be there.
    const bool made = PartitionRecovery::creation(about) != nullptr;
    const bool untold = !about.checkpoint && !about.removed && !made && missing == 0 && !no_checkpoint_;
    if (removed || untold) {
      context.doomed.push_back(path + "/");
      continue;
    }
    // Made again before a checkpoint had left the earlier one behind.
    about.mixed = about.removed && (about.checkpoint || !made);
    if (about.mixed) about.checkpoint.reset();
    auto log = std::make_unique<PartitionLog>(context, id);
    TRY(PartitionRecovery(context, *log, about).run());
    partitions[id] = std::make_unique<Partition>(std::move(log));
  }
  return Ok{};
}

// From here on nothing of the old journal is needed: the manifests that changed, then the checkpoint, all waited for.
Status StoreState::write_recovered() {
  disklog::Checkpoint state;
  state.epoch = context.identity.epoch;
  state.round = durable_round_;
  state.generation = journal_->generation();
  state.change = context.last_change;
  for (auto& [id, partition] : partitions) {
    PartitionLog& log = partition->log();
    if (log.manifest_dirty && !log.segments.empty()) {
      const Buffer bytes =
          disklog::seal(disklog::SealedKind::manifest, ++log.manifest_sequence, disklog::encode(log.manifest()));
      TRY(disklog::write_twins(disk_, log.path() + "/manifest", log.manifest_twins, bytes));
      TRY(disk_.sync_directory(log.path()));
      log.manifest_dirty = false;
      log.named = true;
    }
    auto position = flushed_position(log);
    position.manifest = std::max<std::uint64_t>(log.segments.empty() ? 1 : 0, log.manifest_sequence);
    state.partitions.push_back(position);
  }
  TRY(disk_.sync_directory(disklog::partitions_directory));
  const Buffer bytes = disklog::seal(disklog::SealedKind::checkpoint, ++checkpoint_sequence_, disklog::encode(state));
  TRY(disklog::write_twins(disk_, disklog::checkpoint_slots, checkpoint_twins_, bytes));
  return disk_.sync_directory("");
}

}  // namespace edgelog::broker

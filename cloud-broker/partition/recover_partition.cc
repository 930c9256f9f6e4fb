#include "cloud-broker/partition/recover_partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cloud-broker/log/sealed.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/record/crc32c.h"

namespace edgelog::broker {

using disklog::MetaKind;

const disklog::MetaEntry* PartitionRecovery::creation(const Evidence& evidence) {
  const auto at = std::find_if(evidence.changes.begin(), evidence.changes.end(), [](const auto* change) {
    return change->kind == static_cast<std::int8_t>(MetaKind::created);
  });
  return at == evidence.changes.end() ? nullptr : *at;
}

Status PartitionRecovery::run() {
  TRY(load_manifest());
  before_ = log_.manifest();
  if (log_.why_damaged.empty() && trusted()) return trust();
  if (log_.why_damaged.empty()) TRY(check_files());
  if (log_.why_damaged.empty()) TRY(redo());
  if (log_.why_damaged.empty()) TRY(load_producers());
  if (log_.why_damaged.empty()) TRY(walk_segments());
  return settle();
}

// ---- manifest and changes

Status PartitionRecovery::load_manifest() {
  auto sealed = disklog::read_twins(context_.disk, disklog::SealedKind::manifest, log_.path() + "/manifest");
  std::uint64_t applied = 0;
  disklog::Manifest manifest;
  if (sealed && disklog::decode(sealed->payload, manifest) && manifest.partition == log_.id) {
    applied = manifest.applied;
    log_.manifest_sequence = sealed->sequence;
    std::string damage = std::exchange(manifest.damage, {});
    // One copy may be in the page cache only, even where both say the same: the sync of the second may have failed, and
    // that only a checkpoint rules out whose second copy was begun.
    const bool sure = sealed->twice && evidence_.checkpoint && evidence_.checkpoint_twice &&
                      sealed->sequence <= evidence_.checkpoint->manifest;
    log_.manifest_twins = {sealed->copy, sure};
    if (sure) damage_told_ = damage;
    log_.restore(std::move(manifest));
    if (!damage.empty()) log_.damage(std::move(damage));
    // The last start kept what no journal told of. That its age is unknown only its checkpoint says.
    if (const auto& from = evidence_.checkpoint; from && from->last_append_ms < 0) {
      Segment* const kept = log_.find_segment(from->segment);
      if (kept != nullptr && kept->info.version == from->version) kept->info.last_append_ms = -1;
    }
    if (evidence_.checkpoint && sealed->sequence < evidence_.checkpoint->manifest)
      log_.damage(fmt::format("manifest {} is older than the checkpoint's {}", sealed->sequence,
                              evidence_.checkpoint->manifest));
    if (const auto* made = creation(evidence_); made != nullptr && applied < made->number)
      log_.damage("its manifest is of an earlier partition of this id");
    log_.manifest_dirty = !sure;
  } else if (sealed || sealed.error().code == Code::corrupt || sealed.error().code == Code::not_found) {
    // Nothing readable: well if the journal tells of its creation, and no manifest was ever needed.
    if (creation(evidence_) == nullptr || (evidence_.checkpoint && evidence_.checkpoint->manifest > 0)) {
      log_.damage("manifest: " + (sealed ? std::string("malformed") : sealed.error().what));
      log_.segments.clear();
      return Ok{};
    }
  } else {
    return std::move(sealed).error();
  }
  for (const auto* change : evidence_.changes) {
    context_.last_change = std::max(context_.last_change, change->number);
    if (change->number > applied) apply(*change);
  }
  context_.last_change = std::max(context_.last_change, applied);
  if (log_.segments.empty()) log_.damage("no segments are known");
  if (evidence_.mixed)
    log_.damage("an earlier partition of this id was removed, and the checkpoint or the manifest may be of that one");
  return Ok{};
}

void PartitionRecovery::apply(const disklog::MetaEntry& change) {
  log_.manifest_dirty = true;
  switch (static_cast<MetaKind>(change.kind)) {
    case MetaKind::created:
      if (log_.segments.empty()) {
        Segment first;
        first.info.base = first.info.end = Offset{change.a};
        first.key = context_.files.new_key();
        log_.segments.push_back(std::move(first));
      }
      break;
    case MetaKind::removed: break;
    case MetaKind::rolled: apply_rolled(change); break;
    case MetaKind::log_start: log_.log_start = std::max(log_.log_start, Offset{change.a}); break;
    case MetaKind::trimmed:
      while (log_.segments.size() > 1 && log_.segments[1].info.base <= Offset{change.a})
        log_.segments.erase(log_.segments.begin());
      while (log_.epochs.size() > 1 && log_.epochs[1].start <= log_.log_start) log_.epochs.erase(log_.epochs.begin());
      break;
    case MetaKind::replaced: apply_replaced(change); break;
    case MetaKind::horizon:
      log_.horizons.push_back({Offset{change.a}, static_cast<std::int8_t>(change.b), Offset{change.c}});
      break;
    case MetaKind::mark: log_.marks.push_back({Offset{change.a}, change.b}); break;
  }
}

void PartitionRecovery::apply_rolled(const disklog::MetaEntry& change) {
  if (log_.segments.empty() || log_.active().info.base >= Offset{change.a}) return;
  auto& closed = log_.active().info;
  closed.end = Offset{change.a};
  closed.size = static_cast<std::uint64_t>(change.c);
  closed.last_append_ms = change.d;
  Segment next;
  next.info.base = next.info.end = Offset{change.a};
  next.info.version = static_cast<std::uint32_t>(change.b);
  next.info.last_append_ms = change.d;
  next.key = context_.files.new_key();
  log_.segments.push_back(std::move(next));
}

void PartitionRecovery::apply_replaced(const disklog::MetaEntry& change) {
  const Offset base{change.a}, end{change.b};
  disklog::SegmentInfo info;
  info.base = base;
  info.end = end;
  info.version = static_cast<std::uint32_t>(change.c);
  info.size = static_cast<std::uint64_t>(change.d);
  info.compacted = true;
  auto first =
      std::find_if(log_.segments.begin(), log_.segments.end(), [&](const Segment& s) { return s.info.base >= base; });
  auto last = first;
  bool age_known = true;  // in memory it was: retention had set what a start did not know
  for (; last != log_.segments.end() && last->info.base < end; ++last) {
    age_known &= last->info.last_append_ms >= 0 || last->info.size == 0;
    info.max_timestamp = std::max(info.max_timestamp, last->info.max_timestamp);
    info.first_append_ms = info.first_append_ms < 0 ? last->info.first_append_ms : info.first_append_ms;
    info.last_append_ms = std::max(info.last_append_ms, last->info.last_append_ms);
  }
  if (!age_known) info.last_append_ms = -1;
  if (first == last) return;
  Segment made;
  made.info = info;
  made.key = context_.files.new_key();
  made.named = true;  // it was synced, name and all, before the change was written down
  *first = std::move(made);
  log_.segments.erase(std::next(first), last);
  log_.next_version = std::max(log_.next_version, info.version + 1);
}

// ---- files

bool PartitionRecovery::vouched(const Segment& segment) const {
  const auto& from = evidence_.checkpoint;
  return segment.info.compacted || (from && (segment.info.end <= from->end && segment.info.base < from->segment));
}

// How many of its bytes the checkpoint covers, where that is not all.
std::uint64_t PartitionRecovery::covered(const Segment& segment) const {
  const auto& from = evidence_.checkpoint;
  return from && from->segment == segment.info.base && from->version == segment.info.version ? from->position : 0;
}

// Every segment that was durable has its file; files that no segment has are left over from a crash. They go when this
// start is durable: the round that let them go may be in the page cache only.
Status PartitionRecovery::check_files() {
  auto names = context_.disk.list(log_.path());
  if (!names) {
    if (names.error().code != Code::not_found) return std::move(names).error();
    if (creation(evidence_) == nullptr) {
      log_.damage("its directory is missing");
      return Ok{};
    }
    TRY(context_.disk.make_directory(log_.path()));
    names = std::vector<std::string>{};
  }
  std::set<std::string> wanted{"manifest.0", "manifest.1"};
  for (const auto& segment : log_.segments) {
    const std::string name = disklog::segment_name(segment.info.base, segment.info.version);
    if (vouched(segment) && !std::binary_search(names->begin(), names->end(), name)) {
      log_.damage("segment " + name + " is missing");
      return Ok{};
    }
    wanted.insert(name);
    const std::string index = disklog::index_name(segment.info.base, segment.info.version);
    wanted.insert(index);
    // Of an earlier life, which may have had as many bytes and other batches. It is no evidence, and must not come back
    // once a checkpoint vouches for the segment.
    if (vouched(segment) || !std::binary_search(names->begin(), names->end(), index)) continue;
    TRY(context_.disk.remove(log_.path() + "/" + index));
    names_changed_ = true;
  }
  for (const Offset snapshot : log_.snapshots) wanted.insert(disklog::snapshot_name(snapshot));
  if (evidence_.last_missing != 0) return Ok{};  // what seems left over may be all that is left
  for (const auto& name : *names) {
    if (!wanted.contains(name)) context_.doomed.push_back(log_.path() + "/" + name);
  }
  return Ok{};
}

// ---- the journal's batches go into the segments once more

Status PartitionRecovery::redo() {
  durable_ = log_.segments.front().info.base;
  if (evidence_.checkpoint) durable_ = std::max(durable_, evidence_.checkpoint->end);
  for (const auto& piece : evidence_.pieces) {
    TRY(redo_piece(piece));
    if (!log_.why_damaged.empty()) return Ok{};
  }
  return Ok{};
}

// Nothing for a piece of the last round that is torn, in the journal or, if it is direct, perhaps in its segment.
Result<std::optional<Buffer>> PartitionRecovery::payload(const JournalPiece& piece) {
  const auto& entry = *piece.entry;
  if (entry.direct) return std::optional<Buffer>();
  auto from = context_.disk.open(disklog::journal_path(piece.round->slot), port::OpenMode::existing);
  if (!from) return std::move(from).error();
  Buffer bytes(entry.bytes);
  auto got = context_.disk.read(*from, piece.payload_at, bytes);
  context_.disk.close(*from);
  if (!got) return std::move(got).error();
  const bool whole = *got == bytes.size() && record::crc32c(bytes) == entry.crc;
  return whole ? std::optional(std::move(bytes)) : std::nullopt;
}

// Trimmed or compacted later on: then what took its place is durable.
bool PartitionRecovery::superseded(const disklog::DataEntry& entry) const {
  if (log_.segments.empty()) return false;
  if (entry.end <= log_.segments.front().info.base) return true;
  return std::any_of(log_.segments.begin(), log_.segments.end(), [&](const Segment& s) {
    return s.info.base <= entry.segment && entry.end <= s.info.end && s.info.compacted;
  });
}

Status PartitionRecovery::redo_piece(const JournalPiece& piece) {
  const auto& entry = *piece.entry;
  const bool last = piece.round->round == evidence_.last_round;
  if (torn_) return Ok{};  // more of the same round: nobody was told of it either
  auto bytes = payload(piece);
  if (!bytes) return std::move(bytes).error();
  torn_ = last && !entry.direct && !*bytes;
  if (torn_) return Ok{};
  Segment* const segment = log_.find_segment(entry.segment);
  if (segment == nullptr || segment->info.version != entry.version) {
    // Or cut off by a start that died before its checkpoint, since of that segment's first round, the last one, not
    // all was there.
    const bool cut_off = last && entry.direct;
    if (!superseded(entry) && !cut_off)
      log_.damage(fmt::format("the journal tells of segment {} which is not known", entry.segment.value()));
    return Ok{};
  }
  segment->info.last_append_ms = std::max(segment->info.last_append_ms, entry.append_ms);
  if (segment->info.first_append_ms < 0) segment->info.first_append_ms = entry.append_ms;
  if (!last || *bytes) durable_ = std::max(durable_, entry.end);  // a round's sync ends before the next one begins
  if (!*bytes) return Ok{};  // direct; or damage, unless the segment has it: the walk will tell
  auto to = log_.file(*segment, port::OpenMode::existing_or_new);
  if (!to) return std::move(to).error();
  const Bytes all = **bytes;
  TRY(context_.disk.write(*to, entry.position, {&all, 1}));
  names_changed_ = true;  // the file may be new
  return Ok{};
}

// ---- producers

Status PartitionRecovery::load_producers() {
  log_.producers = Producers();
  log_.horizons_applied = 0;
  // Those of batches that may be cut are no good.
  if (std::erase_if(log_.snapshots, [&](Offset snapshot) { return snapshot > durable_; }) > 0)
    log_.manifest_dirty = true;
  while (!log_.snapshots.empty()) {
    const Offset newest = log_.snapshots.back();
    auto sealed = disklog::read_sealed(context_.disk, disklog::SealedKind::producers, log_.snapshot_path(newest));
    if (sealed && sealed->sequence == static_cast<std::uint64_t>(newest.value())) {
      if (auto restored = Producers::restore(sealed->payload)) {
        log_.producers = std::move(*restored);
        break;
      }
    }
    LOG(warning, "{}: snapshot of producers at {} cannot be read", log_.path(), newest.value());
    log_.snapshots.pop_back();
    log_.manifest_dirty = true;
  }
  log_.durable_snapshot = log_.confirmed_snapshot = log_.newest_snapshot();
  // Retention took what an older snapshot would need.
  if (const Offset base = log_.segments.front().info.base; log_.newest_snapshot() < base && base > Offset{0})
    log_.damage(log_.snapshots.empty() ? "no snapshot of producers can be read, and the log no longer begins at 0"
                                       : "the snapshot of producers that the log begins with cannot be read");
  return Ok{};
}

// ---- the walk

Status PartitionRecovery::walk_segments() {
  const Offset snapshot = log_.newest_snapshot();
  Offset from = log_.segments.front().info.base;
  if (evidence_.checkpoint)
    from = std::max(from, std::min(evidence_.checkpoint->end, snapshot.value() < 0 ? from : snapshot));
  std::size_t first = 0;
  while (first + 1 < log_.segments.size() && log_.segments[first + 1].info.base <= from) ++first;
  // What lies before is closed, vouched for, and its producers are in the snapshot.
  log_.end = log_.segments[first].info.base;
  for (std::size_t i = 0; i < first; ++i) log_.segments[i].synced = log_.segments[i].info.size;
  for (std::size_t number = first; number < log_.segments.size() && !ended_; ++number) {
    TRY(walk_segment(number));
    if (!log_.why_damaged.empty()) return Ok{};
  }
  if (log_.end < durable_) {
    log_.damage(fmt::format("the log ends at {}, but {} was durable", log_.end.value(), durable_.value()));
    return Ok{};
  }
  if (tail_) TRY(keep_tail());
  // A manifest may tell of batches that did not come to be. It must not tell of them once others stand there.
  std::size_t untrue = std::erase_if(log_.epochs, [&](const auto& epoch) { return epoch.start >= log_.end; });
  untrue += std::erase_if(log_.marks, [&](const auto& mark) { return mark.offset > log_.end; });
  for (auto& horizon : log_.horizons) {
    const auto told = horizon;
    horizon.at = std::min(horizon.at, log_.end);
    horizon.before = std::min(horizon.before, horizon.at);  // who appends there from now on is not meant
    if (!(horizon == told)) ++untrue;
  }
  if (untrue > 0) log_.manifest_dirty = true;
  log_.apply_horizons(log_.end);
  return Ok{};
}

Status PartitionRecovery::walk_segment(std::size_t number) {
  Segment& segment = log_.segments[number];
  const bool active = number + 1 == log_.segments.size();
  const disklog::SegmentInfo told = segment.info;
  auto file = log_.file(segment, port::OpenMode::existing_or_new);
  if (!file) return std::move(file).error();
  auto size = context_.disk.size(*file);
  if (!size) return std::move(size).error();
  const auto& from = evidence_.checkpoint;
  std::uint64_t check_from = vouched(segment) ? UINT64_MAX : 0;
  if (from && from->segment == told.base && from->version == told.version) {  // covered in part
    check_from = from->position;
    segment.info.first_append_ms = from->first_append_ms;
    segment.info.last_append_ms = std::max(segment.info.last_append_ms, from->last_append_ms);
    segment.synced = from->position;
    segment.named = log_.named = true;
  } else if (vouched(segment)) {
    segment.synced = told.size;
  } else {
    segment.named = false;
  }
  segment.index = std::make_unique<disklog::SegmentIndex>(told.base);
  segment.info.size = 0;
  segment.info.max_timestamp = -1;  // a manifest may tell of batches that did not come to be
  segment.info.end = told.base;
  log_.end = told.base;
  const Offset snapshot = log_.newest_snapshot();
  const std::uint64_t to = active ? *size : std::min(*size, told.size);
  // What the producers are made of is checked too: a flipped bit must not pass for another producer's sequence.
  const disklog::WalkPlan plan{0, to, told.base, told.compacted, check_from, snapshot};
  const bool in_part = covered(segment) > 0;
  const std::uint64_t unchecked_to = in_part ? covered(segment) : told.size;
  const Offset unchecked_end = in_part ? from->end : told.end;
  auto walked =
      disklog::walk(context_.disk, *file, plan, [&](const record::BatchHeader& header, std::uint64_t position) {
        // Not checked, so a flipped bit may tell of more than there is: of offsets that others have, or of their bytes.
        if (position < check_from &&
            (header.next_offset() > unchecked_end || position + header.total_bytes() > unchecked_to))
          return false;
        // A file made anew under a name that an earlier life used may come back with what that life wrote.
        if (position >= check_from && header.leader_epoch < log_.epoch_at(header.base_offset)) return false;
        if (!tail_ && header.next_offset() > durable_) tail_ = {number, position};
        log_.apply_horizons(header.base_offset);
        log_.note_batch(segment, header, position, header.base_offset >= snapshot);
        if (position >= check_from) context_.metrics.recovered_batches.add();
        return true;
      });
  if (!walked) return std::move(walked).error();
  if (told.compacted && walked->stop == disklog::WalkStop::end)
    segment.info.end = log_.end = told.end;  // its last records may be gone
  const bool whole = walked->stop == disklog::WalkStop::end &&
                     (active || (segment.info.end == told.end && walked->position == told.size));
  if (whole) return Ok{};
  return end_here(number, *walked, *size);
}

// The log does not go on as it should. Past what was durable that is the trace of a crash, and cut; below it is damage.
Status PartitionRecovery::end_here(std::size_t number, const disklog::WalkResult& at, std::uint64_t file_size) {
  Segment& segment = log_.segments[number];
  const std::string why = at.stop == disklog::WalkStop::bad      ? at.why
                          : at.stop == disklog::WalkStop::enough ? "a batch that does not belong there"
                                                                 : "ends too early";
  if (log_.end < durable_ || vouched(segment) || at.position < covered(segment) || lacks_a_round()) {
    log_.damage(fmt::format("{} at byte {}: {} (durable up to offset {})", log_.segment_path(segment.info), at.position,
                            why, durable_.value()));
    return Ok{};
  }
  LOG(info, "{}: {} bytes after offset {} were never acknowledged and are cut: {}", log_.path(),
      file_size - at.position, log_.end.value(), why);
  context_.metrics.recovered_cut_bytes.add(file_size - at.position);
  auto file = log_.file(segment, port::OpenMode::existing);
  if (!file) return std::move(file).error();
  TRY(context_.disk.truncate(*file, at.position));
  segment.reserved = segment.info.size;
  segment.named = false;  // to be synced
  while (log_.segments.size() > number + 1) {
    Segment& later = log_.segments.back();
    context_.files.close(later.key);
    TRY(context_.disk.remove(log_.segment_path(later.info)));
    log_.segments.pop_back();
    log_.manifest_dirty = true;
  }
  names_changed_ = true;
  ended_ = true;
  return Ok{};
}

// What nobody vouches for may stand in the page cache only, marked clean by a sync that failed in the last life.
// Written once more it is dirty again, and the sync that follows means something.
Status PartitionRecovery::keep_tail() {
  for (std::size_t number = tail_->first; number < log_.segments.size(); ++number) {
    Segment& segment = log_.segments[number];
    auto file = log_.file(segment);
    if (!file) return std::move(file).error();
    Buffer bytes(std::min<std::uint64_t>(segment.info.size, 1 << 20));
    for (std::uint64_t at = number == tail_->first ? tail_->second : 0; at < segment.info.size;) {
      auto got = context_.disk.read(
          *file, at, MutableBytes(bytes).first(std::min<std::uint64_t>(bytes.size(), segment.info.size - at)));
      if (!got) return std::move(got).error();
      const Bytes again = Bytes(bytes).first(*got);
      TRY(context_.disk.write(*file, at, {&again, 1}));
      at += *got;
      if (*got == 0) return Error{Code::io, log_.segment_path(segment.info) + ": ends while it is read"};
    }
    segment.named = false;             // to be synced
    segment.info.last_append_ms = -1;  // when that came no journal tells
    if (number + 1 < log_.segments.size()) log_.manifest_dirty = true;
  }
  return Ok{};
}

// ---- the end

// After a clean end the checkpoint tells all of the active segment.
bool PartitionRecovery::trusted() const {
  const auto& from = evidence_.checkpoint;
  if (!evidence_.clean || !from || !evidence_.pieces.empty() || !evidence_.changes.empty() || log_.segments.empty())
    return false;
  const auto& info = log_.segments.back().info;
  return from->segment == info.base && from->version == info.version && from->position == info.size &&
         from->end == info.end && (log_.newest_snapshot() == info.end || info.end == Offset{0});
}

Status PartitionRecovery::trust() {
  durable_ = evidence_.checkpoint->end;
  Segment& last = log_.active();
  auto file = log_.file(last, port::OpenMode::existing);
  Result<std::uint64_t> size = file ? context_.disk.size(*file) : Result<std::uint64_t>(std::uint64_t{0});
  if (!file || !size || *size < last.info.size) {
    log_.damage(log_.segment_path(last.info) + " is missing or cut short");
    return settle();
  }
  if (*size > last.info.size) TRY(context_.disk.truncate(*file, last.info.size));
  TRY(load_producers());
  if (log_.why_damaged.empty() && log_.newest_snapshot() != last.info.end && last.info.end != Offset{0}) {
    TRY(walk_segments());  // the snapshot cannot be read: an older one and the log tell the same
    return settle();
  }
  log_.end = last.info.end;
  log_.apply_horizons(log_.end);  // the snapshot may be older than what was forgotten since
  for (auto& segment : log_.segments) segment.synced = segment.reserved = segment.info.size;
  if (auto index = log_.index_of(last); !index) log_.damage(index.error().what);
  return settle();
}

// A round of the journal is gone. This partition had no part in it if a later round goes on where the log is whole.
bool PartitionRecovery::lacks_a_round() const {
  if (evidence_.last_missing == 0) return false;
  return std::none_of(evidence_.pieces.begin(), evidence_.pieces.end(), [&](const JournalPiece& piece) {
    return piece.round->round > evidence_.last_missing && piece.entry->base <= log_.end;
  });
}

Status PartitionRecovery::settle() {
  if (log_.why_damaged.empty() && lacks_a_round())
    log_.damage(fmt::format("round {} of the journal cannot be read, later ones can", evidence_.last_missing));
  if (!log_.why_damaged.empty()) return settle_damaged();
  log_.flushed = log_.committed = log_.end;
  log_.log_start = std::min(log_.log_start, log_.end);
  log_.bytes_since_snapshot = 0;
  log_.segments_dirty = log_.touched = false;
  for (auto& segment : log_.segments) {
    if (segment.reserved == 0) segment.reserved = segment.info.size;
    if (segment.synced >= segment.info.size && segment.named) continue;
    auto file = log_.file(segment, port::OpenMode::existing_or_new);
    if (!file) return std::move(file).error();
    TRY(context_.disk.sync_now(*file));
    segment.synced = segment.info.size;
    segment.named = true;
    names_changed_ = log_.touched = true;
  }
  log_.named = true;  // the directory of partitions is synced before the checkpoint
  if (names_changed_) TRY(context_.disk.sync_directory(log_.path()));
  return Ok{};
}

}  // namespace edgelog::broker

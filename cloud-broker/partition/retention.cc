// What a partition lets go of: segments by age and size, records by request, producers by age and number.
#include <algorithm>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/partition_log.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {

using disklog::MetaKind;

void PartitionLog::set_log_start(Offset offset) {
  ASSERT(offset >= log_start && offset <= committed);  // S5
  if (offset == log_start) return;
  log_start = offset;
  manifest_dirty = true;
  context_.change(id, MetaKind::log_start, offset.value());
}

bool PartitionLog::delete_records(Offset offset) {
  if (!why_damaged.empty() || offset > committed) return false;
  if (offset > log_start) {
    set_log_start(offset);
    trim();
  }
  return true;
}

// Age is that of a segment's last append, so a record's own timestamp deletes nothing early or late.
void PartitionLog::retain(WallMillis wall) {
  if (!why_damaged.empty()) return;
  for (auto& segment : segments) {
    // Else a record that was on its way when the process died, and is acknowledged after the start, would be as old
    // as the time that nobody wrote down, and go at once.
    if (segment.info.last_append_ms >= 0 || segment.info.size == 0) continue;
    segment.info.last_append_ms = wall.value();
    if (segment.info.first_append_ms < 0) segment.info.first_append_ms = wall.value();
    manifest_dirty = true;
  }
  if (settings.segment_ms >= 0 && active().info.size > 0 && pending.empty() && flushed == end) {
    const bool old = wall.value() - active().info.first_append_ms >= settings.segment_ms;
    const bool expired = settings.cleanup_delete && settings.retention_ms >= 0 &&
                         wall.value() - active().info.last_append_ms > settings.retention_ms;
    if (old || expired) {
      if (auto rolled = roll(std::max(wall.value(), active().info.last_append_ms)); !rolled) failed(rolled.error());
    }
  }
  if (settings.cleanup_delete) {
    std::uint64_t bytes = size_bytes();
    Offset start = log_start;
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
      const auto& info = segments[i].info;
      const bool expired = settings.retention_ms >= 0 && wall.value() - info.last_append_ms > settings.retention_ms;
      const bool too_much =
          settings.retention_bytes >= 0 && bytes - info.size >= static_cast<std::uint64_t>(settings.retention_bytes);
      if ((!expired && !too_much) || info.end > committed) break;
      bytes -= info.size;
      start = std::max(start, info.end);
    }
    set_log_start(start);
  }
  trim();
}

// A segment below log start goes once a durable snapshot remembers its producers.
void PartitionLog::trim() {
  std::size_t count = 0;
  bool waits = false;
  while (count + 1 < segments.size() && segments[count].info.end <= log_start) {
    if (segments[count].info.end > confirmed_snapshot) {
      waits = true;
      break;
    }
    ++count;
  }
  trim_waits = waits;
  if (waits && newest_snapshot() < segments[count].info.end) {
    if (auto written = write_snapshot(); !written) failed(written.error());
  }
  if (count == 0) return;
  const Offset through = segments[count - 1].info.end;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& info = segments[i].info;
    context_.files.close(segments[i].key);
    context_.doomed.push_back(segment_path(info));
    context_.doomed.push_back(path() + "/" + disklog::index_name(info.base, info.version));
    context_.metrics.segments_deleted.add();
  }
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(count));
  // The epoch that holds log start stays, older ones go.
  while (epochs.size() > 1 && epochs[1].start <= log_start) epochs.erase(epochs.begin());
  manifest_dirty = true;
  context_.change(id, MetaKind::trimmed, through.value());
}

// Offset below which everything was appended at least `memory` ago, as far as the time marks tell.
Offset PartitionLog::expiry_horizon(Duration memory, WallMillis wall) const {
  const std::int64_t cutoff = wall.value() - to_millis(memory);
  Offset horizon{0};
  for (const auto& mark : marks) {
    if (mark.ms <= cutoff) horizon = mark.offset;
  }
  // An idle partition's last segment may have been rolled, and then its time is that of the roll.
  const bool rolled = active().info.size == 0 && segments.size() > 1;
  const auto& newest = rolled ? segments[segments.size() - 2].info : active().info;
  if (newest.last_append_ms >= 0 && newest.last_append_ms <= cutoff) horizon = end;
  return horizon;
}

void PartitionLog::forget_producers(ProducerKind kind, Offset before) {
  if (producers.forget(kind, before) == 0) return;
  horizons.push_back({end, static_cast<std::int8_t>(kind), before});
  horizons_applied = horizons.size();
  manifest_dirty = true;
  context_.change(id, MetaKind::horizon, end.value(), static_cast<std::int64_t>(kind), before.value());
}

void PartitionLog::expire_producers(WallMillis wall) {
  if (!why_damaged.empty()) return;
  if (producers.size() > 0) {
    forget_producers(ProducerKind::handed_out, expiry_horizon(context_.config.producer_memory, wall));
    forget_producers(ProducerKind::agent, expiry_horizon(context_.config.agent_producer_memory, wall));
  }
  // Marks that no horizon needs any more, and fewer of those that are days old.
  const std::int64_t oldest = wall.value() - to_millis(context_.config.agent_producer_memory);
  const std::int64_t dense = wall.value() - 2 * to_millis(context_.config.producer_memory);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const bool last = i + 1 == marks.size();
    if (!last && marks[i + 1].ms <= oldest) continue;
    if (!last && kept > 0 && marks[i].ms < dense && marks[i].ms - marks[kept - 1].ms < 86'400'000) continue;
    marks[kept++] = marks[i];
  }
  marks.resize(kept);
}

void PartitionLog::evict_producers(std::size_t count) {
  count = std::min(count, producers.size());
  if (count == 0 || !why_damaged.empty()) return;
  const Offset before = producers.horizon_forgetting(count);
  const std::size_t had = producers.size();
  forget_producers(ProducerKind::handed_out, before);
  forget_producers(ProducerKind::agent, before);
  context_.metrics.producers_evicted.add(had - producers.size());
}

void PartitionLog::apply_horizons(Offset before) {
  for (; horizons_applied < horizons.size() && horizons[horizons_applied].at <= before; ++horizons_applied) {
    const auto& horizon = horizons[horizons_applied];
    producers.forget(static_cast<ProducerKind>(horizon.kind), horizon.before);
  }
}

}  // namespace edgelog::broker

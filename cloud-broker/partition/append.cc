// What a partition does to its end: append, roll, and the bookkeeping of what stands in the log.
#include <algorithm>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/partition_log.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {
namespace {

constexpr std::int16_t corrupt_message = 2, request_timed_out = 7, message_too_large = 10, record_list_too_large = 18,
                       storage_error = 56;
constexpr std::uint64_t reserve_min = 64 << 10, reserve_max = 4 << 20;
constexpr std::int64_t mark_interval_ms = 3'600'000;

ProducerBatch producer_batch(const record::BatchHeader& header, Offset base) {
  return {header.producer_id, header.producer_epoch, header.base_sequence, header.last_offset_delta + 1, base};
}

}  // namespace

AppendResult PartitionLog::append(MutableBytes batch, Appender appender, WallMillis wall) {
  if (!why_damaged.empty()) return {.error = storage_error};
  const auto header = record::parse_header(batch);
  if (!header || header->total_bytes() != batch.size() || header->last_offset_delta < 0)
    return {.error = corrupt_message};
  if (appender == Appender::client && batch.size() > static_cast<std::size_t>(settings.max_message_bytes))
    return {.error = message_too_large};
  if (batch.size() > static_cast<std::size_t>(settings.segment_bytes)) return {.error = record_list_too_large};
  if (header->producer_id != no_producer) {
    const ProducerVerdict verdict = producers.check(producer_batch(*header, end));
    if (verdict.error != 0) return {.error = verdict.error};
    if (verdict.duplicate) {
      context_.metrics.duplicates.add();
      return {0, verdict.base, log_start, verdict.last + 1, true};
    }
  }
  if (context_.pending_bytes + batch.size() > context_.config.pending_bytes_max) return {.error = request_timed_out};
  // Never back: time marks and segments are in the order of appending.
  const std::int64_t append_ms = std::max(wall.value(), active().info.last_append_ms);
  if (const std::int16_t error = make_room(batch.size(), append_ms); error != 0) return {.error = error};
  const Offset base = end;
  take(batch, *header, append_ms);
  return {0, base, log_start, end, false};
}

bool PartitionLog::must_roll(std::uint64_t bytes, Offset last, std::int64_t append_ms) {
  const auto& info = active().info;
  if (info.size == 0) return false;
  return info.size + bytes > static_cast<std::uint64_t>(settings.segment_bytes) || last - info.base > INT32_MAX ||
         append_ms - info.first_append_ms >= settings.segment_ms;
}

std::int16_t PartitionLog::make_room(std::uint64_t bytes, std::int64_t append_ms) {
  if (must_roll(bytes, end, append_ms)) {
    if (auto rolled = roll(append_ms); !rolled) return failed(rolled.error());
  }
  Segment& to = active();
  if (to.info.size + bytes <= to.reserved) return 0;
  // Ahead of the need, in proportion to what the segment holds: many small partitions must not fill the disk.
  const std::uint64_t ahead = std::clamp<std::uint64_t>(to.info.size / 4, reserve_min, reserve_max);
  const std::uint64_t most =
      std::max<std::uint64_t>(static_cast<std::uint64_t>(settings.segment_bytes), to.info.size + bytes);
  for (const std::uint64_t extra : {ahead, std::uint64_t{0}}) {
    const std::uint64_t until = std::min(to.info.size + bytes + extra, most);
    if (!context_.has_room(until - to.reserved)) continue;
    auto opened = file(to);
    if (!opened) return failed(opened.error());
    const auto reserved = context_.disk.reserve(*opened, to.reserved, until - to.reserved);
    if (reserved) {
      to.reserved = until;
      context_.set_full(false);
      return 0;
    }
    if (reserved.error().code != Code::full) return failed(reserved.error());
  }
  return failed(Error{Code::full, "append: no space"});
}

std::int16_t PartitionLog::failed(const Error& error) {
  if (error.code == Code::full) {
    if (!context_.full) LOG(warning, "{}: appends are refused: {}", path(), error.what);
    context_.metrics.refused_full.add();
    context_.set_full(true);
  } else if (error.code == Code::corrupt) {
    damage(error.what);
  } else {
    LOG(error, "{}: {}", path(), error.what);
  }
  return storage_error;
}

void PartitionLog::take(MutableBytes batch, const record::BatchHeader& header, std::int64_t append_ms) {
  record::BatchHeader stamped = header;
  stamped.base_offset = end;
  stamped.leader_epoch = context_.identity.epoch;
  record::stamp(batch, end, context_.identity.epoch);
  Segment& to = active();
  if (pending.empty()) context_.dirty.push_back(this);
  if (pending.empty() || pending.back().segment != to.info.base)
    pending.push_back({to.info.base, to.info.size, {}, end, end});
  {
    PendingChunk& chunk = pending.back();
    edgelog::append(chunk.bytes, batch);
    chunk.end = stamped.next_offset();
  }
  pending_bytes += batch.size();
  context_.pending_bytes += batch.size();
  context_.metrics.appended_bytes.add(batch.size());
  context_.metrics.appended_batches.add();
  if (to.info.first_append_ms < 0) to.info.first_append_ms = append_ms;
  to.info.last_append_ms = append_ms;
  mark_time(append_ms);
  note_batch(to, stamped, to.info.size, true);
  segments_dirty = touched = true;
}

void PartitionLog::mark_time(std::int64_t append_ms) {
  if (!marks.empty() && append_ms - marks.back().ms < mark_interval_ms) return;
  marks.push_back({end, append_ms});
  manifest_dirty = true;
  context_.change(id, disklog::MetaKind::mark, end.value(), append_ms);
}

void PartitionLog::note_batch(Segment& segment, const record::BatchHeader& header, std::uint64_t position,
                              bool with_producers) {
  if (epochs.empty() || epochs.back().epoch < header.leader_epoch)
    epochs.push_back({header.leader_epoch, header.base_offset});
  if (segment.index) segment.index->add(header, position);
  segment.info.max_timestamp = std::max(segment.info.max_timestamp, header.max_timestamp);
  if (with_producers && header.producer_id != no_producer) {
    producers.apply(producer_batch(header, header.base_offset));
  }
  bytes_since_snapshot += header.total_bytes();
  segment.info.size = position + header.total_bytes();
  segment.info.end = header.next_offset();
  end = header.next_offset();
}

Result<port::FileId> PartitionLog::file(Segment& segment, port::OpenMode mode) {
  return context_.files.get(segment.key, mode, [&] { return segment_path(segment.info); });
}

std::string PartitionLog::segment_path(const disklog::SegmentInfo& info) const {
  return path() + "/" + disklog::segment_name(info.base, info.version);
}
std::string PartitionLog::snapshot_path(Offset at) const { return path() + "/" + disklog::snapshot_name(at); }

Status PartitionLog::add_segment(Offset base, std::uint32_t version) {
  Segment made;
  made.info.base = made.info.end = base;
  made.info.version = version;
  made.key = context_.files.new_key();
  made.index = std::make_unique<disklog::SegmentIndex>(base);
  if (auto opened = file(made, port::OpenMode::fresh); !opened) return std::move(opened).error();
  segments.push_back(std::move(made));
  return Ok{};
}

// Begins a new active segment. The closed one's index and a snapshot of the producers are written beside it; none
// of that needs to be durable before the next checkpoint.
Status PartitionLog::roll(std::int64_t append_ms) {
  ASSERT(active().info.end == end && active().info.size > 0);  // S4
  if (!context_.has_room(reserve_min)) return Error{Code::full, "roll: no space"};
  // Not for every small segment where there are many producers: a snapshot should cost less than the data.
  if (bytes_since_snapshot >= producers.size() * 32) TRY(write_snapshot());
  write_index(active());
  const disklog::SegmentInfo was = active().info;
  TRY(add_segment(end, 0));
  active().info.first_append_ms = -1;
  active().info.last_append_ms = append_ms;
  manifest_dirty = segments_dirty = true;
  context_.change(id, disklog::MetaKind::rolled, end.value(), 0, static_cast<std::int64_t>(was.size),
                  was.last_append_ms);
  return Ok{};
}

// Without it the index is made anew from the segment: a failure is none.
void PartitionLog::write_index(const Segment& segment) {
  if (!segment.index) return;
  const std::string index_path = path() + "/" + disklog::index_name(segment.info.base, segment.info.version);
  auto written = disklog::write_file(context_.disk, index_path, segment.index->encode(segment.info));
  if (written) context_.disk.close(*written);
}

Status PartitionLog::write_ending() {
  write_index(active());
  manifest_dirty = true;  // it tells the size of the active segment, which only a clean start trusts
  return write_snapshot();
}

Status PartitionLog::write_snapshot() {
  if (newest_snapshot() == end) return Ok{};
  const Buffer bytes =
      disklog::seal(disklog::SealedKind::producers, static_cast<std::uint64_t>(end.value()), producers.snapshot());
  auto written = disklog::write_file(context_.disk, snapshot_path(end), bytes);
  if (!written) return std::move(written).error();
  context_.disk.close(*written);
  snapshots.push_back(end);
  bytes_since_snapshot = 0;
  manifest_dirty = true;
  return Ok{};
}

Segment* PartitionLog::find_segment(Offset base) {
  const auto it = std::lower_bound(segments.begin(), segments.end(), base,
                                   [](const Segment& segment, Offset offset) { return segment.info.base < offset; });
  return it != segments.end() && it->info.base == base ? &*it : nullptr;
}

void PartitionLog::damage(std::string why) {
  if (!why_damaged.empty()) return;
  LOG(error, "{}: damaged, refused from now on: {}", path(), why);
  why_damaged = std::move(why);
  manifest_dirty = true;
  context_.metrics.damaged_partitions.set(context_.metrics.damaged_partitions.value() + 1);
}

std::function<bool()> PartitionLog::removal() const {
  return [this, alive = std::weak_ptr<bool>(alive_)] { return alive.expired() || removed; };
}

void PartitionLog::forget_files() {
  for (auto& segment : segments) context_.files.close(segment.key);
}

std::uint64_t PartitionLog::disk_bytes(const Segment& segment) const {
  for (const auto& chunk : pending) {
    if (chunk.segment == segment.info.base) return chunk.position;
  }
  return segment.info.size;
}

std::uint64_t PartitionLog::size_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& segment : segments) sum += segment.info.size;
  return sum;
}

disklog::Manifest PartitionLog::manifest() const {
  disklog::Manifest out;
  out.partition = id;
  out.applied = context_.last_change;
  out.log_start = log_start;
  for (const auto& segment : segments) out.segments.push_back(segment.info);
  out.epochs = epochs;
  out.marks = marks;
  out.horizons = horizons;
  for (const Offset snapshot : snapshots) {
    if (snapshot <= durable_snapshot) out.snapshots.push_back(snapshot);
  }
  out.next_version = next_version;
  out.compacted_through = compacted_through;
  out.damage = why_damaged;
  return out;
}

void PartitionLog::restore(disklog::Manifest from) {
  log_start = from.log_start;
  segments.clear();
  for (const auto& info : from.segments) {
    Segment segment;
    segment.info = info;
    segment.key = context_.files.new_key();
    segment.named = true;
    segments.push_back(std::move(segment));
  }
  epochs = std::move(from.epochs);
  marks = std::move(from.marks);
  horizons = std::move(from.horizons);
  snapshots = std::move(from.snapshots);
  durable_snapshot = confirmed_snapshot = newest_snapshot();
  named = true;
  next_version = from.next_version;
  compacted_through = from.compacted_through;
  why_damaged = std::move(from.damage);
}

}  // namespace edgelog::broker

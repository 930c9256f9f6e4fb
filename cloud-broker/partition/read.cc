// Reading a partition: by offset, by time, by epoch. What is read is checked; what does not match is never served.
#include <fmt/format.h>

#include <algorithm>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/partition_log.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {
namespace {

constexpr std::int16_t offset_out_of_range = 1, storage_error = 56;
constexpr std::size_t index_bytes_max = 256u << 20;
constexpr std::size_t plain_bytes_max = 256u << 20;

}  // namespace

std::size_t PartitionLog::segment_holding(Offset offset) const {
  const auto it = std::upper_bound(segments.begin(), segments.end(), offset,
                                   [](Offset at, const Segment& segment) { return at < segment.info.base; });
  std::size_t found = it == segments.begin() ? 0 : static_cast<std::size_t>(it - segments.begin()) - 1;
  while (found + 1 < segments.size() && segments[found].info.end <= offset) ++found;  // compaction took its end
  return found;
}

Result<disklog::SegmentIndex*> PartitionLog::index_of(Segment& segment) {
  if (segment.index) return segment.index.get();
  const std::string file_path = path() + "/" + disklog::index_name(segment.info.base, segment.info.version);
  const auto bytes = segment.index_rebuilt ? Result<Buffer>(Error{Code::corrupt, "index: doubted"})
                                           : disklog::read_file(context_.disk, file_path, index_bytes_max);
  if (bytes) {
    if (auto index = disklog::SegmentIndex::decode(*bytes, segment.info)) {
      segment.index = std::make_unique<disklog::SegmentIndex>(std::move(*index));
      return segment.index.get();
    }
  }
  auto opened = file(segment);
  if (!opened) return std::move(opened).error();
  auto index = std::make_unique<disklog::SegmentIndex>(segment.info.base);
  const disklog::WalkPlan plan{0, segment.info.size, segment.info.base, segment.info.compacted, segment.info.size};
  auto walked =
      disklog::walk(context_.disk, *opened, plan, [&](const record::BatchHeader& header, std::uint64_t position) {
        if (disklog::reaches_beyond(header, segment.info.end)) return false;  // before L2 is believed of it
        index->add(header, position);
        return true;
      });
  if (!walked) return std::move(walked).error();
  if (walked->stop == disklog::WalkStop::enough) walked->why = "offsets beyond the end of the segment";
  // Compaction may have taken the last records.
  if (walked->stop != disklog::WalkStop::end ||
      (segment.info.compacted ? walked->next > segment.info.end : walked->next != segment.info.end))
    return Error{Code::corrupt,
                 fmt::format("{} at byte {}: {}", segment_path(segment.info), walked->position, walked->why)};
  segment.index = std::move(index);
  write_index(segment);
  return segment.index.get();
}

// An index is no source of truth: where what it tells leads to no batch, it is made anew once before that is damage.
// False: it was, or cannot be, since not all of the segment is in its file.
bool PartitionLog::doubt_index(Segment& segment) {
  if (segment.index_rebuilt || disk_bytes(segment) != segment.info.size) return false;
  LOG(warning, "{}: its index is made anew", segment_path(segment.info));
  segment.index_rebuilt = true;
  segment.index.reset();
  for (auto& hint : hints_) hint = {};
  return true;
}

// Nothing: it holds no batch at or after `from`.
Result<std::optional<PartitionLog::Spot>> PartitionLog::find_in(std::size_t number, Offset from) {
  Segment& segment = segments[number];
  auto index = index_of(segment);
  if (!index) return std::move(index).error();
  const auto place = (*index)->find_offset(from);
  auto opened = file(segment);
  if (!opened) return std::move(opened).error();
  std::optional<Spot> spot;
  bool elsewhere = false;  // a batch before it may be the one, where offsets may jump
  const std::uint64_t to = disk_bytes(segment);
  const disklog::WalkPlan plan{place.position, to, place.offset, segment.info.compacted, to};
  auto walked =
      disklog::walk(context_.disk, *opened, plan, [&](const record::BatchHeader& header, std::uint64_t position) {
        elsewhere = position == place.position && position > 0 && header.base_offset != place.offset;
        if (header.next_offset() <= from && !elsewhere) return true;
        spot = Spot{number, position, header.base_offset};
        return false;
      });
  if (!walked) return std::move(walked).error();
  if (walked->stop != disklog::WalkStop::bad && !elsewhere) return spot;
  if (doubt_index(segment)) return find_in(number, from);
  return Error{Code::corrupt, fmt::format("{} at byte {}: {}", segment_path(segment.info), walked->position,
                                          elsewhere ? "another batch than the index tells of" : walked->why)};
}

// Nothing: the log holds no batch at or after `from` in this and later segments.
Result<std::optional<PartitionLog::Spot>> PartitionLog::find_batch(Offset from) {
  for (std::size_t number = segment_holding(from); number < segments.size(); ++number) {
    Segment& segment = segments[number];
    if (segment.info.end <= from || segment.info.size == 0) continue;
    const std::uint64_t to = disk_bytes(segment);
    for (const auto& hint : hints_) {
      const bool good =
          hint.key == segment.key && hint.offset == from && from >= segment.info.base && hint.position < to;
      if (good) return std::optional(Spot{number, hint.position, from});
    }
    auto spot = find_in(number, from);
    if (!spot || *spot) return spot;
  }
  return std::optional<Spot>{};
}

// Not empty: what is wrong with it. Base offset, length and leader epoch are not under the CRC, so they are
// held against their neighbours and the list of epochs.
std::string PartitionLog::judge(Bytes batch, const record::BatchHeader& header, Offset due, bool holes) const {
  if (auto why = disklog::misfit(header, due, holes); !why.empty()) return why;
  if (record::compute_crc(batch) != header.crc) return "checksum does not match";
  if (epoch_at(header.base_offset) != header.leader_epoch)
    return fmt::format("leader epoch {}", header.leader_epoch.value());
  return {};
}

// Whole batches from `spot` on. Nothing: the first one does not fit into the limits.
Result<std::optional<Buffer>> PartitionLog::cut(const Spot& spot, std::size_t bytes_max, bool at_least_one,
                                                Offset limit, Offset& next) {
  Segment& segment = segments[spot.segment];
  auto opened = file(segment);
  if (!opened) return std::move(opened).error();
  const std::uint64_t left = disk_bytes(segment) - spot.position;
  Buffer bytes(std::min<std::uint64_t>(left, std::max<std::size_t>(bytes_max, record::header_bytes)));
  auto got = context_.disk.read(*opened, spot.position, bytes);
  if (!got) return std::move(got).error();
  bytes.resize(*got);
  const auto bad = [&](std::uint64_t at, std::string_view why) {
    return Error{Code::corrupt, fmt::format("{} at byte {}: {}", segment_path(segment.info), spot.position + at, why)};
  };
  std::size_t size = 0;
  next = spot.offset;
  while (true) {
    const auto header = record::parse_header(Bytes(bytes).subspan(size));
    if (!header) break;
    if (auto why = disklog::misfit(*header, next, segment.info.compacted); !why.empty()) return bad(size, why);
    // Before the limit: not yet checked, it must not pass for a batch that is to be read later.
    if (header->next_offset() > segment.info.end) return bad(size, "offsets beyond the end of the segment");
    if (header->next_offset() > limit) break;
    const std::size_t total = header->total_bytes();
    if (size + total > bytes_max && !(size == 0 && at_least_one)) break;
    if (total > left - size) return bad(size, "cut short in a batch");
    if (size + total > bytes.size()) {  // only the first one, larger than asked for
      bytes.resize(total);
      got = context_.disk.read(*opened, spot.position, bytes);
      if (!got) return std::move(got).error();
      if (*got < total) return bad(size, "cut short in a batch");
    }
    if (auto why = judge(Bytes(bytes).subspan(size, total), *header, next, segment.info.compacted); !why.empty())
      return bad(size, why);
    size += total;
    next = header->next_offset();
  }
  bytes.resize(size);
  if (size == 0) return std::optional<Buffer>{};
  hints_[next_hint_++ % std::size(hints_)] = {segment.key, spot.position + size, next};
  return std::optional(std::move(bytes));
}

ReadResult PartitionLog::read(Offset from, std::size_t bytes_max, bool at_least_one, Offset limit) {
  if (!why_damaged.empty()) return {.error = storage_error};
  if (from < log_start || from > end) return {.error = offset_out_of_range};
  ReadResult result{0, {}, from};
  limit = std::min(limit, flushed);
  if (from >= limit) return result;
  auto spot = find_batch(from);
  if (spot && *spot) {
    Offset next;
    auto bytes = cut(**spot, bytes_max, at_least_one, limit, next);
    if (!bytes) {
      spot = std::move(bytes).error();
    } else if (*bytes) {
      result.batches = std::move(**bytes);
      result.next = next;
    }
  }
  if (!spot) return {.error = failed(spot.error())};
  return result;
}

EpochEnd PartitionLog::end_offset_for_epoch(LeaderEpoch epoch) const {
  const LeaderEpoch now = context_.identity.epoch;
  if (epoch.value() < 0 || epoch > now) return {};
  if (epoch == now) return {now, end};
  if (epochs.empty()) return {epoch, end};
  const auto after = std::upper_bound(epochs.begin(), epochs.end(), epoch,
                                      [](LeaderEpoch e, const disklog::EpochStart& entry) { return e < entry.epoch; });
  if (after == epochs.begin()) return {epoch, after->start};
  return {std::prev(after)->epoch, after == epochs.end() ? end : after->start};
}

LeaderEpoch PartitionLog::epoch_at(Offset offset) const {
  const auto after = std::upper_bound(epochs.begin(), epochs.end(), offset,
                                      [](Offset at, const disklog::EpochStart& entry) { return at < entry.start; });
  return after == epochs.begin() ? LeaderEpoch{-1} : std::prev(after)->epoch;
}

// The first record of the batch at `position` with that timestamp or a later one, between log start and limit.
Result<TimedOffset> PartitionLog::record_for_time(std::size_t number, std::uint64_t position, std::int64_t timestamp,
                                                  Offset limit) {
  Segment& segment = segments[number];
  auto opened = file(segment);
  if (!opened) return std::move(opened).error();
  Buffer bytes(record::header_bytes);
  const auto corrupt = [&](std::string_view why) {
    return Error{Code::corrupt, fmt::format("{} at byte {}: {}", segment_path(segment.info), position, why)};
  };
  auto got = context_.disk.read(*opened, position, bytes);
  if (!got) return std::move(got).error();
  const auto header = record::parse_header(Bytes(bytes).first(*got));
  if (!header || header->total_bytes() > disk_bytes(segment) - position) return corrupt("cut short");
  bytes.resize(header->total_bytes());
  got = context_.disk.read(*opened, position, bytes);
  if (!got) return std::move(got).error();
  if (record::compute_crc(bytes) != header->crc) return corrupt("checksum does not match");
  auto reader = record::open_records(bytes, *header, context_.scratch, plain_bytes_max);
  if (!reader) return TimedOffset{};  // a client's own nonsense: no record in it has a time
  record::RecordView view;
  while (reader->next(view)) {
    const Offset at = header->base_offset + view.offset_delta;
    const std::int64_t time = header->has(record::attribute::log_append_time)
                                  ? header->max_timestamp
                                  : header->base_timestamp + view.timestamp_delta;
    if (at >= limit) break;
    if (at >= log_start && time >= timestamp) return TimedOffset{0, at, time, header->leader_epoch};
  }
  return TimedOffset{};
}

TimedOffset PartitionLog::offset_for_time(std::int64_t timestamp, Offset limit) {
  if (!why_damaged.empty()) return {.error = storage_error};
  limit = std::min(limit, flushed);
  for (std::size_t number = segment_holding(log_start); number < segments.size(); ++number) {
    if (segments[number].info.max_timestamp < timestamp || segments[number].info.base >= limit) continue;
    auto index = index_of(segments[number]);
    if (!index) return {.error = failed(index.error())};
    auto place = (*index)->find_time(timestamp);
    const std::uint64_t to = disk_bytes(segments[number]);
    while (place.position < to) {
      std::optional<std::uint64_t> candidate;
      auto opened = file(segments[number]);
      if (!opened) return {.error = failed(opened.error())};
      const disklog::WalkPlan plan{place.position, to, place.offset, segments[number].info.compacted, to};
      auto walked =
          disklog::walk(context_.disk, *opened, plan, [&](const record::BatchHeader& header, std::uint64_t position) {
            if (header.base_offset >= limit) return false;
            if (header.max_timestamp >= timestamp && header.next_offset() > log_start) candidate = position;
            place = {position + header.total_bytes(), header.next_offset()};
            return !candidate;
          });
      if (!walked) return {.error = failed(walked.error())};
      if (walked->stop == disklog::WalkStop::bad) {
        if (!doubt_index(segments[number]))
          return {.error =
                      failed(Error{Code::corrupt, fmt::format("{} at byte {}: {}", segment_path(segments[number].info),
                                                              walked->position, walked->why)})};
        index = index_of(segments[number]);
        if (!index) return {.error = failed(index.error())};
        place = (*index)->find_time(timestamp);
        continue;
      }
      if (!candidate) break;
      auto found = record_for_time(number, *candidate, timestamp, limit);
      if (!found) return {.error = failed(found.error())};
      if (found->offset.value() >= 0) return *found;
    }
  }
  return {};
}

TimedOffset PartitionLog::max_timestamp(Offset limit) {
  if (!why_damaged.empty()) return {.error = storage_error};
  // The largest timestamp below the limit. Closed segments know theirs; of one that the limit cuts, or log start,
  // the headers say it.
  limit = std::min(limit, flushed);
  std::int64_t largest = -1;
  for (std::size_t number = segment_holding(log_start); number < segments.size(); ++number) {
    Segment& segment = segments[number];
    if (segment.info.base >= limit || segment.info.max_timestamp <= largest) continue;
    if (segment.info.end <= limit && segment.info.base >= log_start) {
      largest = segment.info.max_timestamp;
      continue;
    }
    auto opened = file(segment);
    if (!opened) return {.error = failed(opened.error())};
    const std::uint64_t to = disk_bytes(segment);
    const disklog::WalkPlan plan{0, to, segment.info.base, segment.info.compacted, to};
    auto walked = disklog::walk(context_.disk, *opened, plan, [&](const record::BatchHeader& header, std::uint64_t) {
      if (header.base_offset >= limit) return false;
      if (header.next_offset() > log_start) largest = std::max(largest, header.max_timestamp);
      return true;
    });
    if (!walked) return {.error = failed(walked.error())};
  }
  return largest < 0 ? TimedOffset{} : offset_for_time(largest, limit);
}

}  // namespace edgelog::broker

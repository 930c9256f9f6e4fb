// Compaction by key (KIP-58, KIP-354's rules as far as internal topics need them): of closed segments only the latest
// record of a key stays, offsets stay what they are, the last batch of a producer stays as a header, tombstones stay
// for delete.retention.ms after they were first seen here. New files are written and synced before a change names
// them; old ones go when that change is durable.
#include <algorithm>
#include <map>
#include <string>

#include "cloud-broker/partition/partition_log.h"
#include "common/base/log.h"
#include "common/record/builder.h"

namespace edgelog::broker {
namespace {

constexpr std::size_t key_bytes_max = 128u << 20;  // of the map; what does not fit waits for the next pass
constexpr std::size_t plain_bytes_max = 256u << 20;
constexpr std::size_t write_bytes = 1u << 20;

// Copies what stays of some segments into one new file.
class Rewriter {
 public:
  Rewriter(StoreContext& context, const PartitionLog& log, const LatestOffsets& latest, WallMillis wall,
           port::FileId to, Offset base)
      : context_(context), log_(log), latest_(latest), wall_(wall), to_(to), index(base) {}

  Status copy(Segment& from, port::FileId file) {
    Status failed = Ok{};
    Buffer batch;
    const disklog::WalkPlan plan{0, from.info.size, from.info.base, from.info.compacted, 0};
    auto walked =
        disklog::walk(context_.disk, file, plan, [&](const record::BatchHeader& header, std::uint64_t position) {
          batch.resize(header.total_bytes());
          auto got = context_.disk.read(file, position, batch);
          if (disklog::reaches_beyond(header, from.info.end))
            failed = Error{Code::corrupt, log_.segment_path(from.info) + ": offsets beyond the end of the segment"};
          else if (!got)
            failed = std::move(got).error();
          else if (*got != batch.size())
            failed = Error{Code::corrupt, "cut short"};
          else
            failed = take(header, batch);
          return static_cast<bool>(failed);
        });
    if (!walked) return std::move(walked).error();
    if (!failed) return failed;
    if (walked->stop != disklog::WalkStop::end) return Error{Code::corrupt, walked->why};
    return Ok{};
  }
  Status flush() {
    const Bytes bytes = out_;
    if (!bytes.empty()) TRY(context_.disk.write(to_, size - bytes.size(), {&bytes, 1}));
    out_.clear();
    return Ok{};
  }

 private:
  StoreContext& context_;
  const PartitionLog& log_;
  const LatestOffsets& latest_;
  WallMillis wall_;
  port::FileId to_;
  record::BatchBuilder builder_;
  record::Compressor compressor_;
  Buffer out_;

 public:
  disklog::SegmentIndex index;
  std::uint64_t size = 0;

 private:
  bool stays(const record::RecordView& record, Offset at, bool past_horizon) const {
    if (!record.key) return true;
    const auto found = latest_.find(as_text(*record.key));
    if (found != latest_.end() && found->second > at) return false;
    return record.value || !past_horizon;
  }

  Status take(const record::BatchHeader& header, const Buffer& batch) {
    if (header.control() || header.count == 0) return keep_if_needed(header, batch);
    auto reader = record::open_records(batch, header, context_.scratch, plain_bytes_max);
    if (!reader) return put(batch);  // a client's own nonsense stays what it is
    const bool has_horizon = header.has(record::attribute::delete_horizon);
    // Not before all below was compacted with it: an older value there would come back.
    const bool past =
        has_horizon && header.base_timestamp <= wall_.value() && header.base_offset < log_.compacted_through;
    std::int32_t kept = 0;
    bool tombstones = false;
    record::RecordReader counting = *reader;
    record::RecordView view;
    while (counting.next(view)) {
      if (!stays(view, header.base_offset + view.offset_delta, past)) continue;
      ++kept;
      tombstones |= view.key && !view.value;
    }
    if (!counting.ok()) return put(batch);
    if (kept == header.count && (!tombstones || has_horizon)) return put(batch);
    if (kept == 0) return keep_if_needed(header, batch);
    return rewrite(header, *reader, past, tombstones);
  }

  // Without records a batch stays only to remember its producer (and a control batch as it is).
  Status keep_if_needed(const record::BatchHeader& header, const Buffer& batch) {
    if (header.control()) return put(batch);
    const Offset last = log_.producers.last_offset(header.producer_id);
    const bool later = last != header.last_offset() && last < log_.committed;  // and no power cut takes that
    if (header.producer_id == no_producer || later) return Ok{};
    if (header.count == 0) return put(batch);
    builder_.reset(header.base_timestamp);
    Buffer empty;
    auto how = as_before(header);
    how.codec = record::Codec::none;
    builder_.finish(how, compressor_, empty);
    return put(empty);
  }

  Status rewrite(const record::BatchHeader& header, record::RecordReader reader, bool past, bool tombstones) {
    auto how = as_before(header);
    const bool append_time = header.has(record::attribute::log_append_time);
    const std::int64_t horizon = header.has(record::attribute::delete_horizon)
                                     ? header.base_timestamp
                                     : wall_.value() + log_.settings.delete_retention_ms;
    if (tombstones) {
      how.delete_horizon_ms = horizon;
      builder_.reset(horizon);
    } else {
      builder_.reset();
    }
    record::RecordView view;
    while (reader.next(view)) {
      if (!stays(view, header.base_offset + view.offset_delta, past)) continue;
      builder_.append_record(view, append_time ? header.max_timestamp : header.base_timestamp + view.timestamp_delta);
    }
    Buffer made;
    builder_.finish(how, compressor_, made);
    return put(made);
  }

  static record::BatchBuilder::Finish as_before(const record::BatchHeader& header) {
    record::BatchBuilder::Finish how;
    how.codec = header.codec().value_or(record::Codec::none);
    how.producer_id = header.producer_id;
    how.producer_epoch = header.producer_epoch;
    how.base_sequence = header.base_sequence;
    how.transactional = header.transactional();
    how.base_offset = header.base_offset;
    how.leader_epoch = header.leader_epoch;
    how.last_offset_delta = header.last_offset_delta;
    how.max_timestamp = header.max_timestamp;
    return how;
  }

  Status put(const Buffer& batch) {
    index.add(*record::parse_header(batch), size);
    append(out_, batch);
    size += batch.size();
    return out_.size() >= write_bytes ? flush() : Status{Ok{}};
  }
};

// The latest offset of every key in closed segments from `from` on. Gives the offset up to which that holds.
Result<Offset> collect_keys(StoreContext& context, PartitionLog& log, Offset from, LatestOffsets& latest) {
  Offset through = from;
  std::size_t bytes = 0;
  Buffer batch;
  for (std::size_t i = 0; i + 1 < log.segments.size(); ++i) {
    Segment& segment = log.segments[i];
    if (segment.info.end <= from) continue;
    if (segment.info.end > log.committed || bytes > key_bytes_max) break;
    auto file = log.file(segment);
    if (!file) return std::move(file).error();
    const disklog::WalkPlan plan{0, segment.info.size, segment.info.base, segment.info.compacted, 0};
    Status failed = Ok{};
    auto walked =
        disklog::walk(context.disk, *file, plan, [&](const record::BatchHeader& header, std::uint64_t position) {
          if (header.control()) return true;
          batch.resize(header.total_bytes());
          auto got = context.disk.read(*file, position, batch);
          if (!got) {
            failed = std::move(got).error();
            return false;
          }
          auto reader = record::open_records(batch, header, context.scratch, plain_bytes_max);
          if (!reader) return true;
          record::RecordView view;
          while (reader->next(view)) {
            if (!view.key) continue;
            const auto [at, fresh] =
                latest.insert_or_assign(std::string(as_text(*view.key)), header.base_offset + view.offset_delta);
            if (fresh) bytes += at->first.size() + 64;
          }
          return true;
        });
    if (!walked) return std::move(walked).error();
    if (!failed) return std::move(failed).error();
    if (walked->stop != disklog::WalkStop::end)
      return Error{Code::corrupt, log.segment_path(segment.info) + ": " + walked->why};
    through = segment.info.end;
  }
  return through;
}

}  // namespace

bool PartitionLog::worth_compacting() const {
  std::uint64_t clean = 0, dirty = 0;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    const auto& info = segments[i].info;
    if (info.end > committed) break;
    (info.end <= compacted_through ? clean : dirty) += info.size;
  }
  return dirty > 0 && dirty * 100 >= (clean + dirty) * static_cast<std::uint64_t>(settings.min_cleanable_dirty_percent);
}

Status PartitionLog::compact(WallMillis wall) {
  if (!why_damaged.empty() || !settings.cleanup_compact || compacting > 0 || !worth_compacting()) return Ok{};
  LatestOffsets latest;
  auto through = collect_keys(context_, *this, compacted_through, latest);
  if (!through) return broken(through.error());
  std::vector<std::pair<Offset, Offset>> groups;  // [base, end) of neighbours that fit into one segment
  std::uint64_t size = 0;
  for (std::size_t i = 0; i + 1 < segments.size() && segments[i].info.end <= *through; ++i) {
    const auto& info = segments[i].info;
    const bool joins = !groups.empty() && size + info.size <= static_cast<std::uint64_t>(settings.segment_bytes) &&
                       info.end - groups.back().first <= INT32_MAX;
    if (joins)
      groups.back().second = info.end;
    else
      groups.emplace_back(info.base, info.end);
    size = joins ? size + info.size : info.size;
  }
  pass_ = {*through};
  for (const auto& [base, end_offset] : groups) {
    if (auto rewritten = rewrite_group(base, end_offset, wall, latest); !rewritten) return broken(rewritten.error());
  }
  pass_.begun = true;
  end_pass();
  return Ok{};
}

// Only where every file was swapped is all below compacted with what the pass saw: one that was not may hold older
// values of the others' keys, which would come back once their tombstones go.
void PartitionLog::end_pass() {
  if (compacting > 0 || !pass_.begun || !pass_.whole) return;
  compacted_through = std::max(compacted_through, pass_.through);
  manifest_dirty = true;
}

Status PartitionLog::rewrite_group(Offset base, Offset group_end, WallMillis wall, const LatestOffsets& latest) {
  std::uint64_t input = 0;
  for (const auto& segment : segments)
    if (segment.info.base >= base && segment.info.end <= group_end) input += segment.info.size;
  if (!context_.has_room(input)) return Error{Code::full, "compaction: no space"};
  Segment made;
  made.info.base = base;
  made.info.end = group_end;
  made.info.version = next_version++;
  made.info.compacted = made.named = true;
  made.key = context_.files.new_key();
  const std::string new_path = segment_path(made.info);
  auto to = context_.disk.open(new_path, port::OpenMode::fresh);
  if (!to) return std::move(to).error();
  Rewriter rewriter(context_, *this, latest, wall, *to, base);
  Status copied = Ok{};
  std::vector<std::uint32_t> versions;
  for (auto& segment : segments) {
    if (segment.info.base < base || segment.info.end > group_end || !copied) continue;
    versions.push_back(segment.info.version);
    auto from = context_.disk.open(segment_path(segment.info), port::OpenMode::existing);
    if (!from) {
      copied = std::move(from).error();
      break;
    }
    copied = rewriter.copy(segment, *from);
    context_.disk.close(*from);
    made.info.last_append_ms = std::max(made.info.last_append_ms, segment.info.last_append_ms);
    if (made.info.first_append_ms < 0) made.info.first_append_ms = segment.info.first_append_ms;
  }
  if (copied) copied = rewriter.flush();
  if (!copied) {
    context_.disk.close(*to);
    if (auto gone = context_.disk.remove(new_path); !gone) LOG(warning, "{}", gone.error().what);
    return copied;
  }
  made.info.size = made.synced = made.reserved = rewriter.size;
  made.info.max_timestamp = rewriter.index.max_timestamp();
  ++compacting;
  // No journal has what only this file holds: its directory's own name must be there too.
  std::vector<std::string> directories{path()};
  if (!named) directories.emplace_back(disklog::partitions_directory);
  context_.disk.sync({*to}, std::move(directories), port::Urgency::background,
                     [this, alive = std::weak_ptr<bool>(alive_), made_info = made.info, versions](Status status) {
                       if (!alive.lock()) return;
                       --compacting;
                       const bool gone = !status && status.error().code == Code::not_found && removed;
                       if (!status && !gone) return context_.fail(std::move(status).error());
                       named = true;
                       swap_in(made_info, versions);
                       end_pass();
                     });
  context_.disk.close(*to);
  return Ok{};
}

// The new file is durable. It takes the place of the old ones unless they changed meanwhile.
void PartitionLog::swap_in(const disklog::SegmentInfo& info, const std::vector<std::uint32_t>& versions) {
  const auto first =
      std::find_if(segments.begin(), segments.end(), [&](const Segment& s) { return s.info.base == info.base; });
  std::size_t count = 0;
  for (auto at = first; at != segments.end() && at->info.base < info.end; ++at, ++count) {
    if (count >= versions.size() || at->info.version != versions[count]) break;
  }
  const bool same = !removed && count == versions.size() && first != segments.end() &&
                    std::next(first, static_cast<std::ptrdiff_t>(count)) != segments.end();
  if (!same || !why_damaged.empty()) {
    pass_.whole = false;
    if (!removed) context_.doomed.push_back(segment_path(info));
    return;
  }
  for (auto at = first; at != std::next(first, static_cast<std::ptrdiff_t>(count)); ++at) {
    context_.files.close(at->key);
    context_.doomed.push_back(segment_path(at->info));
    context_.doomed.push_back(path() + "/" + disklog::index_name(at->info.base, at->info.version));
  }
  Segment made;
  made.info = info;
  made.key = context_.files.new_key();
  made.synced = made.reserved = info.size;
  made.named = true;
  *first = std::move(made);
  segments.erase(std::next(first), std::next(first, static_cast<std::ptrdiff_t>(count)));
  manifest_dirty = true;
  context_.metrics.compactions.add();
  context_.change(id, disklog::MetaKind::replaced, info.base.value(), info.end.value(), info.version,
                  static_cast<std::int64_t>(info.size));
}

Status PartitionLog::broken(const Error& error) {
  if (error.code == Code::io) return error;
  failed(error);
  return Ok{};
}

}  // namespace edgelog::broker

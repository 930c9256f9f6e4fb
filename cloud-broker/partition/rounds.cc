// The commit path: what a loop turn appended goes to segments and journal in one go, one sync makes it durable.
// One round at a time; what arrives meanwhile makes the next one.
#include <algorithm>

#include "cloud-broker/partition/store_state.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/record/crc32c.h"

namespace edgelog::broker {
namespace {

constexpr std::size_t chunks_max = 16;       // of one partition in a round: each may be a file to sync
constexpr std::size_t entry_bytes_max = 96;  // of a DataEntry or MetaEntry in a frame

}  // namespace

// Takes what it can of one partition into the round. False: nothing fits any more.
bool StoreState::plan_part(RoundPlan& plan, PartitionLog& log, std::uint32_t& direct_count) {
  const std::size_t count = std::min(log.pending.size(), chunks_max);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) bytes += log.pending[i].bytes.size();
  // Their files are all open when the round's sync begins.
  const bool may_direct =
      direct_count < context.config.direct_partitions_max && plan.direct_files + count <= context.config.open_files_max;
  const bool fits = plan.inline_bytes + bytes <= journal_->payload_bytes_max();
  const bool direct = may_direct && (bytes >= context.config.direct_bytes || !fits);
  if (!direct && !fits) return false;
  RoundPart part{&log, log.pending[count - 1].end, {}};
  for (std::size_t i = 0; i < count; ++i) {
    const PendingChunk& chunk = log.pending[i];
    const Segment* const segment = log.find_segment(chunk.segment);
    ASSERT(segment != nullptr);  // S6: a segment with pending bytes is never trimmed or replaced
    plan.contents.data.push_back({log.id, chunk.segment, segment->info.version, chunk.position, chunk.bytes.size(),
                                  chunk.base, chunk.end, segment->info.last_append_ms, direct,
                                  direct ? 0 : record::crc32c(chunk.bytes)});
    if (direct)
      part.direct.emplace_back(chunk.segment, chunk.position + chunk.bytes.size());
    else
      plan.payload.push_back(chunk.bytes);
  }
  if (direct) {
    ++direct_count;
    plan.direct_files += count;
  } else {
    plan.inline_bytes += bytes;
  }
  plan.parts.push_back(std::move(part));
  plan.chunks.push_back(count);
  return true;
}

StoreState::RoundPlan StoreState::plan_round() {
  RoundPlan plan;
  const std::size_t entries_max = context.config.journal_file_bytes / 4 / entry_bytes_max;
  // Changes before data: a batch never stands in the journal before the segment that holds it.
  const std::size_t changes = std::min(context.pending_meta.size(), entries_max);
  plan.contents.meta.assign(context.pending_meta.begin(),
                            context.pending_meta.begin() + static_cast<std::ptrdiff_t>(changes));
  if (changes < context.pending_meta.size()) return plan;
  std::uint32_t direct_count = 0;
  for (PartitionLog* const log : context.dirty) {
    if (plan.contents.meta.size() + plan.contents.data.size() + chunks_max > entries_max && !plan.parts.empty()) break;
    if (!plan_part(plan, *log, direct_count)) break;
  }
  return plan;
}

Status StoreState::write_segments(RoundPlan& plan) {
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    PartitionLog& log = *plan.parts[i].log;
    for (std::size_t n = 0; n < plan.chunks[i]; ++n) {
      const PendingChunk& chunk = log.pending[n];
      Segment& segment = *log.find_segment(chunk.segment);
      auto file = log.file(segment);
      if (!file) return std::move(file).error();
      const Bytes bytes = chunk.bytes;
      TRY(disk_.write(*file, chunk.position, {&bytes, 1}));
    }
  }
  return name_direct(plan);
}

// What of segments the round's sync covers. Only now: the cache may have closed what was written first, for others.
Status StoreState::name_direct(RoundPlan& plan) {
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    if (plan.parts[i].direct.empty()) continue;
    PartitionLog& log = *plan.parts[i].log;
    for (std::size_t n = 0; n < plan.chunks[i]; ++n) {
      Segment& segment = *log.find_segment(log.pending[n].segment);
      auto file = log.file(segment);
      if (!file) return std::move(file).error();
      plan.files.push_back(*file);
      context.metrics.direct_bytes.add(log.pending[n].bytes.size());
      if (!segment.named) plan.directories.push_back(log.path());
    }
    if (!log.named) plan.directories.emplace_back(disklog::partitions_directory);
  }
  return Ok{};
}

void StoreState::start_round() {
  if (failed_ || round_ || !journal_) return;
  if (context.dirty.empty() && context.pending_meta.empty() && waiters_.empty()) return;
  RoundPlan plan = plan_round();
  if (plan.parts.empty() && plan.contents.meta.empty()) {
    for (auto& waiter : std::exchange(waiters_, {})) waiter();
    return;
  }
  const Buffer contents = encode(plan.contents);
  auto room = journal_->make_room(disklog::frame_head_bytes + contents.size() + plan.inline_bytes);
  if (!room) return trouble(room.error());
  blocked_ = !*room;
  if (blocked_ || (journal_->half_used() && !checkpoint_)) begin_checkpoint();
  if (blocked_) return;
  if (auto written = write_segments(plan); !written) return trouble(written.error());
  if (auto written = journal_->write(contents, plan.payload); !written) return trouble(written.error());
  context.metrics.journal_bytes.add(disklog::frame_head_bytes + contents.size() + plan.inline_bytes);
  begin_round(std::move(plan));
}

void StoreState::begin_round(RoundPlan plan) {
  Round round;
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    PartitionLog& log = *plan.parts[i].log;
    for (std::size_t n = 0; n < plan.chunks[i]; ++n) {
      log.pending_bytes -= log.pending[n].bytes.size();
      context.pending_bytes -= log.pending[n].bytes.size();
    }
    log.pending.erase(log.pending.begin(), log.pending.begin() + static_cast<std::ptrdiff_t>(plan.chunks[i]));
  }
  std::erase_if(context.dirty, [](const PartitionLog* log) { return log->pending.empty(); });
  round.parts = std::move(plan.parts);
  context.pending_meta.erase(context.pending_meta.begin(),
                             context.pending_meta.begin() + static_cast<std::ptrdiff_t>(plan.contents.meta.size()));
  if (context.pending_meta.empty()) round.doomed = std::exchange(context.doomed, {});
  if (context.pending_meta.empty() && context.dirty.empty()) round.waiters = std::exchange(waiters_, {});
  round_ = std::move(round);
  context.metrics.rounds.add();
  maybe_dirty_ = true;
  plan.files.push_back(journal_->file());
  if (journal_->new_name()) plan.directories.emplace_back(disklog::journal_directory);
  std::sort(plan.directories.begin(), plan.directories.end());
  plan.directories.erase(std::unique(plan.directories.begin(), plan.directories.end()), plan.directories.end());
  disk_.sync(std::move(plan.files), std::move(plan.directories), port::Urgency::round,
             [this, alive = alive_](Status status) {
               if (*alive) end_round(std::move(status));
             });
}

void StoreState::end_round(Status status) {
  if (failed_) return;
  if (!status) return fail(std::move(status).error());
  ASSERT(round_);
  Round round = std::move(*round_);
  round_.reset();
  journal_->named();
  durable_round_ = journal_->last_round();
  std::vector<Partition*> advanced;
  for (const auto& part : round.parts) {
    PartitionLog& log = *part.log;
    if (log.removed) continue;
    ASSERT(part.end > log.flushed && part.end <= log.end);  // S1
    log.flushed = log.committed = part.end;
    advanced.push_back(log.facade);
    for (const auto& [base, bytes] : part.direct) {
      Segment* const segment = log.find_segment(base);
      if (segment == nullptr) continue;
      segment->synced = std::max(segment->synced, bytes);
      segment->named = log.named = true;
    }
  }
  remove_doomed(round.doomed);
  sweep();
  // Callers may append and end their turn from within.
  if (!advanced.empty() && events_.on_committed) events_.on_committed(advanced);
  for (auto& waiter : round.waiters) waiter();
  const std::uint64_t since = context.metrics.appended_bytes.value() - bytes_at_checkpoint_;
  if (since > context.config.journal_file_bytes * 32 && !checkpoint_)
    begin_checkpoint();  // bounds what a start reads again
  start_round();
  advance_close();
}

void StoreState::when_durable(std::function<void()> done) {
  if (!context.dirty.empty() || !context.pending_meta.empty())
    waiters_.push_back(std::move(done));
  else if (round_)
    round_->waiters.push_back(std::move(done));
  else
    done();
}

// Deleted only now: the change that lets them go is durable. What a crash leaves over, recovery removes.
void StoreState::remove_doomed(const std::vector<std::string>& doomed) {
  const auto remove = [this](const std::string& path) {
    if (auto removed = disk_.remove(path); !removed) LOG(warning, "{}", removed.error().what);
  };
  for (const auto& path : doomed) {
    if (!path.ends_with('/')) {
      remove(path);
      continue;
    }
    const std::string directory = path.substr(0, path.size() - 1);
    if (auto names = disk_.list(directory)) {
      for (const auto& name : *names) remove(path + name);
    }
    remove(directory);
  }
}

}  // namespace edgelog::broker

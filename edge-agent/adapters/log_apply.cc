#include "edge-agent/adapters/log_apply.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "edge-agent/adapters/log_rows.h"
#include "edge-agent/adapters/log_sql.h"
#include "edge-agent/agent/gap_record.h"

namespace edgelog::agent {
namespace {

int kind(StateKind k) { return static_cast<int>(k); }

Error missing(std::string_view what, StreamId stream, EventIndex index) {
  return Error{Code::corrupt,
               fmt::format("log: {} of stream {} at {} is missing", what, stream.value(), index.value())};
}

}  // namespace

struct LogApply::Statements {
  Statement begin, commit, rollback, put_state, delete_state, select_state;
  Statement put_source, delete_source, put_recent, delete_recents;
  Statement put_run, delete_run, select_runs;
  Statement put_batch, put_head, delete_batch, select_batch, set_aside;
};

LogApply::LogApply(LogStore& store) : store_(store), sql_(std::make_unique<Statements>()) {}
LogApply::~LogApply() = default;

Result<std::unique_ptr<LogApply>> LogApply::create(LogStore& store) {
  std::unique_ptr<LogApply> self(new LogApply(store));
  Statements& s = *self->sql_;
  const std::pair<Statement*, const char*> all[] = {
      {&s.begin, "BEGIN IMMEDIATE"},
      {&s.commit, "COMMIT"},
      {&s.rollback, "ROLLBACK"},
      {&s.put_state, log_sql::put_state},
      {&s.delete_state, "DELETE FROM state WHERE kind = ?1 AND stream = ?2 AND id BETWEEN ?3 AND ?4"},
      {&s.select_state,
       "SELECT id, row, crc = row_crc(kind, stream, id, row) FROM state WHERE kind = ?1 AND stream = ?2 AND "
       "id BETWEEN ?3 AND ?4 ORDER BY id"},
      {&s.put_source, log_sql::put_source},
      {&s.delete_source, "DELETE FROM sources WHERE input = ?1 AND device = ?2 AND incarnation = ?3"},
      {&s.put_recent, log_sql::put_recent},
      {&s.delete_recents, "DELETE FROM recents WHERE input = ?1 AND device = ?2"},
      {&s.put_run, log_sql::put_run},
      {&s.delete_run, "DELETE FROM runs WHERE k = ?1"},
      // From the run that has ?1 (or the first behind it) to the one that has ?2.
      {&s.select_runs,
       "SELECT k, last, base_time, events, crc = row_crc(k, last, base_time, events) FROM runs WHERE k <= ?2 AND "
       "k >= coalesce((SELECT max(k) FROM runs WHERE k <= ?1), ?1) ORDER BY k"},
      {&s.put_batch, log_sql::put_batch},
      {&s.put_head, log_sql::put_head},
      {&s.delete_batch, "DELETE FROM batches WHERE k = ?1"},
      {&s.select_batch, "SELECT data FROM batches WHERE k = ?1"},
      {&s.set_aside, "INSERT INTO set_aside (k, error, head, data) SELECT k, ?2, head, data FROM batches WHERE k = ?1"},
  };
  for (const auto& [statement, text] : all) {
    auto prepared = store.database().prepare(text);
    if (!prepared) return std::move(prepared).error();
    *statement = std::move(*prepared);
  }
  return self;
}

Status LogApply::apply(const CommitWork& work, CommitDone& done) {
  work_ = &work;
  done_ = &done;
  next_run_ = 0;
  fresh_.clear();
  auto status = perform_all(work);
  fresh_.clear();
  if (status) return status;
  done.sealed_bytes.clear();
  done.to_publish.clear();
  // A statement that failed may have ended the transaction already (a full disk does).
  if (store_.database().in_transaction()) {
    if (auto undone = sql_->rollback.run(); !undone) return undone;
  }
  return status;
}

Status LogApply::perform_all(const CommitWork& work) {
  TRY(sql_->begin.run());
  for (const Op& op : work.transaction.ops) TRY(std::visit([this](const auto& one) { return perform(one); }, op));
  TRY(flush_fresh());
  return sql_->commit.run();
}

Status LogApply::put_state(int state_kind, StreamId stream, std::int64_t id, Bytes row) {
  return sql_->put_state.bind(1, std::int64_t{state_kind})
      .bind(2, std::int64_t{stream.value()})
      .bind(3, id)
      .bind(4, row)
      .run();
}
Status LogApply::delete_state(int state_kind, StreamId stream, std::int64_t first, std::int64_t last) {
  return sql_->delete_state.bind(1, std::int64_t{state_kind})
      .bind(2, std::int64_t{stream.value()})
      .bind(3, first)
      .bind(4, last)
      .run();
}

Status LogApply::perform(const PutMeta& op) {
  return put_state(kind(StateKind::meta), StreamId{0}, 0, encode_row(op.row));
}
Status LogApply::perform(const PutStream& op) {
  if (op.row.topic == uplink::gaps_topic) gaps_stream_ = op.row.id;
  return put_state(kind(StateKind::stream), op.row.id, 0, encode_row(op.row));
}
Status LogApply::perform(const PutOrigin& op) {
  return put_state(kind(StateKind::origin), op.row.stream, op.row.origin.value(), encode_row(op.row));
}
Status LogApply::perform(const DeleteOrigin& op) {
  return delete_state(kind(StateKind::origin), op.stream, op.origin.value(), op.origin.value());
}
Status LogApply::perform(const PutProducer& op) {
  return put_state(kind(StateKind::producer), op.row.stream, op.row.id.value(), encode_row(op.row));
}
Status LogApply::perform(const DeleteProducer& op) {
  return delete_state(kind(StateKind::producer), op.row.stream, op.row.id.value(), op.row.id.value());
}
Status LogApply::perform(const PutGap& op) {
  return put_state(kind(StateKind::gap), StreamId{0}, op.row.index.value(), encode_row(op.row));
}
Status LogApply::perform(const PutSource& op) {
  return sql_->put_source.bind(1, std::string_view(op.row.source.input))
      .bind(2, std::string_view(op.row.source.device))
      .bind(3, std::string_view(op.row.incarnation))
      .bind(4, op.row.last)
      .bind(5, op.row.used)
      .run();
}
Status LogApply::perform(const DeleteSource& op) {
  if (op.incarnation.empty())
    TRY(sql_->delete_recents.bind(1, std::string_view(op.source.input))
            .bind(2, std::string_view(op.source.device))
            .run());
  return sql_->delete_source.bind(1, std::string_view(op.source.input))
      .bind(2, std::string_view(op.source.device))
      .bind(3, std::string_view(op.incarnation))
      .run();
}
Status LogApply::perform(const PutRecent& op) {
  return sql_->put_recent.bind(1, std::string_view(op.row.source.input))
      .bind(2, std::string_view(op.row.source.device))
      .bind(3, std::int64_t{op.row.slot})
      .bind(4, op.row.number)
      .bind(5, static_cast<std::int64_t>(op.row.payload_hash))
      .run();
}

Status LogApply::perform(const InsertEvents& op) {
  ASSERT(next_run_ < work_->runs.size());
  const Run& run = work_->runs[next_run_++];
  ASSERT(run.stream == op.stream && run.first == op.first && run.last == op.last);
  fresh_[op.stream].push_back({run.last, {run.events, run.first, run.base_time}});
  return Ok{};
}

Status LogApply::perform(const DeleteEvents& op) {
  if (is_gaps(op.stream)) return delete_state(kind(StateKind::gap), StreamId{0}, op.first.value(), op.last.value());
  auto taken = take_events(op.stream, op.first, op.last);
  return taken ? Status(Ok{}) : Status(std::move(taken).error());
}

Status LogApply::perform(const Seal& op) {
  auto runs = is_gaps(op.row.stream) ? gap_run(op.row) : take_events(op.row.stream, op.row.first, op.row.last);
  if (!runs) return std::move(runs).error();
  std::vector<RunPart> parts;
  for (const HeldRun& run : *runs) parts.push_back(run.part);
  auto bytes = sealer_.seal(op.row, parts, {op.late_before, op.stamp});
  if (!bytes) return std::move(bytes).error();
  return write_batch(op.row, std::move(*bytes));
}

Status LogApply::perform(const Reseal& op) {
  auto former = stored_batch(op.stream, op.first);
  if (!former) return std::move(former).error();
  TRY(sql_->delete_batch.bind(1, key_of(op.stream, op.first)).run());
  for (const BatchRow& row : op.parts) {
    auto bytes = sealer_.reseal(row, *former, op.first, {op.late_before, op.stamp});
    if (!bytes) return std::move(bytes).error();
    TRY(write_batch(row, std::move(*bytes)));
  }
  return Ok{};
}

Status LogApply::perform(const PutBatch& op) {
  const Buffer head = encode_row(op.row);
  TRY(sql_->put_head.bind(1, key_of(op.row.stream, op.row.first)).bind(2, Bytes(head)).run());
  if (store_.database().changes() != 1) return missing("the batch", op.row.stream, op.row.first);
  if (!op.row.published) return Ok{};
  auto bytes = stored_batch(op.row.stream, op.row.first);
  if (!bytes) return std::move(bytes).error();
  done_->to_publish.push_back({op.row.stream, op.row.first, std::move(*bytes)});
  return Ok{};
}

Status LogApply::perform(const DeleteBatch& op) {
  TRY(sql_->delete_batch.bind(1, key_of(op.stream, op.first)).run());
  return store_.database().changes() == 1 ? Status(Ok{}) : Status(missing("the batch", op.stream, op.first));
}

Status LogApply::perform(const SetAside& op) {
  TRY(sql_->set_aside.bind(1, key_of(op.stream, op.first)).bind(2, std::int64_t{op.error}).run());
  TRY(store_.trim_set_aside());
  return perform(DeleteBatch{op.stream, op.first});
}

Result<std::vector<LogApply::HeldRun>> LogApply::take_events(StreamId stream, EventIndex first, EventIndex last) {
  std::vector<HeldRun> out;
  TRY(take_from_table(stream, first, last, out));
  TRY(take_fresh(stream, first, last, out));
  return out;
}

Status LogApply::take_from_table(StreamId stream, EventIndex first, EventIndex last, std::vector<HeldRun>& out) {
  std::vector<HeldRun> held;
  Statement& select = sql_->select_runs;
  select.bind(1, key_of(stream, first)).bind(2, key_of(stream, last));
  while (true) {
    auto row = select.step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    const std::int64_t key = select.integer(0);
    if (stream_of_key(key) != stream || EventIndex{select.integer(1)} < first) continue;
    if (select.integer(4) == 0) return Error{Code::corrupt, "log: a run is not as it was"};
    const auto events = blob_.unpack(select.blob(3));
    if (!events) return events.error();
    auto owner = std::make_shared<const Buffer>(events->begin(), events->end());
    const RunPart part{*owner, index_of_key(key), WallMillis{select.integer(2)}};
    held.push_back({EventIndex{select.integer(1)}, part, std::move(owner)});
  }
  select.reset();
  for (HeldRun& run : held) {
    TRY(sql_->delete_run.bind(1, key_of(stream, run.part.first)).run());
    auto rest = cut(std::move(run), first, last, out);
    if (!rest) return std::move(rest).error();
    for (const HeldRun& left : *rest) TRY(write_run(stream, left));
  }
  return Ok{};
}

Status LogApply::take_fresh(StreamId stream, EventIndex first, EventIndex last, std::vector<HeldRun>& out) {
  const auto found = fresh_.find(stream);
  if (found == fresh_.end()) return Ok{};
  std::vector<HeldRun> kept;
  for (HeldRun& run : found->second) {
    if (run.last < first || run.part.first > last) {
      kept.push_back(std::move(run));
      continue;
    }
    auto rest = cut(std::move(run), first, last, out);
    if (!rest) return std::move(rest).error();
    for (HeldRun& left : *rest) kept.push_back(std::move(left));
  }
  found->second = std::move(kept);
  return Ok{};
}

Result<std::vector<LogApply::HeldRun>> LogApply::cut(HeldRun run, EventIndex first, EventIndex last,
                                                     std::vector<HeldRun>& out) {
  std::vector<HeldRun> rest;
  if (run.part.first < first) {
    auto split = split_run(run.part, first);
    if (!split) return std::move(split).error();
    rest.push_back({first + -1, split->before, run.owner});
    run.part = split->after;
  }
  if (run.last > last) {
    auto split = split_run(run.part, last + 1);
    if (!split) return std::move(split).error();
    rest.push_back({run.last, split->after, run.owner});
    run.part = split->before;
    run.last = last;
  }
  out.push_back(std::move(run));
  return rest;
}

Status LogApply::write_run(StreamId stream, const HeldRun& run) {
  return sql_->put_run.bind(1, key_of(stream, run.part.first))
      .bind(2, run.last.value())
      .bind(3, run.part.base_time.value())
      .bind(4, blob_.pack(run.part.events))
      .run();
}

Status LogApply::flush_fresh() {
  for (const auto& [stream, runs] : fresh_)
    for (const HeldRun& run : runs) TRY(write_run(stream, run));
  return Ok{};
}

// The unsealed gaps that `row` names as a run, each the record that consumers will read.
Result<std::vector<LogApply::HeldRun>> LogApply::gap_run(const BatchRow& row) {
  auto events = std::make_shared<Buffer>();
  WallMillis base{0};
  EventIndex next = row.first;
  WallMillis before{0};
  Statement& select = sql_->select_state;
  select.bind(1, std::int64_t{kind(StateKind::gap)})
      .bind(2, std::int64_t{0})
      .bind(3, row.first.value())
      .bind(4, row.last.value());
  while (true) {
    auto found = select.step();
    if (!found) return std::move(found).error();
    if (!*found) break;
    GapRow gap;
    if (EventIndex{select.integer(0)} != next || select.integer(2) == 0 || !decode_row(select.blob(1), gap))
      return missing("the gap", row.stream, next);
    if (next == row.first) before = base = gap.timestamp;
    const std::string& agent = store_.options().agent;
    append_event(*events, gap.timestamp.value() - before.value(), agent, gap_value(agent, gap.gap), {});
    before = gap.timestamp;
    next = next + 1;
  }
  select.reset();
  if (next != row.last + 1) return missing("the gap", row.stream, next);
  TRY(delete_state(kind(StateKind::gap), StreamId{0}, row.first.value(), row.last.value()));
  std::vector<HeldRun> runs;
  const RunPart part{*events, row.first, base};
  runs.push_back({row.last, part, std::move(events)});
  return runs;
}

Status LogApply::write_batch(BatchRow row, Buffer bytes) {
  row.bytes = static_cast<std::int32_t>(bytes.size());
  const Buffer head = encode_row(row);
  TRY(sql_->put_batch.bind(1, key_of(row.stream, row.first)).bind(2, Bytes(head)).bind(3, Bytes(bytes)).run());
  done_->sealed_bytes.push_back(row.bytes);
  if (row.published) done_->to_publish.push_back({row.stream, row.first, std::move(bytes)});
  return Ok{};
}

Result<Buffer> LogApply::stored_batch(StreamId stream, EventIndex first) {
  Statement& select = sql_->select_batch;
  auto row = select.bind(1, key_of(stream, first)).step();
  if (!row) return std::move(row).error();
  if (!*row) {
    select.reset();
    return missing("the batch", stream, first);
  }
  const Bytes data = select.blob(0);
  Buffer bytes(data.begin(), data.end());
  select.reset();
  // What is sealed anew gets a good CRC, whatever it holds.
  if (!is_whole(bytes)) return store_.damaged_batch(stream, first);
  return bytes;
}

// Asked for once: a stream keeps its id as long as the log lives.
bool LogApply::is_gaps(StreamId stream) {
  if (gaps_stream_.value() < 0) {
    auto rows = store_.database().prepare("SELECT stream, row FROM state WHERE kind = 2");
    while (rows) {
      auto row = rows->step();
      if (!row || !*row) break;
      StreamRow decoded;
      if (decode_row(rows->blob(1), decoded) && decoded.topic == uplink::gaps_topic)
        gaps_stream_ = StreamId{static_cast<std::int32_t>(rows->integer(0))};
    }
  }
  return stream == gaps_stream_;
}

}  // namespace edgelog::agent

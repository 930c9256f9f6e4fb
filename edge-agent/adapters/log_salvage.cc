// What is still readable of a damaged log goes into a new one: LogStore::salvage. All small rows are read first and
// judged together with what is known of each batch and run (log_check.h); then what is good is copied, a piece of the
// log at a time, so that it needs no room for a WAL of all of it. Whoever calls this holds the damage mark: what a
// crash leaves half copied begins again.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "common/record/batch.h"
#include "common/uplink/names.h"
#include "edge-agent/adapters/log_check.h"
#include "edge-agent/adapters/log_rows.h"
#include "edge-agent/adapters/log_sql.h"
#include "edge-agent/adapters/log_store.h"
#include "edge-agent/adapters/run_blob.h"
#include "edge-agent/agent/run.h"

namespace edgelog::agent {
namespace {

// Opening it writes nothing. In exclusive mode, as the log: its WAL then needs no shared memory beside it. What is no
// damage (no memory, a file that cannot be opened) is io: another start may read it.
Result<Database> open_damaged(const std::string& path, const std::string& vfs) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error)
    return Error{Code::not_found, fmt::format("{} is not there", path)};
  const auto no_damage = [](Error failed) {
    return failed.code == Code::corrupt ? failed
                                        : Error{failed.code == Code::full ? Code::full : Code::io, failed.what};
  };
  auto damaged = Database::open(path, false, vfs);
  if (!damaged) return no_damage(std::move(damaged).error());
  if (auto mode = damaged->execute("PRAGMA locking_mode = EXCLUSIVE"); !mode) return no_damage(std::move(mode).error());
  if (auto state = damaged->prepare("SELECT row FROM state"); !state) return no_damage(std::move(state).error());
  return damaged;
}

// Rows up from the least key until one cannot be read, then down from the greatest. `key`: its columns.
template <class Each>
void each_row(Database& from, const std::string& select, std::initializer_list<const char*> key, Each each) {
  for (const char* direction : {"ASC", "DESC"}) {
    std::string order;
    for (const char* column : key) order += fmt::format("{}{} {}", order.empty() ? "" : ", ", column, direction);
    auto rows = from.prepare(fmt::format("{} ORDER BY {}", select, order));
    while (rows) {
      auto row = rows->step();
      if (!row) break;
      if (!*row) return;
      each(*rows);
    }
  }
}

// Each key once: a row that was read in both directions stands there twice.
template <class Row, class Key>
void sort_and_unite(std::vector<Row>& rows, Key key) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return key(a) < key(b); });
  rows.erase(std::unique(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return key(a) == key(b); }),
             rows.end());
}

// Of a stream's row that is not as it was, what its events hang on is believed; where they go and from where on to look
// for them is decided anew.
void forget_the_cloud(StreamRow& row) {
  StreamRow fresh{row.id, row.topic, row.next, row.floor};
  row = std::move(fresh);
}

// Rows that are malformed, or not as they were, are left out: what depended on them contradicts the rest then. But
// without a stream's or an origin's row all of its events would be left out: these are taken at their word.
void gather_state(Database& from, Persisted& out) {
  each_row(from, log_sql::all_state, {"kind", "stream", "id"}, [&](Statement& row) {
    const auto kind = static_cast<StateKind>(row.integer(0));
    const bool whole = row.integer(4) != 0;
    if (!whole && kind != StateKind::stream && kind != StateKind::origin) return;
    const StreamId stream{static_cast<std::int32_t>(row.integer(1))};
    const bool added = add_state_row(out, row.integer(0), stream, row.integer(2), row.blob(3));
    if (added && !whole && kind == StateKind::stream) forget_the_cloud(out.streams.back());
  });
  sort_and_unite(out.streams, [](const StreamRow& row) { return row.id; });
  sort_and_unite(out.origins, [](const OriginRow& row) { return std::pair(row.stream, row.origin); });
  sort_and_unite(out.producers, [](const ProducerRow& row) { return std::pair(row.stream, row.id); });
  sort_and_unite(out.gaps, [](const GapRow& row) { return row.index; });
  // Nobody knows what is missing: rule 7 before anything of it goes on.
  for (OriginRow& row : out.origins) row.must_resolve = true;
}

void gather_sources(Database& from, Persisted& out) {
  each_row(from, log_sql::all_sources, {"input", "device", "incarnation"}, [&](Statement& row) {
    if (row.integer(5) == 0) return;
    out.sources.push_back({{std::string(row.text(0)), std::string(row.text(1))},
                           std::string(row.text(2)),
                           row.integer(3),
                           row.integer(4)});
  });
  each_row(from, log_sql::all_recents, {"input", "device", "slot"}, [&](Statement& row) {
    if (row.integer(5) == 0) return;
    out.recents.push_back({{std::string(row.text(0)), std::string(row.text(1))},
                           static_cast<std::int32_t>(row.integer(2)),
                           row.integer(3),
                           static_cast<std::uint64_t>(row.integer(4))});
  });
}

// The columns of a row by its key, so that one which cannot be read hides no other.
class RowsByKey {
 public:
  RowsByKey(Database& from, std::string_view select) : select_(from.prepare(select)) {}
  // Valid until the next call; null: there is none that can be read.
  Statement* at(std::int64_t key) {
    if (!select_) return nullptr;
    select_->reset();
    auto row = select_->bind(1, key).step();
    return row && *row ? &*select_ : nullptr;
  }

 private:
  Result<Statement> select_;
};

std::vector<std::int64_t> keys_of(Database& from, const char* table) {
  std::vector<std::int64_t> keys;
  each_row(from, fmt::format("SELECT k FROM {}", table), {"k"},
           [&](Statement& row) { keys.push_back(row.integer(0)); });
  std::erase_if(keys, [](std::int64_t key) { return key < 0; });
  sort_and_unite(keys, [](std::int64_t key) { return key; });
  return keys;
}

Piece piece_at(Piece::Kind kind, std::int64_t key) {
  Piece piece;
  piece.kind = kind;
  piece.stream = stream_of_key(key);
  piece.first = index_of_key(key);
  piece.malformed = true;  // until it is read
  return piece;
}

// What the batch's row says, where its bytes do not say otherwise. Bytes that are damaged say nothing: then the row
// stands for it (LogStore::set_damaged_aside).
Piece batch_piece(std::int64_t key, Statement* head, Statement* data) {
  Piece piece = piece_at(Piece::Kind::batch, key);
  BatchRow row;
  if (head == nullptr || head->integer(2) == 0 || !decode_row(head->blob(1), row) || row.bytes < 0 || row.sequence < 0)
    return piece;
  if (row.last < piece.first || row.last.value() >= index_limit) return piece;
  if (data != nullptr && is_whole(data->blob(1))) {
    const auto header = record::parse_header(data->blob(1));
    if (!header || header->count != row.last - piece.first + 1) return piece;
  }
  piece.last = row.last;
  piece.origin = row.origin;
  piece.published = row.published;
  piece.oldest = row.taken;
  piece.newest = row.newest;
  piece.malformed = false;
  return piece;
}

Piece run_piece(std::int64_t key, Statement* row, RunBlob& blob) {
  Piece piece = piece_at(Piece::Kind::run, key);
  if (row == nullptr || row->integer(4) == 0) return piece;
  const auto events = blob.unpack(row->blob(3));
  if (!events) return piece;
  RunReader reader(*events, WallMillis{row->integer(2)});
  EventView event;
  EventIndex next = piece.first;
  for (; reader.next(event); next = next + 1) {
    if (next == piece.first) piece.oldest = event.timestamp;
    piece.newest = event.timestamp;
  }
  piece.last = EventIndex{row->integer(1)};
  piece.malformed = !reader.ok() || next != piece.last + 1;
  return piece;
}

std::vector<Piece> all_pieces(Database& from, const Persisted& rows, RowsByKey& heads, RowsByKey& data,
                              RowsByKey& runs) {
  std::vector<Piece> pieces;
  RunBlob blob;
  for (const std::int64_t key : keys_of(from, "batches"))
    pieces.push_back(batch_piece(key, heads.at(key), data.at(key)));
  for (const std::int64_t key : keys_of(from, "runs")) pieces.push_back(run_piece(key, runs.at(key), blob));
  for (const StreamRow& stream : rows.streams) {
    if (stream.topic != uplink::gaps_topic) continue;
    for (const GapRow& gap : rows.gaps)
      pieces.push_back(
          {Piece::Kind::gap, stream.id, gap.index, gap.index, no_producer, false, false, gap.timestamp, gap.timestamp});
  }
  return pieces;
}

class Copy {
 public:
  explicit Copy(LogStore& to) : to_(to) {}

  Status small_rows(const Persisted& rows) {
    TRY(begin(log_sql::put_state));
    TRY(state(StateKind::meta, StreamId{0}, 0, encode_row(rows.meta)));
    for (const auto& row : rows.streams) TRY(state(StateKind::stream, row.id, 0, encode_row(row)));
    for (const auto& row : rows.origins) TRY(state(StateKind::origin, row.stream, row.origin.value(), encode_row(row)));
    for (const auto& row : rows.producers) TRY(state(StateKind::producer, row.stream, row.id.value(), encode_row(row)));
    for (const auto& row : rows.gaps) TRY(state(StateKind::gap, StreamId{0}, row.index.value(), encode_row(row)));
    TRY(prepare(log_sql::put_source));
    for (const auto& row : rows.sources) {
      name(row.source);
      TRY(insert_.bind(3, std::string_view(row.incarnation)).bind(4, row.last).bind(5, row.used).run());
    }
    TRY(prepare(log_sql::put_recent));
    for (const auto& row : rows.recents) {
      name(row.source);
      insert_.bind(3, std::int64_t{row.slot}).bind(4, row.number);
      TRY(insert_.bind(5, static_cast<std::int64_t>(row.payload_hash)).run());
    }
    return commit();
  }
  Status batches(std::vector<Piece>& pieces, RowsByKey& head, RowsByKey& data) {
    TRY(begin(log_sql::put_batch));
    for (Piece& piece : pieces) {
      if (piece.kind != Piece::Kind::batch) continue;
      const std::int64_t key = key_of(piece.stream, piece.first);
      Statement* row = head.at(key);
      if (row == nullptr) return Error{Code::io, "a batch that was read is not read again"};
      Statement* bytes = data.at(key);
      const bool whole = bytes != nullptr && is_whole(bytes->blob(1));
      insert_.bind(1, key).bind(2, row->blob(1)).bind(3, whole ? bytes->blob(1) : Bytes{});
      TRY(add(piece, whole ? bytes->blob(1).size() : 0));
    }
    return commit();
  }
  Status runs(std::vector<Piece>& pieces, RowsByKey& from) {
    TRY(begin(log_sql::put_run));
    for (Piece& piece : pieces) {
      if (piece.kind != Piece::Kind::run) continue;
      const std::int64_t key = key_of(piece.stream, piece.first);
      Statement* row = from.at(key);
      if (row == nullptr) return Error{Code::io, "a run that was read is not read again"};
      insert_.bind(1, key).bind(2, row->integer(1)).bind(3, row->integer(2)).bind(4, row->blob(3));
      TRY(add(piece, row->blob(3).size()));
    }
    return commit();
  }
  // What is not durable is not there.
  Status undo() {
    insert_.reset();
    open_.clear();
    return to_.database().in_transaction() ? to_.database().execute("ROLLBACK") : Status(Ok{});
  }

 private:
  Status begin(const char* insert) {
    TRY(prepare(insert));
    bytes_ = 0;
    return to_.database().execute("BEGIN IMMEDIATE");
  }
  Status prepare(const char* insert) {
    auto prepared = to_.database().prepare(insert);
    if (!prepared) return std::move(prepared).error();
    insert_ = std::move(*prepared);
    return Ok{};
  }
  Status commit() {
    TRY(to_.database().execute("COMMIT"));
    for (Piece* piece : open_) piece->copied = true;
    open_.clear();
    return to_.tend();
  }
  Status add(Piece& piece, std::size_t bytes) {
    TRY(insert_.run());
    open_.push_back(&piece);
    bytes_ += static_cast<std::int64_t>(bytes);
    if (bytes_ < to_.options().wal_bytes_max) return Ok{};
    bytes_ = 0;
    TRY(commit());
    return to_.database().execute("BEGIN IMMEDIATE");
  }
  Status state(StateKind kind, StreamId stream, std::int64_t id, const Buffer& row) {
    insert_.bind(1, static_cast<std::int64_t>(kind)).bind(2, std::int64_t{stream.value()});
    return insert_.bind(3, id).bind(4, Bytes(row)).run();
  }
  void name(const SourceName& source) {
    insert_.bind(1, std::string_view(source.input)).bind(2, std::string_view(source.device));
  }

  LogStore& to_;
  Statement insert_;
  std::int64_t bytes_ = 0;    // in the transaction that is open
  std::vector<Piece*> open_;  // its pieces
};

// The new log's own damage is not the damaged one's: the next start copies anew.
Status of_new(Status status) {
  if (status || status.error().code == Code::full) return status;
  return Error{Code::io, "copying to the new log: " + status.error().what};
}

// Leaves in `pieces` what was copied. What there was no room for is lost.
void leave_out_uncopied(const Persisted& rows, std::vector<Piece>& pieces, LeftOut& out) {
  std::vector<Piece> kept, left;
  for (const Piece& piece : pieces)
    (piece.copied || piece.kind == Piece::Kind::gap ? kept : left).push_back(piece);  // gaps went with the small rows
  out.pieces += static_cast<std::int64_t>(left.size());
  for (Gap& gap : name_lost(rows, kept, left)) out.lost.push_back(std::move(gap));
  pieces = std::move(kept);
}

}  // namespace

Result<Salvaged> LogStore::salvage(const std::string& from) {
  auto damaged = open_damaged(from, options_.vfs);
  if (!damaged) return std::move(damaged).error();
  Persisted rows;
  gather_state(*damaged, rows);
  if (rows.streams.empty()) return Error{Code::not_found, "the table state is lost"};
  gather_sources(*damaged, rows);
  RowsByKey heads(*damaged, "SELECT k, head, crc = row_crc(k, head) FROM batches WHERE k = ?1"),
      data(*damaged, "SELECT k, data FROM batches WHERE k = ?1"),
      runs(*damaged, fmt::format("{} WHERE k = ?1", log_sql::all_runs));
  std::vector<Piece> pieces = all_pieces(*damaged, rows, heads, data, runs);
  LeftOut left_out = leave_out_contradictions(rows, pieces);
  std::set<EventIndex> gaps;
  for (const Piece& piece : pieces)
    if (piece.kind == Piece::Kind::gap) gaps.insert(piece.first);
  std::erase_if(rows.gaps, [&](const GapRow& gap) { return !gaps.contains(gap.index); });
  Copy copy(*this);
  TRY(of_new(copy.small_rows(rows)));
  auto status = of_new(copy.batches(pieces, heads, data));
  if (status) status = of_new(copy.runs(pieces, runs));
  Salvaged out;
  out.full = !status && status.error().code == Code::full;
  if (!status && !out.full) return std::move(status).error();
  if (out.full) {
    TRY(of_new(copy.undo()));
    leave_out_uncopied(rows, pieces, left_out);
  }
  out.left_out = left_out.pieces;
  out.lost = std::move(left_out.lost);
  for (const Piece& piece : pieces) {
    out.batches += piece.kind == Piece::Kind::batch ? 1 : 0;
    out.runs += piece.kind == Piece::Kind::run ? 1 : 0;
  }
  return out;
}

}  // namespace edgelog::agent

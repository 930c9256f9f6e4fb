// What is still readable of a damaged log goes into a new one: LogStore::salvage.
#include <fmt/format.h>

#include "edge-agent/adapters/log_rows.h"
#include "edge-agent/adapters/log_store.h"

namespace edgelog::agent {
namespace {

// Copies a table row by row, up from its least key until a row cannot be read, then down from its greatest.
Result<std::int64_t> copy_rows(Database& from, Database& to, std::string_view table, int columns) {
  std::int64_t copied = 0, reached = -1;
  auto insert =
      to.prepare(fmt::format("INSERT OR IGNORE INTO {} VALUES (?1, ?2, ?3{})", table, columns == 4 ? ", ?4" : ""));
  if (!insert) return std::move(insert).error();
  for (const char* order : {"ASC", "DESC"}) {
    auto select = from.prepare(fmt::format("SELECT * FROM {} ORDER BY k {}", table, order));
    if (!select) continue;
    while (true) {
      auto row = select->step();
      if (!row || !*row) break;
      const std::int64_t key = select->integer(0);
      if (key == reached) break;
      if (order[0] == 'A') reached = key;
      insert->bind(1, key);
      if (columns == 4)
        insert->bind(2, select->integer(1)).bind(3, select->integer(2)).bind(4, select->blob(3));
      else
        insert->bind(2, select->blob(1)).bind(3, select->blob(2));
      TRY(insert->run());
      copied += to.changes();
    }
  }
  return copied;
}

Status copy_state(Database& from, Database& to) {
  auto select = from.prepare("SELECT kind, stream, id, row FROM state");
  auto insert = to.prepare("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4)");
  if (!select || !insert) return Error{Code::not_found, "the table state is lost"};
  std::int64_t rows = 0;
  while (true) {
    auto row = select->step();
    if (!row) return std::move(row).error();  // half of it is worth nothing
    if (!*row) break;
    const Bytes bytes = select->blob(3);
    Buffer encoded(bytes.begin(), bytes.end());
    if (select->integer(0) == static_cast<std::int64_t>(StateKind::origin)) {
      // Nobody knows what is missing of it: rule 7 before it goes on.
      OriginRow origin;
      if (!decode_row(bytes, origin)) return Error{Code::not_found, "a malformed row in table state"};
      origin.must_resolve = true;
      encoded = encode_row(origin);
    }
    insert->bind(1, select->integer(0)).bind(2, select->integer(1)).bind(3, select->integer(2)).bind(4, Bytes(encoded));
    TRY(insert->run());
    ++rows;
  }
  return rows > 0 ? Status(Ok{}) : Status(Error{Code::not_found, "the table state is empty"});
}

void copy_sources(Database& from, Database& to) {
  auto select = from.prepare("SELECT input, device, incarnation, last, used FROM sources");
  auto insert = to.prepare("INSERT OR REPLACE INTO sources VALUES (?1, ?2, ?3, ?4, ?5)");
  while (select && insert) {
    auto row = select->step();
    if (!row || !*row) return;
    insert->bind(1, select->text(0)).bind(2, select->text(1)).bind(3, select->text(2));
    if (auto done = insert->bind(4, select->integer(3)).bind(5, select->integer(4)).run(); !done) return;
  }
}

}  // namespace

Result<std::int64_t> LogStore::salvage(const std::string& from) {
  auto damaged = Database::open(from, false, options_.vfs);
  if (!damaged) return std::move(damaged).error();
  TRY(database_.execute("BEGIN IMMEDIATE"));
  const auto undo = [&](Error error) -> Result<std::int64_t> {
    if (auto undone = database_.execute("ROLLBACK"); !undone) return std::move(undone).error();
    return error;
  };
  if (auto state = copy_state(*damaged, database_); !state) return undo(std::move(state).error());
  copy_sources(*damaged, database_);
  auto runs = copy_rows(*damaged, database_, "runs", 4);
  if (!runs) return undo(std::move(runs).error());
  auto batches = copy_rows(*damaged, database_, "batches", 3);
  if (!batches) return undo(std::move(batches).error());
  // What was copied must read as a log, or a new one is better.
  auto all = read_all();
  if (!all) return undo(std::move(all).error());
  if (const char* what = contradiction(*all)) return undo(Error{Code::corrupt, what});
  if (auto committed = database_.execute("COMMIT"); !committed) return undo(std::move(committed).error());
  return *runs + *batches;
}

}  // namespace edgelog::agent

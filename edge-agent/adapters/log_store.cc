#include "edge-agent/adapters/log_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "edge-agent/adapters/log_rows.h"
#include "edge-agent/adapters/log_sql.h"
#include "edge-agent/adapters/run_blob.h"
#include "edge-agent/agent/run.h"

namespace edgelog::agent {
namespace {

constexpr std::int64_t application_id = 0x45444c47;  // "EDLG"

constexpr std::int64_t page_bytes = 4096;
constexpr std::int64_t wal_file_bytes_max = std::int64_t{8} << 20;  // what a checkpoint leaves of its file

constexpr const char* schema = R"sql(CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE state (kind INTEGER, stream INTEGER, id INTEGER, row BLOB, crc INTEGER,
                    PRIMARY KEY (kind, stream, id)) WITHOUT ROWID;
CREATE TABLE runs (k INTEGER PRIMARY KEY, last INTEGER, base_time INTEGER, crc INTEGER, events BLOB);
CREATE TABLE batches (k INTEGER PRIMARY KEY, head BLOB, crc INTEGER, data BLOB);
CREATE TABLE set_aside (n INTEGER PRIMARY KEY, k INTEGER, error INTEGER, head BLOB, data BLOB);
CREATE TABLE sources (input TEXT, device TEXT, incarnation TEXT, last INTEGER, used INTEGER, crc INTEGER,
                      PRIMARY KEY (input, device, incarnation)) WITHOUT ROWID;
CREATE TABLE recents (input TEXT, device TEXT, slot INTEGER, number INTEGER, hash INTEGER, crc INTEGER,
                      PRIMARY KEY (input, device, slot)) WITHOUT ROWID;
)sql";

// An unsealed gap is an event of its stream too.
void add_gap_events(Persisted& out) {
  for (const StreamRow& stream : out.streams) {
    if (stream.topic != uplink::gaps_topic) continue;
    for (const GapRow& gap : out.gaps) out.events.push_back({stream.id, gap.index, gap.timestamp, gap_bytes});
  }
  std::sort(out.events.begin(), out.events.end(), [](const EventRow& a, const EventRow& b) {
    return std::pair(a.stream, a.index) < std::pair(b.stream, b.index);
  });
}

Error damaged(const std::string& path, std::string_view what) {
  return Error{Code::corrupt, fmt::format("{}: {}", path, what)};
}

// Readable by the agent's user only: SQLite gives the WAL the database's mode. Those of a version before are open to
// all; one that belongs to somebody else stays as it is. A file that is there is not opened here: to close it would
// release the locks of a connection of this process.
void keep_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file >= 0) close(file);
  for (const char* suffix : {"", "-wal"}) chmod((path + suffix).c_str(), S_IRUSR | S_IWUSR);
}

std::int64_t file_bytes(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

}  // namespace

std::int64_t key_of(StreamId stream, EventIndex index) {
  ASSERT(index.value() >= 0 && index.value() < index_limit && stream.value() >= 0 && stream.value() < 32768);
  return static_cast<std::int64_t>(stream.value()) << 48 | index.value();
}
StreamId stream_of_key(std::int64_t key) { return StreamId{static_cast<std::int32_t>(key >> 48)}; }
EventIndex index_of_key(std::int64_t key) { return EventIndex{key & (index_limit - 1)}; }

Result<std::unique_ptr<LogStore>> LogStore::open(const LogOptions& options) {
  std::unique_ptr<LogStore> store(new LogStore(options));
  if (options.vfs.empty()) keep_private(options.path);
  auto database = Database::open(options.path, true, options.vfs);
  if (!database) return std::move(database).error();
  store->database_ = std::move(*database);
  TRY(store->initialise());
  return store;
}

Status LogStore::initialise() {
  // Debian's SQLite overwrites what is deleted; in a log that goes round, that only doubles the writing.
  for (const char* pragma : {"PRAGMA page_size = 4096", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
                             "PRAGMA synchronous = FULL", "PRAGMA cache_size = -768", "PRAGMA secure_delete = OFF",
                             "PRAGMA temp_store = MEMORY", "PRAGMA cell_size_check = ON"})
    TRY(database_.execute(pragma));
  TRY(database_.execute(fmt::format("PRAGMA journal_size_limit = {}", wal_file_bytes_max).c_str()));
  auto version = database_.pragma("PRAGMA user_version");
  if (!version) return std::move(version).error();
  if (*version > log_schema_version)
    return Error{Code::unsupported, fmt::format("{}: format {} is newer than this version's {}", options_.path,
                                                *version, log_schema_version)};
  if (*version != 0 && *version < log_schema_version)
    return Error{Code::unsupported,
                 fmt::format("{}: format {} is older than this version's {}; let the version that wrote it forward all "
                             "of it, then remove it",
                             options_.path, *version, log_schema_version)};
  if (*version == 0) TRY(create_schema());
  return check_identity();
}

Status LogStore::create_schema() {
  TRY(database_.execute("BEGIN IMMEDIATE"));
  TRY(database_.execute(schema));
  auto insert = database_.prepare("INSERT INTO about VALUES ('agent', ?1)");
  if (!insert) return std::move(insert).error();
  TRY(insert->bind(1, std::string_view(options_.agent)).run());
  TRY(database_.execute(fmt::format("PRAGMA application_id = {}", application_id).c_str()));
  TRY(database_.execute(fmt::format("PRAGMA user_version = {}", log_schema_version).c_str()));
  return database_.execute("COMMIT");
}

Result<std::string> LogStore::owner() {
  auto select = database_.prepare("SELECT value FROM about WHERE name = 'agent'");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return damaged(options_.path, "it does not say whose it is");
  return std::string(select->text(0));
}

Status LogStore::check_identity() {
  auto application = database_.pragma("PRAGMA application_id");
  if (!application) return std::move(application).error();
  auto whose = owner();
  const bool ours = whose && *whose == options_.agent;
  if (*application != application_id && ours) return damaged(options_.path, "it says whose it is, and not what it is");
  if (*application != application_id)
    return Error{Code::unsupported, fmt::format("{}: not an edgelog agent's log", options_.path)};
  if (!whose) return std::move(whose).error();
  if (ours) return Ok{};
  return Error{Code::unsupported,
               fmt::format("{}: the log of agent '{}', not of '{}'", options_.path, *whose, options_.agent)};
}

Status LogStore::read_state(Persisted& out) {
  auto select = database_.prepare(fmt::format("{} ORDER BY kind, stream, id", log_sql::all_state));
  if (!select) return std::move(select).error();
  while (true) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return Ok{};
    const StreamId stream{static_cast<std::int32_t>(select->integer(1))};
    if (select->integer(4) == 0 || !add_state_row(out, select->integer(0), stream, select->integer(2), select->blob(3)))
      return damaged(options_.path, "a malformed row in table state");
  }
}

// One EventRow for each event of each run: what its payload takes, and its timestamp.
Status LogStore::read_runs(Persisted& out) {
  auto select = database_.prepare(fmt::format("{} ORDER BY k", log_sql::all_runs));
  if (!select) return std::move(select).error();
  EventView event;
  RunBlob blob;
  while (true) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return Ok{};
    const StreamId stream = stream_of_key(select->integer(0));
    const EventIndex last{select->integer(1)};
    const auto events = blob.unpack(select->blob(3));
    if (!events) return events.error();
    RunReader reader(*events, WallMillis{select->integer(2)});
    std::size_t left = reader.rest().size();
    EventIndex index = index_of_key(select->integer(0));
    for (; reader.next(event); index = index + 1) {
      const std::size_t bytes = left - reader.rest().size();
      left = reader.rest().size();
      out.events.push_back({stream, index, event.timestamp, static_cast<std::int32_t>(bytes)});
    }
    if (select->integer(4) == 0 || !reader.ok() || index != last + 1) return damaged(options_.path, "a malformed run");
  }
}

Status LogStore::read_batches(Persisted& out) {
  auto select = database_.prepare("SELECT k, head, length(data), crc = row_crc(k, head) FROM batches ORDER BY k");
  if (!select) return std::move(select).error();
  while (true) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return Ok{};
    BatchRow& batch = out.batches.emplace_back();
    if (select->integer(3) == 0 || !decode_row(select->blob(1), batch))
      return damaged(options_.path, "a malformed batch");
    batch.stream = stream_of_key(select->integer(0));
    batch.first = index_of_key(select->integer(0));
    batch.damaged = select->integer(2) == 0;
  }
}

Status LogStore::read_sources(Persisted& out) {
  auto sources = database_.prepare(fmt::format("{} ORDER BY 1, 2, 3", log_sql::all_sources));
  if (!sources) return std::move(sources).error();
  while (true) {
    auto row = sources->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    if (sources->integer(5) == 0) return damaged(options_.path, "a malformed source");
    out.sources.push_back({{std::string(sources->text(0)), std::string(sources->text(1))},
                           std::string(sources->text(2)),
                           sources->integer(3),
                           sources->integer(4)});
  }
  auto recents = database_.prepare(fmt::format("{} ORDER BY 1, 2, 3", log_sql::all_recents));
  if (!recents) return std::move(recents).error();
  while (true) {
    auto row = recents->step();
    if (!row) return std::move(row).error();
    if (!*row) return Ok{};
    if (recents->integer(5) == 0) return damaged(options_.path, "a malformed slot of a source");
    out.recents.push_back({{std::string(recents->text(0)), std::string(recents->text(1))},
                           static_cast<std::int32_t>(recents->integer(2)),
                           recents->integer(3),
                           static_cast<std::uint64_t>(recents->integer(4))});
  }
}

Result<Persisted> LogStore::read_all() {
  Persisted out;
  TRY(read_state(out));
  TRY(read_runs(out));
  TRY(read_batches(out));
  TRY(read_sources(out));
  add_gap_events(out);
  return out;
}

Result<Buffer> LogStore::read_batch(StreamId stream, EventIndex first) {
  auto select = database_.prepare("SELECT data FROM batches WHERE k = ?1");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, key_of(stream, first)).step();
  if (!row) return std::move(row).error();
  if (!*row) return Error{Code::not_found, fmt::format("{}: no batch at {}", options_.path, first.value())};
  const Bytes data = select->blob(0);
  if (!is_whole(data)) return damaged_batch(stream, first);
  return Buffer(data.begin(), data.end());
}

Error LogStore::damaged_batch(StreamId stream, EventIndex first) {
  met_damaged_batch_ = true;
  return damaged(options_.path,
                 fmt::format("the batch of stream {} at {} is not as it was", stream.value(), first.value()));
}

Status LogStore::tend() {
  if (database_.wal_pages() * page_bytes <= options_.wal_bytes_max) return Ok{};
  auto status = database_.checkpoint();
  if (!status && status.error().code == Code::full) return Ok{};
  return status;
}

std::int64_t LogStore::free_inside() {
  const auto pages = database_.pragma("PRAGMA freelist_count");
  return pages ? *pages * page_bytes : 0;
}

// The database file never shrinks: what was deleted of it is written to again, and does not count.
std::int64_t LogStore::bytes() {
  const auto pages = database_.pragma("PRAGMA page_count");
  const std::int64_t in_use = pages ? *pages * page_bytes - free_inside() : file_bytes(options_.path);
  return in_use + std::min(file_bytes(options_.path + "-wal"), wal_file_bytes_max);
}

}  // namespace edgelog::agent

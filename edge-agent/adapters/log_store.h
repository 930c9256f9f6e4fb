#pragma once
// The agent's log in SQLite: schema, opening, reading. Synchronous; the log's writer thread owns it
// (sqlite_log.h), and log_apply.h writes to it. One connection in exclusive locking mode: nobody else can
// pin the WAL, its index needs no shared memory, and a second process is refused.
#include <memory>
#include <string>

#include "edge-agent/adapters/sqlite.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

inline constexpr std::int64_t log_schema_version = 2;  // 1 had no checksums

struct LogOptions {
  std::string path;                                    // of the database file
  std::string agent;                                   // id: part of gap records; another agent's log is refused
  std::string vfs;                                     // tests only: a registered SQLite VFS
  std::int64_t wal_bytes_max = std::int64_t{4} << 20;  // the WAL is checkpointed when it is larger
  std::int64_t set_aside_bytes_max = std::int64_t{16} << 20;
  std::int64_t reserve_bytes = 0;  // kept on the disk for when it is full: SQLite needs room to delete in
};

// The key of runs and batches: stream << 48 | index of the first event.
inline constexpr std::int64_t index_limit = std::int64_t{1} << 48;
std::int64_t key_of(StreamId stream, EventIndex index);
StreamId stream_of_key(std::int64_t key);
EventIndex index_of_key(std::int64_t key);

// A batch whole and as it was sealed: SQLite has no checksum of its own, so every use of a stored one begins here.
bool is_whole(Bytes batch);

struct Salvaged {
  std::int64_t batches = 0, runs = 0, left_out = 0;
  bool full = false;      // the disk was, and what was not copied by then is among what was left out
  std::vector<Gap> lost;  // of what was left out, where it is known: log_lost
};

class LogStore {
 public:
  // Opens or creates. Code::corrupt: damaged, the caller sets the file aside. Code::unsupported: a newer
  // version's, or another agent's. Code::locked: another process has it.
  static Result<std::unique_ptr<LogStore>> open(const LogOptions& options);

  // All rows but the payloads. Code::corrupt also where rows contradict each other.
  Result<Persisted> read_all();
  // Code::corrupt where the bytes are not those that were written.
  Result<Buffer> read_batch(StreamId stream, EventIndex first);
  // That error, which is remembered: read again, the bytes may be as they were.
  Error damaged_batch(StreamId stream, EventIndex first);
  bool met_damaged_batch() const { return met_damaged_batch_; }
  // Reads every batch, from the disk. The bytes of a damaged one go to `set_aside`; its row stays, and read_all() says
  // so of it. Gives how many there were.
  Result<std::int64_t> set_damaged_aside();
  Status trim_set_aside();  // the oldest go
  // Copies what is still readable of a damaged log into this, new, one, in several transactions; every origin then has
  // to be resolved before it goes on. A disk that is full ends the copying. not_found, corrupt: nothing can be read
  // there; full: there is no room for the small rows; io: all else, of either log.
  Result<Salvaged> salvage(const std::string& from);

  // Checkpoints if the WAL is larger than it should be. A full disk is no failure: it is tried again.
  Status tend();
  Status checkpoint() { return database_.checkpoint(); }
  std::int64_t bytes();        // on disk: the database without its free pages, and the WAL
  std::int64_t free_inside();  // free pages: what the next events can be written to

  Database& database() { return database_; }
  const LogOptions& options() const { return options_; }

 private:
  explicit LogStore(const LogOptions& options) : options_(options) {}
  Status initialise();
  Status create_schema();
  Status check_identity();
  Result<std::string> owner();  // the agent whose log it is
  Status read_state(Persisted& out);
  Status read_runs(Persisted& out);
  Status read_batches(Persisted& out);
  Status read_sources(Persisted& out);

  LogOptions options_;
  Database database_;
  bool met_damaged_batch_ = false;
};

}  // namespace edgelog::agent

#pragma once
// A SQLite VFS in memory with a power switch: an image of it holds what was synced, and of what was not, only
// what chance lets through, sector by sector. As SQLite's unix VFS does, the first sync of a new journal or WAL syncs
// the folder too, and names are durable only then. One kind of sync can be left out, to see that it is missed.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/prng.h"

namespace edgelog::agent {

enum class SyncKind : unsigned char {
  journal,                // rollback journal: only while the database is made
  database,               // before anything was checkpointed: the header that says WAL
  checkpoint,             // the database, once pages of the WAL were copied into it
  wal_header,             // a WAL that begins (again)
  wal_commit,             // a transaction's frames
  wal_before_checkpoint,  // nothing was written to the WAL since its last sync
  folder_of_journal,      // with the first sync of a new one
  folder_of_wal,
  folder_after_delete,  // of a journal: its transaction is over
};
inline constexpr std::array sync_kinds{
    SyncKind::journal,           SyncKind::database,      SyncKind::checkpoint,
    SyncKind::wal_header,        SyncKind::wal_commit,    SyncKind::wal_before_checkpoint,
    SyncKind::folder_of_journal, SyncKind::folder_of_wal, SyncKind::folder_after_delete};

using DiskImage = std::map<std::string, std::string>;

class PowerCutVfs {
 public:
  PowerCutVfs(std::string name, DiskImage image, std::uint64_t seed);
  ~PowerCutVfs();
  PowerCutVfs(const PowerCutVfs&) = delete;

  const std::string& name() const;
  void leave_out(SyncKind kind);
  std::uint64_t syncs(SyncKind kind) const;
  // Called before each write, truncation and sync.
  void before_each(std::function<void()> call);
  // What a power cut now would leave.
  DiskImage cut();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace edgelog::agent

#pragma once
// A SQLite VFS in memory with a power switch: an image of it holds what was synced, and of what was not, only
// what chance lets through, sector by sector. A file's name is durable once a journal or WAL beside it was
// synced, as SQLite's unix VFS syncs their folder. One sync kind can be left out, to see that it is missed.
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
};

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

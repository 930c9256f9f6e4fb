#include "tests/unit/edge-agent/adapters/faulty_vfs.h"

#include <sqlite3.h>

#include <map>
#include <mutex>

namespace edgelog::agent {
namespace {

struct File {
  std::string name;
  const sqlite3_io_methods* system = nullptr;
};

// The system's file keeps its place and its size; only its table of methods is another one.
struct Faults {
  sqlite3_vfs vfs{};
  sqlite3_vfs* system = nullptr;
  std::recursive_mutex mutex;                                       // the log's writer and the test
  std::map<const sqlite3_io_methods*, sqlite3_io_methods> methods;  // by the system's: there are several
  std::map<sqlite3_file*, File> files;
  FaultyVfs::Write on_write;
  FaultyVfs::Read on_read;
};
Faults* faults = nullptr;

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at) {
  const std::lock_guard lock(faults->mutex);
  const File& known = faults->files.at(file);
  const int result = faults->on_write ? faults->on_write(known.name, at + count) : SQLITE_OK;
  return result != SQLITE_OK ? result : known.system->xWrite(file, bytes, count, at);
}

int read_file(sqlite3_file* file, void* bytes, int count, sqlite3_int64 at) {
  const std::lock_guard lock(faults->mutex);
  const File& known = faults->files.at(file);
  const int result = known.system->xRead(file, bytes, count, at);
  if (result != SQLITE_OK || !faults->on_read) return result;
  return faults->on_read(known.name, static_cast<char*>(bytes), count);
}

int sync_file(sqlite3_file*, int) { return SQLITE_OK; }

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const int result = faults->system->xOpen(faults->system, name, file, flags, out_flags);
  if (result != SQLITE_OK || file->pMethods == nullptr) return result;
  const std::lock_guard lock(faults->mutex);
  faults->files[file] = {name == nullptr ? "" : name, file->pMethods};
  sqlite3_io_methods& methods = faults->methods[file->pMethods];
  methods = *file->pMethods;
  methods.iVersion = 1;
  methods.xWrite = write_file;
  methods.xRead = read_file;
  methods.xSync = sync_file;
  file->pMethods = &methods;
  return result;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  faults = new Faults;
  faults->system = sqlite3_vfs_find(nullptr);
  faults->vfs = *faults->system;
  faults->vfs.pNext = nullptr;
  faults->vfs.zName = name();
  faults->vfs.xOpen = open_file;
  sqlite3_vfs_register(&faults->vfs, 0);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&faults->vfs);
  delete faults;
  faults = nullptr;
}

void FaultyVfs::on_write(Write call) {
  const std::lock_guard lock(faults->mutex);
  faults->on_write = std::move(call);
}
void FaultyVfs::on_read(Read call) {
  const std::lock_guard lock(faults->mutex);
  faults->on_read = std::move(call);
}

}  // namespace edgelog::agent

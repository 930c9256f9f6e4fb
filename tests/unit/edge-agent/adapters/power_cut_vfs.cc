#include "tests/unit/edge-agent/adapters/power_cut_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace edgelog::agent {
namespace {

constexpr std::size_t sector = 512;

struct Change {
  std::size_t at;
  std::string bytes;
  std::optional<std::size_t> truncate_to;
};

struct Inode {
  std::string now, synced;
  std::vector<Change> unsynced;
  bool durable_name = false;
  bool folder_due = false;  // its first sync is to sync the folder
};

void put(std::string& content, std::size_t at, std::string_view bytes) {
  if (content.size() < at + bytes.size()) content.resize(at + bytes.size(), '\0');
  content.replace(at, bytes.size(), bytes);
}

}  // namespace

struct PowerCutVfs::State {
  std::string name;
  std::map<std::string, std::shared_ptr<Inode>> files;
  std::map<std::string, std::shared_ptr<Inode>> deleted;  // and the folder was not synced since
  Prng random{0};
  std::set<SyncKind> left_out;
  std::map<SyncKind, std::uint64_t> syncs;
  std::function<void()> before_each;
  bool checkpointed = false;
  sqlite3_vfs vfs{};

  void announce() {
    if (before_each) before_each();
  }
  bool does(SyncKind kind) {
    ++syncs[kind];
    return !left_out.contains(kind);
  }
  void sync_folder(SyncKind kind) {
    if (!does(kind)) return;
    for (auto& [path, inode] : files) inode->durable_name = true;
    deleted.clear();
  }
};

namespace {

struct File {
  sqlite3_file base;
  PowerCutVfs::State* world;
  Inode* inode;
  int flags;
  std::shared_ptr<Inode>* owner;
};

File* self(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

int close_file(sqlite3_file* file) {
  delete self(file)->owner;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  const std::string& now = self(file)->inode->now;
  const auto from = static_cast<std::size_t>(at), wanted = static_cast<std::size_t>(bytes);
  const std::size_t have = from >= now.size() ? 0 : std::min(wanted, now.size() - from);
  if (have > 0) std::memcpy(to, now.data() + from, have);
  std::memset(static_cast<char*>(to) + have, 0, wanted - have);
  return have == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  File* f = self(file);
  f->world->announce();
  Change change{
      static_cast<std::size_t>(at), std::string(static_cast<const char*>(from), static_cast<std::size_t>(bytes)), {}};
  put(f->inode->now, change.at, change.bytes);
  f->inode->unsynced.push_back(std::move(change));
  return SQLITE_OK;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  File* f = self(file);
  f->world->announce();
  f->inode->now.resize(static_cast<std::size_t>(size), '\0');
  f->inode->unsynced.push_back({0, {}, static_cast<std::size_t>(size)});
  return SQLITE_OK;
}

SyncKind kind_of(const File& f) {
  if ((f.flags & SQLITE_OPEN_WAL) != 0) {
    if (f.inode->unsynced.empty()) return SyncKind::wal_before_checkpoint;
    const bool header = f.inode->unsynced.size() == 1 && f.inode->unsynced[0].at == 0;
    return header ? SyncKind::wal_header : SyncKind::wal_commit;
  }
  if ((f.flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) return SyncKind::journal;
  return f.world->checkpointed ? SyncKind::checkpoint : SyncKind::database;
}

int sync_file(sqlite3_file* file, int) {
  File* f = self(file);
  f->world->announce();
  const SyncKind kind = kind_of(*f);
  const bool does = f->world->does(kind);
  // From the first frames on, whatever goes into the database comes from the WAL.
  if (kind == SyncKind::wal_commit) f->world->checkpointed = true;
  if (does) {
    f->inode->synced = f->inode->now;
    f->inode->unsynced.clear();
  }
  if (std::exchange(f->inode->folder_due, false))
    f->world->sync_folder((f->flags & SQLITE_OPEN_WAL) != 0 ? SyncKind::folder_of_wal : SyncKind::folder_of_journal);
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(self(file)->inode->now.size());
  return SQLITE_OK;
}

const sqlite3_io_methods methods{
    1,
    close_file,
    read_file,
    write_file,
    truncate_file,
    sync_file,
    size_of_file,
    [](sqlite3_file*, int) { return SQLITE_OK; },
    [](sqlite3_file*, int) { return SQLITE_OK; },
    [](sqlite3_file*, int* held) { return *held = 0, SQLITE_OK; },
    [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
    [](sqlite3_file*) { return static_cast<int>(sector); },
    // As the unix VFS says of every disk: a write harms no byte beside it.
    [](sqlite3_file*) { return int{SQLITE_IOCAP_POWERSAFE_OVERWRITE}; },
};

PowerCutVfs::State& world_of(sqlite3_vfs* vfs) { return *static_cast<PowerCutVfs::State*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto& world = world_of(vfs);
  const std::string name = path == nullptr ? "temporary" : path;
  auto found = world.files.find(name);
  if (found == world.files.end()) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    found = world.files.emplace(name, std::make_shared<Inode>()).first;
    found->second->folder_due = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  }
  *self(file) = File{{&methods}, &world, found->second.get(), flags, new std::shared_ptr<Inode>(found->second)};
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  auto& world = world_of(vfs);
  const auto found = world.files.find(path);
  if (found == world.files.end()) return SQLITE_IOERR_DELETE_NOENT;
  world.announce();
  if (found->second->durable_name) world.deleted.insert_or_assign(path, found->second);
  world.files.erase(found);
  if (sync_folder != 0) world.sync_folder(SyncKind::folder_after_delete);
  return SQLITE_OK;
}

int access_file(sqlite3_vfs* vfs, const char* path, int, int* result) {
  *result = world_of(vfs).files.contains(path) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* path, int bytes, char* out) {
  sqlite3_snprintf(bytes, out, "%s", path);
  return SQLITE_OK;
}

}  // namespace

PowerCutVfs::PowerCutVfs(std::string name, DiskImage image, std::uint64_t seed) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = std::move(name);
  s.random = Prng(seed);
  for (auto& [path, content] : image) {
    auto inode = std::make_shared<Inode>();
    inode->now = inode->synced = std::move(content);
    inode->durable_name = true;
    s.files.emplace(path, std::move(inode));
  }
  s.checkpointed = !image.empty();
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  s.vfs = *system;  // randomness, sleep and time are the system's
  s.vfs.iVersion = 1;
  s.vfs.szOsFile = sizeof(File);
  s.vfs.mxPathname = 512;
  s.vfs.pNext = nullptr;
  s.vfs.zName = s.name.c_str();
  s.vfs.pAppData = &s;
  s.vfs.xOpen = open_file;
  s.vfs.xDelete = delete_file;
  s.vfs.xAccess = access_file;
  s.vfs.xFullPathname = full_path;
  sqlite3_vfs_register(&s.vfs, 0);
}

PowerCutVfs::~PowerCutVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const std::string& PowerCutVfs::name() const { return state_->name; }
void PowerCutVfs::leave_out(SyncKind kind) { state_->left_out.insert(kind); }
std::uint64_t PowerCutVfs::syncs(SyncKind kind) const {
  const auto found = state_->syncs.find(kind);
  return found == state_->syncs.end() ? 0 : found->second;
}
void PowerCutVfs::before_each(std::function<void()> call) { state_->before_each = std::move(call); }

DiskImage PowerCutVfs::cut() {
  State& s = *state_;
  DiskImage image;
  // Some cuts lose all that was not synced, some keep most of it: both are hard in their own way.
  const std::uint64_t kept_of_8 = s.random.below(9);
  const auto survive = [&](const Inode& inode) {
    std::string content = inode.synced;
    for (const Change& change : inode.unsynced) {
      if (change.truncate_to) {
        if (s.random.chance(kept_of_8, 8)) content.resize(*change.truncate_to, '\0');
        continue;
      }
      for (std::size_t at = 0; at < change.bytes.size();) {
        const std::size_t part = std::min(sector - (change.at + at) % sector, change.bytes.size() - at);
        if (s.random.chance(kept_of_8, 8))
          put(content, change.at + at, std::string_view(change.bytes).substr(at, part));
        at += part;
      }
    }
    return content;
  };
  for (const auto& [path, inode] : s.files)
    if (inode->durable_name || s.random.chance(kept_of_8, 8)) image.emplace(path, survive(*inode));
  for (const auto& [path, inode] : s.deleted)
    if (!image.contains(path) && s.random.chance(1, 2)) image.emplace(path, survive(*inode));
  return image;
}

}  // namespace edgelog::agent

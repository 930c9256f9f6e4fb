#pragma once
// A disk in memory with the vices of real ones, for unit tests and simulators. It outlives the "process":
// kill() is kill -9 (the page cache stays), power_cut() loses what was not synced: per sector of 512 bytes,
// per size, per directory entry, each may have reached the disk or not, as the Prng says. Syncs complete when
// the test says so. Nothing is random but through the Prng handed in.
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/prng.h"
#include "common/port/disk.h"

namespace edgelog::testing {

// What of the unsynced survives a power cut.
enum class Survival : unsigned char { nothing, everything, mixed };

// A sync call as the store makes it, one file or directory (which ends in '/') at a time; `with`: the first file of a
// call that syncs several.
enum class SyncWhen : unsigned char { round, background, start };
struct SyncCall {
  std::string_view path;
  SyncWhen when;
  std::string_view with;
};

class SimDisk final : public port::Disk {
 public:
  static constexpr std::size_t sector = 512;

  Result<port::FileId> open(std::string_view path, port::OpenMode mode) override;
  void close(port::FileId file) override;
  Result<std::size_t> read(port::FileId file, std::uint64_t at, MutableBytes to) override;
  Status write(port::FileId file, std::uint64_t at, std::span<const Bytes> pieces) override;
  Status truncate(port::FileId file, std::uint64_t size) override;
  Status reserve(port::FileId file, std::uint64_t at, std::uint64_t size) override;
  Result<std::uint64_t> size(port::FileId file) override;
  Status rename(std::string_view from, std::string_view to) override;
  Status remove(std::string_view path) override;
  Result<std::vector<std::string>> list(std::string_view directory) override;
  Status make_directory(std::string_view path) override;
  Result<std::uint64_t> free_bytes() override;
  Status lock(std::string_view path) override;
  void sync(std::vector<port::FileId> files, std::vector<std::string> directories, port::Urgency urgency,
            Done done) override;
  Status sync_now(port::FileId file) override;
  Status sync_directory(std::string_view path) override;

  // Syncs under way, oldest first; complete(i) ends one and calls its `done`. False: there is none.
  std::size_t pending() const { return pending_.size(); }
  bool complete(std::size_t index = 0);
  std::size_t first_of_round() const;                // pending() if none of them is of a round
  bool sync_failed() const { return sync_failed_; }  // since the process began
  void complete_all() {
    while (complete()) {
    }
  }

  void kill();
  void power_cut(Prng& random, Survival survival);

  // Faults.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  void fail_next_sync() { fail_sync_ = true; }    // EIO; its dirty pages are dropped
  void fail_next_write() { fail_write_ = true; }  // EIO; nothing is written
  void no_faults() { fail_sync_ = fail_write_ = false; }
  // Sees each sync call as it completes; where it says true nothing is synced, and Ok is told.
  void on_sync(std::function<bool(const SyncCall&)> ignored) { ignored_ = std::move(ignored); }
  void flip_bit(std::string_view path, std::uint64_t byte, unsigned bit);  // in cache and on disk
  void lose_file(const std::string& path);                                 // so that nobody wrote it ever
  // Called before every operation that changes something, with its name and path. May throw away the world
  // by remembering to; used to cut power between any two effects.
  void on_operation(std::function<void(std::string_view operation, std::string_view path)> hook) {
    hook_ = std::move(hook);
  }
  // From now on nothing changes any more (the process is dead but its code still runs): until kill or power_cut.
  void freeze() { frozen_ = true; }

  // Looking from outside.
  std::vector<std::string> files() const;  // every live path of a file
  std::optional<Buffer> contents(std::string_view path) const;
  std::uint64_t used_bytes() const;
  // The latest writes, newest last.
  struct Written {
    std::string path;
    std::uint64_t at, bytes;
  };
  const std::deque<Written>& latest_writes() const { return latest_writes_; }
  std::uint64_t sync_count() const { return sync_count_; }
  std::uint64_t write_count() const { return write_count_; }

 private:
  struct Node {
    bool directory = false;
    Buffer live, durable;
    std::set<std::uint64_t> dirty;  // sectors of live that durable may lack
    std::uint64_t reserved = 0;
    std::map<std::uint64_t, std::uint64_t> sector_moments;  // of what is durable: when it was captured
    std::uint64_t size_moment = 0;
  };
  using NodePtr = std::shared_ptr<Node>;
  struct Handle {
    std::string path;
    NodePtr node;
  };
  struct Entry {  // a change of names: null: gone
    std::vector<std::pair<std::string, NodePtr>> names;
  };
  struct Captured {
    NodePtr node;
    std::map<std::uint64_t, Buffer> sectors;
    std::uint64_t size = 0, moment = 0;
    std::string path;
  };
  struct Pending {
    std::vector<Captured> files;
    std::vector<std::pair<std::string, std::size_t>> directories;  // and how many changes of each
    SyncWhen when;
    Done done;
  };

  static std::string parent(std::string_view path);
  Handle& handle(port::FileId file);
  NodePtr find(std::string_view path) const;
  bool is_gone(std::string_view directory) const { return !directory.empty() && !find(directory); }
  void changed(std::string_view directory, Entry entry);
  void note(std::string_view operation, std::string_view path);
  bool ignores(std::string_view path, SyncWhen when, std::string_view with) const {
    return ignored_ && ignored_({path, when, with});
  }
  Captured capture(const Handle& from);
  void make_durable(const Captured& captured);
  static void drop_dirty(const Captured& captured);
  void sync_names(const std::string& directory, std::size_t count);
  void forget_process();
  void settle(Node& node, Prng& random, Survival survival) const;
  bool survives(Prng& random, Survival survival) const;
  std::uint64_t charge(const Node& node) const;
  Status grow(Node& node, std::uint64_t reserved, std::uint64_t size, std::string_view path);

  std::map<std::string, NodePtr, std::less<>> names_, durable_names_;
  std::map<std::string, std::vector<Entry>, std::less<>> unsynced_;
  std::map<std::uint32_t, Handle> handles_;
  std::vector<Pending> pending_;
  std::deque<Written> latest_writes_;
  std::function<bool(const SyncCall&)> ignored_;
  std::function<void(std::string_view, std::string_view)> hook_;
  std::uint64_t capacity_ = std::uint64_t{1} << 40, sync_count_ = 0, write_count_ = 0, used_ = 0, moment_ = 0;
  std::uint32_t next_handle_ = 1;
  bool locked_ = false, fail_sync_ = false, fail_write_ = false, frozen_ = false, sync_failed_ = false;
};

}  // namespace edgelog::testing

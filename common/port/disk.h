#pragma once
// The disk as a shard sees it. Reads and writes go to the page cache and return at once; only syncs take
// time, and they complete later, on the shard's own thread. Three implementations: files
// (common/io/posix_disk.h), and the seeded disk of the simulator and of tests (common/port/sim_disk.h).
// All calls are made on the shard's thread. Paths are relative to the data directory, separated by '/'.
//
// What is durable, exactly: bytes and size of a file after a successful sync of the file that was asked for
// after they were written; the name of a file or directory (made, renamed or removed) after a successful
// sync of the directory that holds it. A file that was synced under a name that was not is lost.
//
// A failed sync is final: the page cache drops the dirty pages and the next sync succeeds without them, so
// nobody may try again (fsyncgate, ATC'20). The owner gives up and the process ends.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/strong.h"

namespace edgelog::port {

using FileId = Strong<struct FileIdTag, std::uint32_t>;

enum class OpenMode : unsigned char {
  existing,         // Code::not_found if there is none
  existing_or_new,  // made empty if there is none
  fresh,            // empty, whatever was there
};

// A round of commits waits for `round`; what frees space or journal may take longer.
enum class Urgency : unsigned char { round, background };

class Disk {
 public:
  virtual ~Disk() = default;

  virtual Result<FileId> open(std::string_view path, OpenMode mode) = 0;
  virtual void close(FileId file) = 0;  // a sync under way still completes
  // Fills `to` from byte `at`; fewer bytes only where the file ends.
  virtual Result<std::size_t> read(FileId file, std::uint64_t at, MutableBytes to) = 0;
  // Writes the pieces one after the other from byte `at`, growing the file. Code::full: no space; a part may be
  // written.
  virtual Status write(FileId file, std::uint64_t at, std::span<const Bytes> pieces) = 0;
  virtual Status truncate(FileId file, std::uint64_t size) = 0;
  // Makes room for [at, at + size): later writes there do not fail for space. The file's size does not change.
  virtual Status reserve(FileId file, std::uint64_t at, std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size(FileId file) = 0;

  virtual Status rename(std::string_view from, std::string_view to) = 0;
  virtual Status remove(std::string_view path) = 0;  // a file or an empty directory; Ok if there is none
  // Names in a directory, sorted. Code::not_found if there is none.
  virtual Result<std::vector<std::string>> list(std::string_view directory) = 0;
  virtual Status make_directory(std::string_view path) = 0;  // Ok if it exists; parents must
  virtual Result<std::uint64_t> free_bytes() = 0;

  // Takes the data directory for this process until it ends. Code::locked: another one has it.
  virtual Status lock(std::string_view path) = 0;

  // Makes all these durable, files before directories; `done` is called once, later, on the shard's thread,
  // with the first failure if there was one. Code::not_found: a directory is gone, and with it what there was to be
  // synced; the others are durable all the same, else their failure is told instead.
  using Done = std::function<void(Status)>;
  virtual void sync(std::vector<FileId> files, std::vector<std::string> directories, Urgency urgency, Done done) = 0;
  // The same, waiting for it: at start and at the end only.
  virtual Status sync_now(FileId file) = 0;
  virtual Status sync_directory(std::string_view path) = 0;  // Code::not_found: as above
};

}  // namespace edgelog::port

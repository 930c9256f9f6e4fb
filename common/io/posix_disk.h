#pragma once
// Disk on a directory of the file system. Syncs run on a few threads of its own, fdatasync each, and
// complete through `post`, which brings work to the shard's thread (Loop::post). Background syncs leave
// at least one thread free for rounds. After one that failed all fail.
#include <functional>
#include <memory>
#include <string>

#include "common/base/durations.h"
#include "common/port/disk.h"

namespace edgelog::io {

class PosixDisk final : public port::Disk {
 public:
  using Post = std::function<void(std::function<void()>)>;
  // Makes the directory if it is missing (its parent must exist). Errors: io, with path and reason.
  static Result<std::unique_ptr<PosixDisk>> open(const std::string& directory, Post post, unsigned threads = 4);
  ~PosixDisk() override;  // waits for syncs under way; their completions may still arrive through `post`

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

  // A sync that somebody waited for failed: the process ends as after one that nobody waited for.
  bool sync_failed() const;
  // How long each fdatasync of a sync() took, of files only.
  const Durations& syncs() const;

 private:
  struct State;
  explicit PosixDisk(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace edgelog::io

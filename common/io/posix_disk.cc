#include "common/io/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "common/io/loop.h"
#include "common/io/sync_pool.h"

namespace edgelog::io {

using port::FileId;
using port::OpenMode;

namespace {

Error failure(std::string_view operation, std::string_view path, int reason) {
  const Code code = reason == ENOENT                       ? Code::not_found
                    : reason == ENOSPC || reason == EDQUOT ? Code::full
                    : reason == EEXIST                     ? Code::exists
                                                           : Code::io;
  char text[128];
  return {code,
          std::string(operation).append(" ").append(path).append(": ").append(strerror_r(reason, text, sizeof text))};
}

struct Descriptor {
  explicit Descriptor(int number, std::string name) : fd(number), path(std::move(name)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(fd); }
  const int fd;
  const std::string path;
  std::mutex syncing;
};
using DescriptorPtr = std::shared_ptr<Descriptor>;

// The first sync that failed, of any file: final for all of them, so that none is called durable afterwards. Any
// thread.
class FirstFailure {
 public:
  Status status() {
    if (!happened_) return Ok{};
    const std::scoped_lock hold(mutex_);
    return *error_;
  }
  Error note(Error error) {
    const std::scoped_lock hold(mutex_);
    if (!error_) error_ = error;
    happened_ = true;
    return error;
  }

 private:
  std::atomic<bool> happened_{false};
  std::mutex mutex_;
  std::optional<Error> error_;
};

// One after the other, and none after a failure: Linux tells of pages that it could not write once per open file, so
// that the second one who asks would hear Ok for his own among them.
Status sync_file(Descriptor& file, FirstFailure& first) {
  const std::scoped_lock hold(file.syncing);
  TRY(first.status());
  if (::fdatasync(file.fd) != 0) return first.note(failure("fdatasync", file.path, errno));
  return Ok{};
}

Status sync_path(const std::string& path, FirstFailure& first) {
  TRY(first.status());
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return failure("open", path, ENOENT);  // no failure of the disk
  if (fd < 0) return first.note(failure("open", path, errno));
  const Descriptor directory(fd, path);
  if (::fsync(fd) != 0) return first.note(failure("fsync", path, errno));
  return Ok{};
}

// One sync() call: files in parallel, then directories, then the completion.
struct Request {
  std::vector<DescriptorPtr> files;
  std::vector<std::string> directories;
  port::Disk::Done done;
  std::atomic<std::size_t> left{0};
  std::mutex mutex;
  Status status = Ok{};

  // The first failure is told; a directory that is gone hides none.
  void note(Status result) {
    if (result) return;
    const std::scoped_lock hold(mutex);
    if (status || status.error().code == Code::not_found) status = std::move(result);
  }
};

}  // namespace

struct PosixDisk::State {
  State(std::string root, Post to_shard, unsigned threads)
      : directory(std::move(root)), post(std::move(to_shard)), pool(threads) {}
  std::string full(std::string_view path) const {
    return path.empty() ? directory : directory + "/" + std::string(path);
  }
  const DescriptorPtr& descriptor(FileId id) {
    const auto it = files.find(id.value());
    ASSERT(it != files.end());
    return it->second;
  }
  Descriptor& file(FileId id) { return *descriptor(id); }

  // The directory's own name. One that is there may be of a start that died before it was durable.
  Status sync_name() {
    auto path = std::filesystem::absolute(directory).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // a slash at the end
    const std::string parent = path.parent_path().string();
    if (!made && ::access(parent.c_str(), R_OK) != 0) return Ok{};  // somebody else made it, and cares for it
    return noted(sync_path(parent, failure));
  }
  Status noted(Status status) {
    if (status) status = failure.status();
    if (!status && status.error().code != Code::not_found) sync_failed = true;
    return status;
  }

  std::string directory;
  bool made = false, sync_failed = false;
  Post post;
  std::map<std::uint32_t, DescriptorPtr> files;
  DescriptorPtr lock;
  std::uint32_t next = 1;
  Durations syncs;
  FirstFailure failure;
  SyncPool pool;  // last: its threads end before what they use
};

PosixDisk::PosixDisk(std::unique_ptr<State> state) : state_(std::move(state)) {}
PosixDisk::~PosixDisk() = default;

Result<std::unique_ptr<PosixDisk>> PosixDisk::open(const std::string& directory, Post post, unsigned threads) {
  const bool made = ::mkdir(directory.c_str(), 0750) == 0;
  if (!made && errno != EEXIST) return failure("mkdir", directory, errno);
  struct stat info{};
  if (::stat(directory.c_str(), &info) != 0) return failure("stat", directory, errno);
  if (!S_ISDIR(info.st_mode)) return failure("open", directory, ENOTDIR);
  auto state = std::make_unique<State>(directory, std::move(post), threads);
  state->made = made;
  return std::unique_ptr<PosixDisk>(new PosixDisk(std::move(state)));
}

Result<FileId> PosixDisk::open(std::string_view path, OpenMode mode) {
  const std::string full = state_->full(path);
  const int flags =
      O_RDWR | O_CLOEXEC | (mode == OpenMode::existing ? 0 : O_CREAT) | (mode == OpenMode::fresh ? O_TRUNC : 0);
  const int fd = ::open(full.c_str(), flags, 0640);
  if (fd < 0) return failure("open", full, errno);
  state_->files[state_->next] = std::make_shared<Descriptor>(fd, full);
  return FileId{state_->next++};
}

void PosixDisk::close(FileId file) { state_->files.erase(file.value()); }

Result<std::size_t> PosixDisk::read(FileId id, std::uint64_t at, MutableBytes to) {
  const Descriptor& file = state_->file(id);
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t n = ::pread(file.fd, to.data() + done, to.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("read", file.path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Status PosixDisk::write(FileId id, std::uint64_t at, std::span<const Bytes> pieces) {
  const Descriptor& file = state_->file(id);
  constexpr std::size_t batch = 64;  // below IOV_MAX
  iovec parts[batch];
  std::size_t piece = 0, inside = 0;
  while (piece < pieces.size()) {
    std::size_t n = 0;
    for (std::size_t i = piece; i < pieces.size() && n < batch; ++i) {
      const Bytes rest = i == piece ? pieces[i].subspan(inside) : pieces[i];
      parts[n++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    const ssize_t written = ::pwritev(file.fd, parts, static_cast<int>(n), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("write", file.path, errno);
    at += static_cast<std::uint64_t>(written);
    for (auto left = static_cast<std::size_t>(written); piece < pieces.size();) {
      const std::size_t rest = pieces[piece].size() - inside;
      if (left < rest) {
        inside += left;
        break;
      }
      left -= rest;
      inside = 0;
      ++piece;
    }
  }
  return Ok{};
}

Status PosixDisk::truncate(FileId id, std::uint64_t size) {
  const Descriptor& file = state_->file(id);
  if (::ftruncate(file.fd, static_cast<off_t>(size)) != 0) return failure("truncate", file.path, errno);
  return Ok{};
}

Status PosixDisk::reserve(FileId id, std::uint64_t at, std::uint64_t size) {
  const Descriptor& file = state_->file(id);
  if (::fallocate(file.fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at), static_cast<off_t>(size)) == 0) return Ok{};
  if (errno == EOPNOTSUPP || errno == ENOSYS) return Ok{};  // free_bytes() has to do there
  return failure("fallocate", file.path, errno);
}

Result<std::uint64_t> PosixDisk::size(FileId id) {
  const Descriptor& file = state_->file(id);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return failure("stat", file.path, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

Status PosixDisk::rename(std::string_view from, std::string_view to) {
  if (::rename(state_->full(from).c_str(), state_->full(to).c_str()) != 0)
    return failure("rename", state_->full(from), errno);
  return Ok{};
}

Status PosixDisk::remove(std::string_view path) {
  const std::string full = state_->full(path);
  if (::unlink(full.c_str()) == 0 || errno == ENOENT) return Ok{};
  if (errno != EISDIR && errno != EPERM) return failure("unlink", full, errno);
  if (::rmdir(full.c_str()) != 0 && errno != ENOENT) return failure("rmdir", full, errno);
  return Ok{};
}

Result<std::vector<std::string>> PosixDisk::list(std::string_view directory) {
  const std::string full = state_->full(directory);
  DIR* const handle = ::opendir(full.c_str());
  if (handle == nullptr) return failure("opendir", full, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(handle)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(handle);
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixDisk::make_directory(std::string_view path) {
  const std::string full = state_->full(path);
  if (::mkdir(full.c_str(), 0750) != 0 && errno != EEXIST) return failure("mkdir", full, errno);
  return Ok{};
}

Result<std::uint64_t> PosixDisk::free_bytes() {
  struct statvfs info{};
  if (::statvfs(state_->directory.c_str(), &info) != 0) return failure("statvfs", state_->directory, errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Status PosixDisk::lock(std::string_view path) {
  const std::string full = state_->full(path);
  const int fd = ::open(full.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return failure("open", full, errno);
  auto held = std::make_shared<Descriptor>(fd, full);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Code::locked, "lock " + full + ": another process uses this data directory"};
    return failure("flock", full, errno);
  }
  state_->lock = std::move(held);
  return state_->sync_name();
}

void PosixDisk::sync(std::vector<FileId> files, std::vector<std::string> directories, port::Urgency urgency,
                     Done done) {
  auto request = std::make_shared<Request>();
  for (const FileId id : files) request->files.push_back(state_->descriptor(id));
  for (const auto& d : directories) request->directories.push_back(state_->full(d));
  request->done = std::move(done);
  request->left = std::max<std::size_t>(1, request->files.size());
  const auto finish = [request, post = state_->post, &failure = state_->failure] {
    if (request->left.fetch_sub(1) != 1) return;
    for (const auto& path : request->directories) request->note(sync_path(path, failure));
    request->note(failure.status());
    post([request] { request->done(std::move(request->status)); });
  };
  if (request->files.empty()) state_->pool.run(urgency, finish);
  for (const auto& file : request->files) {
    state_->pool.run(urgency, [request, file, finish, &syncs = state_->syncs, &failure = state_->failure] {
      const Instant began = boottime_now();
      request->note(sync_file(*file, failure));
      syncs.observe(boottime_now() - began);
      finish();
    });
  }
}

Status PosixDisk::sync_now(FileId file) { return state_->noted(sync_file(state_->file(file), state_->failure)); }
Status PosixDisk::sync_directory(std::string_view path) {
  return state_->noted(sync_path(state_->full(path), state_->failure));
}
const Durations& PosixDisk::syncs() const { return state_->syncs; }
bool PosixDisk::sync_failed() const { return state_->sync_failed; }

}  // namespace edgelog::io

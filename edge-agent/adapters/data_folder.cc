#include "edge-agent/adapters/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace edgelog::agent {
namespace {

Error failed(std::string_view what, const std::string& path) {
  return Error{Code::io, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

// A new folder is durable once the one that holds it is synced.
Status sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return failed("open", path);
  const int result = fsync(folder);
  close(folder);
  return result == 0 ? Status(Ok{}) : Status(failed("fsync", path));
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::string& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error) return Error{Code::io, fmt::format("create {}: {}", path, error.message())};
  if (made) TRY(sync_folder(std::filesystem::absolute(path).lexically_normal().parent_path().string()));
  const std::string file = path + "/lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return failed("open", file);
  DataFolder folder(lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Code::locked, fmt::format("{}: another agent runs on this folder", path)};
    return failed("flock", file);
  }
  return folder;
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace edgelog::agent

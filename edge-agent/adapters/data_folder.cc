#include "edge-agent/adapters/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace edgelog::agent {
namespace {

Error failed(std::string_view what, const std::string& path) {
  return Error{Code::io, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

// This folder, the one that holds it, and those that hold what is missing on the way to it. One that is there may be
// of a start that died before its sync.
std::vector<std::string> holders_of(const std::string& path) {
  auto at = std::filesystem::absolute(path).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();  // a slash at the end
  std::vector<std::string> out{at.string()};
  std::error_code error;
  do {
    at = at.parent_path();
    out.push_back(at.string());
  } while (at.has_relative_path() && !std::filesystem::exists(at, error));
  return out;
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::string& path) {
  std::error_code error;
  std::vector<std::string> holders = holders_of(path);
  const std::filesystem::path whole = holders.front();
  std::filesystem::create_directories(whole.parent_path(), error);
  if (error) return Error{Code::io, fmt::format("create {}: {}", path, error.message())};
  // For the agent's user only. One that is there is as whoever made it wants it.
  if (mkdir(whole.c_str(), S_IRWXU) != 0 && errno != EEXIST) return failed("create", path);
  const std::string file = path + "/lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return failed("open", file);
  DataFolder folder(lock, std::move(holders));
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Code::locked, fmt::format("{}: another agent runs on this folder", path)};
    return failed("flock", file);
  }
  return folder;
}

Status DataFolder::sync_names() const {
  for (const std::string& holder : holders_) {
    const int folder = ::open(holder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) continue;  // not ours to read, so not ours to have made anything in
    const int result = fsync(folder);
    const Error error = failed("fsync", holder);
    close(folder);
    if (result != 0) return error;
  }
  return Ok{};
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace edgelog::agent

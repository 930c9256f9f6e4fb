#include "edge-agent/adapters/damage_mark.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace edgelog::agent {
namespace {

constexpr int names_max = 1000;

Error failed(std::string_view what, const std::string& path) {
  const Code code = errno == ENOSPC || errno == EDQUOT ? Code::full : Code::io;
  return Error{code, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Status sync(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return failed("open", path);
  const int result = fsync(file);
  const Error error = failed("fsync", path);
  close(file);
  return result == 0 ? Status(Ok{}) : Status(error);
}

Status sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return sync(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
}

Status write_file(const std::string& path, std::string_view content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed("create", path);
  const auto written = ::write(file, content.data(), content.size());
  const Error error = failed("write", path);
  close(file);
  if (written != static_cast<ssize_t>(content.size())) return error;
  return sync(path, O_RDONLY);
}

// What is not there stays so.
Status move_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return Ok{};
  return failed("rename", from);
}

Status remove_file(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return Ok{};
  return failed("remove", path);
}

// "damaged-N" of the first line; nothing where it says no name (a version before wrote only why).
std::string name_in(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  constexpr std::string_view prefix = "damaged-";
  if (!line.starts_with(prefix)) return {};
  const std::string_view number = std::string_view(line).substr(prefix.size());
  const bool good =
      !number.empty() && std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return good ? line : std::string{};
}

std::string free_name(const std::string& log) {
  for (int n = 1; n < names_max; ++n) {
    const std::string name = fmt::format("damaged-{}", n), path = log + "." + name;
    if (!exists(path) && !exists(path + "-wal")) return name;
  }
  return {};
}

}  // namespace

bool DamageMark::stands() const { return exists(path()); }

Status DamageMark::set(const std::string& why) {
  std::string name = name_in(path());
  if (!name.empty()) {
    aside_ = log_ + "." + name;
    return Ok{};
  }
  name = free_name(log_);
  if (name.empty()) return Error{Code::full, fmt::format("{}: {} damaged logs lie beside it", log_, names_max - 1)};
  // Under its own name only once it is whole.
  TRY(write_file(path() + ".new", name + "\n" + why + "\n"));
  TRY(move_file(path() + ".new", path()));
  TRY(sync_folder_of(log_));
  aside_ = log_ + "." + name;
  return Ok{};
}

// The WAL goes first: it may hold the readable part, and a database under the log's name without its own WAL beside it
// would be taken for whole. So once the database is there, both are.
Status DamageMark::move() {
  if (exists(aside_)) return discard_new();
  TRY(move_file(log_ + "-wal", aside_ + "-wal"));
  TRY(sync_folder_of(log_));
  TRY(move_file(log_, aside_));
  return sync_folder_of(log_);
}

Status DamageMark::discard_new() const {
  for (const char* suffix : {"-wal", "-journal", ""}) TRY(remove_file(log_ + suffix));
  return sync_folder_of(log_);
}

Status DamageMark::clear() {
  TRY(remove_file(path()));
  return sync_folder_of(log_);
}

}  // namespace edgelog::agent

#pragma once
// The agent's data folder: made if it is not there, and held by one process at a time (flock).
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace edgelog::agent {

class DataFolder {
 public:
  // Code::locked: another process has it.
  static Result<DataFolder> open(const std::string& path);
  // Makes all names in it durable, its own, and those of the folders that were made for it. Called once the log is
  // open: SQLite syncs the folder too, but does not look at what comes of it. An error: a sync failed.
  Status sync_names() const;
  DataFolder(DataFolder&& other) noexcept : lock_(other.lock_), holders_(std::move(other.holders_)) {
    other.lock_ = -1;
  }
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

 private:
  DataFolder(int lock, std::vector<std::string> holders) : lock_(lock), holders_(std::move(holders)) {}
  int lock_;
  std::vector<std::string> holders_;  // folders that hold a name to be synced
};

}  // namespace edgelog::agent

#pragma once
// The agent's data folder: made if it is not there, and held by one process at a time (flock).
#include <string>

#include "common/base/result.h"

namespace edgelog::agent {

class DataFolder {
 public:
  // Code::locked: another process has it.
  static Result<DataFolder> open(const std::string& path);
  DataFolder(DataFolder&& other) noexcept : lock_(other.lock_) { other.lock_ = -1; }
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

 private:
  explicit DataFolder(int lock) : lock_(lock) {}
  int lock_;
};

}  // namespace edgelog::agent

#include "edge-agent/adapters/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace edgelog::agent {

DiskReserve::DiskReserve(std::string path, std::int64_t bytes) : path_(std::move(path)), bytes_(bytes) { hold(); }

bool DiskReserve::hold() {
  const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return held_ = false;
  // Blocks that are there already are not asked for again.
  held_ = posix_fallocate(file, 0, bytes_) == 0;
  close(file);
  if (!held_) unlink(path_.c_str());
  return held_;
}

void DiskReserve::give_back() {
  unlink(path_.c_str());
  held_ = false;
}

}  // namespace edgelog::agent

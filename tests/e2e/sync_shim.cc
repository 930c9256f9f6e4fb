// A library to preload: fsync and fdatasync of one chosen file fail once with EIO, as a broken disk's do.
//
//   EDGELOG_SYNC_FAIL=SUFFIX:N   the N-th call on a file or folder whose path ends in SUFFIX (from 1)
//   EDGELOG_SYNC_LOG=FILE        one line a call: name, path
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const ssize_t n = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return {path.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

void log_call(const char* name, const std::string& path) {
  const char* const file = std::getenv("EDGELOG_SYNC_LOG");
  if (file == nullptr) return;
  const int out = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string line = std::string(name) + " " + path + "\n";
  if (out >= 0 && write(out, line.data(), line.size()) < 0) std::abort();
  if (out >= 0) close(out);
}

bool is_chosen(const std::string& path) {
  static std::atomic<long> calls{0};
  const char* const chosen = std::getenv("EDGELOG_SYNC_FAIL");
  if (chosen == nullptr) return false;
  const std::string_view text(chosen);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !path.ends_with(text.substr(0, colon))) return false;
  return ++calls == std::atol(chosen + colon + 1);
}

int sync_or_fail(const char* name, int fd) {
  const std::string path = path_of(fd);
  log_call(name, path);
  if (is_chosen(path)) {
    errno = EIO;
    return -1;
  }
  return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" int fsync(int fd) { return sync_or_fail("fsync", fd); }
extern "C" int fdatasync(int fd) { return sync_or_fail("fdatasync", fd); }

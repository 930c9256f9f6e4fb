#pragma once
// The system's SQLite VFS, where a test says how each read and write of a file goes. Without shared memory: a database
// in WAL mode opens in exclusive mode only. Nothing is synced, which is quick. One at a time.
#include <cstdint>
#include <functional>
#include <string>

namespace edgelog::agent {

class FaultyVfs {
 public:
  // Gives SQLite's result code: 0 goes on. `end`: of what is written, in the file.
  using Write = std::function<int(const std::string& path, std::int64_t end)>;
  // What was read may be changed.
  using Read = std::function<int(const std::string& path, char* bytes, int count)>;

  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;

  static const char* name() { return "faulty"; }
  void on_write(Write call);
  void on_read(Read call);
};

}  // namespace edgelog::agent

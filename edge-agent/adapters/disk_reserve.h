#pragma once
// A file that only takes space, so that some can be given back when the disk is full. Not for two threads at once.
#include <cstdint>
#include <string>

namespace edgelog::agent {

class DiskReserve {
 public:
  // Takes over what lies at `path`, or makes it if there is room.
  DiskReserve(std::string path, std::int64_t bytes);

  bool held() const { return held_; }
  bool hold();  // false: there is no room for it
  void give_back();

 private:
  std::string path_;
  std::int64_t bytes_;
  bool held_ = false;
};

}  // namespace edgelog::agent

#pragma once
// Few descriptors for many files: opens by key on use, closes the one longest unused. A FileId is good until
// the next get(); those of the latest `open_max` files asked for are all good. Shard thread only.
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "common/port/disk.h"

namespace edgelog::broker::disklog {

class FileCache {
 public:
  FileCache(port::Disk& disk, std::size_t open_max) : disk_(disk), open_max_(open_max) {}
  ~FileCache() { close_all(); }
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  using Key = std::uint64_t;
  Key new_key() { return ++last_key_; }
  // `path()` gives the path, asked for only where the file must be opened.
  template <class Path>
  Result<port::FileId> get(Key key, port::OpenMode mode, Path&& path) {
    if (const auto it = open_.find(key); it != open_.end()) {
      recent_.splice(recent_.begin(), recent_, it->second);
      return it->second->file;
    }
    return open(key, mode, path());
  }
  void close(Key key);
  void close_all();

 private:
  struct Open {
    Key key;
    port::FileId file;
  };
  Result<port::FileId> open(Key key, port::OpenMode mode, const std::string& path);

  port::Disk& disk_;
  std::size_t open_max_;
  Key last_key_ = 0;
  std::list<Open> recent_;  // latest first
  std::map<Key, std::list<Open>::iterator> open_;
};

}  // namespace edgelog::broker::disklog

#include "cloud-broker/log/file_cache.h"

namespace edgelog::broker::disklog {

Result<port::FileId> FileCache::open(Key key, port::OpenMode mode, const std::string& path) {
  while (open_.size() >= open_max_) close(recent_.back().key);
  auto file = disk_.open(path, mode);
  if (!file) return file;
  recent_.push_front({key, *file});
  open_[key] = recent_.begin();
  return file;
}

void FileCache::close(Key key) {
  const auto it = open_.find(key);
  if (it == open_.end()) return;
  disk_.close(it->second->file);
  recent_.erase(it->second);
  open_.erase(it);
}

void FileCache::close_all() {
  while (!recent_.empty()) close(recent_.back().key);
}

}  // namespace edgelog::broker::disklog

#pragma once
// What all partitions of a store share. Shard thread only.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cloud-broker/log/file_cache.h"
#include "cloud-broker/log/journal.h"
#include "cloud-broker/partition/store.h"
#include "common/record/batch.h"

namespace edgelog::broker {

class PartitionLog;

// A part of a partition's file that waits to be handed to the disk.
struct PendingChunk {
  Offset segment;
  std::uint64_t position = 0;
  Buffer bytes;
  Offset base, end;
};

struct StoreContext {
  StoreContext(port::Disk& d, StoreConfig c) : disk(d), config(std::move(c)), files(d, config.open_files_max) {}

  port::Disk& disk;
  const StoreConfig config;
  StoreIdentity identity;
  StoreMetrics metrics;
  disklog::FileCache files;
  record::Scratch scratch;

  std::vector<PartitionLog*> dirty;  // with pending chunks, each once
  std::vector<disklog::MetaEntry> pending_meta;
  std::vector<std::string> doomed;  // files and directories to go once pending_meta is durable
  std::uint64_t pending_bytes = 0;
  std::uint64_t last_change = 0;  // number of the latest MetaEntry
  bool full = false;
  std::function<void(Error)> fail;  // the disk failed: the end

  void change(const PartitionId& partition, disklog::MetaKind kind, std::int64_t a = 0, std::int64_t b = 0,
              std::int64_t c = 0, std::int64_t d = 0) {
    pending_meta.push_back({partition, ++last_change, static_cast<std::int8_t>(kind), a, b, c, d});
  }
  // Whether `bytes` more may be taken from the disk, what deletion needs left aside.
  bool has_room(std::uint64_t bytes) {
    const auto free = disk.free_bytes();
    if (!free) return false;
    metrics.free_bytes.set(static_cast<std::int64_t>(*free));
    return *free >= bytes + config.free_bytes_min;
  }
  void set_full(bool now_full) {
    full = now_full;
    metrics.full.set(now_full ? 1 : 0);
  }
};

}  // namespace edgelog::broker

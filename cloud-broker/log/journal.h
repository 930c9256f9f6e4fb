#pragma once
// The shard's redo log. A round is what one loop turn appended to all partitions, and the changes of their
// metadata: a table of contents and the batches, in one write and one sync. A partition that got much in a
// round is `direct`: its segment is synced in the same breath, and only the entry stands here.
//
// A round begins only when the one before is durable. So a round that cannot be read, with a later one that
// can, is damage; only the last one may be torn. The files of the ring are written over and over; rounds are
// numbered without end, and what lies at or below the checkpoint's round is of the past.
//
//   frame: 0 "ELRD" | 4 crc32c u32 of 8..64, begun with the directory id | 8 round u64 | 16 generation u64
//          24 epoch i32 | 28 contents bytes u32 | 32 contents crc32c u32 | 36 payload bytes u64 | 44 zero | 64
//          contents (DataEntry[], MetaEntry[]) | payload: the batches of the entries that are not direct
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cloud-broker/log/names.h"
#include "common/port/disk.h"

namespace edgelog::broker::disklog {

struct DataEntry {
  PartitionId partition;
  Offset segment;  // base of it
  std::uint32_t version = 0;
  std::uint64_t position = 0;  // of the first byte in the segment
  std::uint64_t bytes = 0;
  Offset base, end;            // offsets
  std::int64_t append_ms = 0;  // not before what was appended earlier
  bool direct = false;
  std::uint32_t crc = 0;  // crc32c of the payload; 0 if direct
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.partition);
    v.field(m.segment);
    v.field(m.version);
    v.field(m.position);
    v.field(m.bytes);
    v.field(m.base);
    v.field(m.end);
    v.field(m.append_ms);
    v.field(m.direct);
    v.field(m.crc);
  }
};

// A change of metadata; what the numbers mean depends on the kind. `number` counts all changes of the store.
enum class MetaKind : std::int8_t {
  created = 0,
  removed = 1,
  rolled = 2,     // a: base of the new segment, b: its version, c: size of the closed one, d: its last append (ms)
  log_start = 3,  // a: offset
  trimmed = 4,    // a: segments that end at or before this offset are gone
  replaced = 5,   // compaction. a: base, b: end of the segments that went, c: version of the new one, d: its size
  horizon = 6,    // a: at, b: kind, c: before
  mark = 7,       // a: offset, b: ms
};
struct MetaEntry {
  PartitionId partition;
  std::uint64_t number = 0;
  std::int8_t kind = 0;
  std::int64_t a = 0, b = 0, c = 0, d = 0;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.partition);
    v.field(m.number);
    v.field(m.kind);
    v.field(m.a);
    v.field(m.b);
    v.field(m.c);
    v.field(m.d);
  }
};

struct RoundContents {
  std::vector<DataEntry> data;
  std::vector<MetaEntry> meta;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.data);
    v.field(m.meta);
  }
};

inline constexpr std::size_t frame_head_bytes = 64;

struct JournalPlace {
  std::uint64_t file_bytes = 0;  // of one file of the ring
  std::uint32_t files = 0;
  Uuid directory{};  // ties frames to this data directory
  LeaderEpoch epoch;
};

class Journal {
 public:
  // Goes on after everything that was ever written: numbers above the highest used.
  Journal(port::Disk& disk, JournalPlace place, std::uint64_t last_round, std::uint64_t last_generation);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  std::uint64_t payload_bytes_max() const;  // of a round, with room for its contents
  // Ok: a frame of that size can be written now. False: the next file still holds what is not in segments.
  // Errors: full, io. May move on to the next file.
  Result<bool> make_room(std::uint64_t frame_bytes);

  // Writes the next round; the caller syncs file() and, if new_name(), the journal's directory.
  // `contents` is encoded by the caller: encode().
  Status write(Bytes contents, std::span<const Bytes> payload);
  port::FileId file() const { return file_; }
  bool new_name() const { return new_name_; }
  void named() { new_name_ = false; }  // the directory was synced
  std::uint64_t last_round() const { return round_; }
  std::uint64_t generation() const { return generation_; }
  bool half_used() const;  // time for a checkpoint

  // Rounds up to this one are in segments, durable, and their checkpoint is.
  void release(std::uint64_t round);

 private:
  std::uint32_t slot(std::uint64_t generation) const { return static_cast<std::uint32_t>(generation % place_.files); }

  port::Disk& disk_;
  JournalPlace place_;
  std::uint64_t round_, generation_, position_ = 0, released_ = 0;
  std::map<std::uint64_t, std::uint64_t> last_rounds_;  // by generation still held
  port::FileId file_{};
  bool open_ = false, new_name_ = false;
};

Buffer encode(const RoundContents& contents);

struct FoundRound {
  std::uint64_t round = 0, generation = 0;
  LeaderEpoch epoch;
  std::uint32_t slot = 0;
  std::uint64_t payload_at = 0;     // in that file
  std::uint64_t payload_bytes = 0;  // 0 also where the file ends before
  RoundContents contents;
};

struct JournalFound {
  std::vector<FoundRound> rounds;      // above `after`, by number; whole contents each
  std::vector<std::uint64_t> missing;  // numbers between `after` and the last one that cannot be read: damage
  std::uint64_t last_round = 0, last_generation = 0;  // highest seen at all
  LeaderEpoch last_epoch{-1};
};
// Reads every file of the ring. `after`: the checkpoint's round; without one the first round found begins.
// Errors: the disk's.
Result<JournalFound> find_rounds(port::Disk& disk, const Uuid& directory, std::optional<std::uint64_t> after);

}  // namespace edgelog::broker::disklog

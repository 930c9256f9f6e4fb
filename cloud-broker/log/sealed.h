#pragma once
// A small state in a file: magic, kind, format, checksum, sequence number, payload. Kept twice where it must
// survive a torn write and a flipped bit, in path.0 and path.1: one is written and synced, then the other with the same
// content; first the one that is not the newest whole one, which may be the only one.
//
//   0 "ELOG" | 4 kind u8 | 5 format u8 | 6 zero u16 | 8 crc32c u32 of all but itself | 12 zero u32
//   16 sequence u64 | 24 payload length u64 | 32 payload
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/port/disk.h"

namespace edgelog::broker::disklog {

enum class SealedKind : std::uint8_t { manifest = 'M', checkpoint = 'C', producers = 'P', index = 'I' };
inline constexpr std::uint8_t sealed_format = 1;

// Of two copies, the one that must stay while the other is written.
struct Twins {
  int kept = 1;      // the newest whole one; 1 where both are durable, or none is there
  bool sure = true;  // else it may stand in the page cache only
  int first() const { return 1 - kept; }
};

struct Sealed {
  std::uint64_t sequence = 0;
  Buffer payload;
  bool twice = false;  // read_twins: both copies are there and equal
  int copy = 1;        // read_twins: which one this is; 1 if they are equal
};

Buffer seal(SealedKind kind, std::uint64_t sequence, Bytes payload);
// corrupt: not such a file, cut short or damaged; unsupported: of a newer format, named.
Result<Sealed> unseal(SealedKind kind, Bytes file, std::string_view name);

// Whole content. Code::not_found if there is none.
Result<Buffer> read_file(port::Disk& disk, std::string_view path, std::uint64_t bytes_max);
// Replaces what begins the file; not synced. The file is left open, for the sync, and closed by the caller.
Result<port::FileId> write_file(port::Disk& disk, std::string_view path, Bytes bytes);

Result<Sealed> read_sealed(port::Disk& disk, SealedKind kind, std::string_view path);
std::string twin_path(std::string_view path, int twin);
// The newer of the two. not_found: neither exists; corrupt: they do, and none is whole.
Result<Sealed> read_twins(port::Disk& disk, SealedKind kind, std::string_view path);
// Writes and syncs one copy, then the other, so that a power cut leaves one whole at any time. Waits for the disk.
Status write_twins(port::Disk& disk, std::string_view path, Twins& twins, Bytes bytes);

}  // namespace edgelog::broker::disklog

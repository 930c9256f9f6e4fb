#pragma once
// The zigzag base-128 integers of records (not of the protocol's flexible versions, which are unsigned).
#include <bit>
#include <cstdint>

#include "common/base/bytes.h"

namespace edgelog::record {

constexpr std::uint64_t zigzag(std::int64_t v) {
  return static_cast<std::uint64_t>(v) << 1 ^ static_cast<std::uint64_t>(v >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t v) { return static_cast<std::int64_t>(v >> 1 ^ (0 - (v & 1))); }

// Bytes that `v` takes: 1 to 10.
constexpr std::size_t varint_bytes(std::int64_t v) {
  return (static_cast<std::size_t>(std::bit_width(zigzag(v) | 1)) + 6) / 7;
}

inline std::byte* put_varint(std::byte* to, std::int64_t v) {
  std::uint64_t rest = zigzag(v);
  for (; rest > 127; rest >>= 7) *to++ = static_cast<std::byte>(rest | 128);
  *to++ = static_cast<std::byte>(rest);
  return to;
}

// Takes one off `from`. False: cut short, longer than 10 bytes, or outside [low, high].
inline bool take_varint(Bytes& from, std::int64_t& out, std::int64_t low, std::int64_t high) {
  std::uint64_t v = 0;
  const std::size_t most = from.size() < 10 ? from.size() : 10;
  for (std::size_t i = 0; i < most; ++i) {
    const auto b = std::to_integer<std::uint64_t>(from[i]);
    v |= (b & 127) << (7 * i);
    if (b >= 128) continue;
    if (i == 9 && b > 1) return false;  // beyond 64 bits
    from = from.subspan(i + 1);
    out = unzigzag(v);
    return low <= out && out <= high;
  }
  return false;
}

}  // namespace edgelog::record

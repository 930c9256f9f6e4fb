#pragma once
// Bytes: a view of octets that somebody else owns. Buffer: octets that we own.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace edgelog {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using Buffer = std::vector<std::byte>;

inline Bytes as_bytes(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline void append(Buffer& to, Bytes more) { to.insert(to.end(), more.begin(), more.end()); }

// Big-endian integers, as the Kafka protocol and our own formats write them.
template <class T>
constexpr T load_big(const std::byte* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<std::uint8_t>(from[i]);
  return static_cast<T>(value);
}
template <class T>
constexpr void store_big(std::byte* to, T value) {
  auto rest = static_cast<std::uint64_t>(value);
  for (std::size_t i = sizeof(T); i > 0; rest >>= 8) to[--i] = static_cast<std::byte>(rest & 0xff);
}

}  // namespace edgelog

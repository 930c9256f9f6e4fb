#include "common/record/crc32c.h"

#include <array>

#ifdef EDGELOG_ISAL
#include <isa-l/crc.h>
#endif

namespace edgelog::record {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? value >> 1 ^ polynomial : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr auto table = make_table();

}  // namespace

std::uint32_t detail::crc32c_table(Bytes data, std::uint32_t so_far) {
  std::uint32_t crc = ~so_far;
  for (const std::byte b : data) crc = table[(crc ^ std::to_integer<std::uint32_t>(b)) & 0xff] ^ crc >> 8;
  return ~crc;
}

#ifdef EDGELOG_ISAL
std::uint32_t crc32c(Bytes data, std::uint32_t so_far) {
  constexpr std::size_t step = 1u << 30;  // crc32_iscsi takes an int
  std::uint32_t crc = ~so_far;
  while (!data.empty()) {
    const Bytes part = data.first(data.size() < step ? data.size() : step);
    // Its parameter lacks a const; it only reads.
    auto* from = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(part.data()));
    crc = crc32_iscsi(from, static_cast<int>(part.size()), crc);
    data = data.subspan(part.size());
  }
  return ~crc;
}
#else
std::uint32_t crc32c(Bytes data, std::uint32_t so_far) { return detail::crc32c_table(data, so_far); }
#endif

}  // namespace edgelog::record

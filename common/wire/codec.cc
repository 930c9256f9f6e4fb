#include "common/wire/codec.h"

namespace edgelog::wire {

std::uint64_t Decoder::uint(unsigned bytes) {
  if (left() < bytes) { fail(); return 0; }
  std::uint64_t v = 0;
  for (; bytes > 0; --bytes) v = v << 8 | std::to_integer<std::uint64_t>(*p_++);
  return v;
}

std::uint32_t Decoder::uvarint() {
  std::uint32_t v = 0;
  for (unsigned shift = 0; shift < 35 && left() > 0; shift += 7) {
    const auto b = std::to_integer<std::uint32_t>(*p_++);
    v |= (b & 127) << shift;
    if (b < 128) return v;
  }
  fail();
  return 0;
}

std::int64_t Decoder::length(unsigned bytes, bool null) {
  std::int64_t n;
  if (flexible_) n = static_cast<std::int64_t>(uvarint()) - 1;
  else n = bytes == 2 ? static_cast<std::int16_t>(uint(2)) : static_cast<std::int32_t>(uint(4));
  if (n < (null ? -1 : 0) || n > static_cast<std::int64_t>(left())) { fail(); return 0; }
  return n;
}

void Encoder::uint(std::uint64_t v, unsigned bytes) {
  for (unsigned shift = 8 * bytes; shift > 0;) out_.push_back(static_cast<std::byte>(v >> (shift -= 8)));
}

void Encoder::uvarint(std::uint32_t v) {
  for (; v > 127; v >>= 7) out_.push_back(static_cast<std::byte>(v | 128));
  out_.push_back(static_cast<std::byte>(v));
}

}  // namespace edgelog::wire

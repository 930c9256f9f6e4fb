#include "common/wire/codec.h"

namespace edgelog::wire {

std::uint64_t Decoder::uint(unsigned bytes) {
  if (left() < bytes) {
    fail();
    return 0;
  }
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
  if (flexible_)
    n = static_cast<std::int64_t>(uvarint()) - 1;
  else
    n = bytes == 2 ? static_cast<std::int16_t>(uint(2)) : static_cast<std::int32_t>(uint(4));
  if (n < (null ? -1 : 0) || n > static_cast<std::int64_t>(left())) {
    fail();
    return 0;
  }
  return n;
}

void Encoder::uint(std::uint64_t v, unsigned bytes) {
  std::byte big[8];
  for (unsigned i = bytes; i > 0; v >>= 8) big[--i] = static_cast<std::byte>(v & 0xff);
  blob(big, bytes);
}

void Encoder::uvarint(std::uint32_t v) {
  for (; v > 127; v >>= 7) out_.push_back(static_cast<std::byte>(v | 128));
  out_.push_back(static_cast<std::byte>(v));
}

void Encoder::length(std::int64_t n, unsigned bytes) {
  ASSERT(n <= INT32_MAX - 1);
  if (flexible_)
    uvarint(static_cast<std::uint32_t>(n + 1));
  else
    uint(static_cast<std::uint64_t>(n), bytes);
}

}  // namespace edgelog::wire

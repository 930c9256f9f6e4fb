#pragma once
// Bytes as hexadecimal digits, as golden files and expectations have them.
#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "common/base/bytes.h"

namespace edgelog::testing {

// Two digits a byte; spaces between bytes are passed over. Anything else is a mistake in the test.
inline Buffer from_hex(std::string_view text) {
  Buffer out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    unsigned char byte = 0;
    const char* const end = text.data() + std::min(i + 2, text.size());
    ASSERT(std::from_chars(text.data() + i, end, byte, 16).ptr == text.data() + i + 2);
    out.push_back(std::byte{byte});
    i += 2;
  }
  return out;
}

inline std::string to_hex(Bytes bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::byte byte : bytes) {
    out += digits[std::to_integer<unsigned>(byte) >> 4];
    out += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return out;
}

}  // namespace edgelog::testing

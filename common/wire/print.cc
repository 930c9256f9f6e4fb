#include "common/wire/print.h"

namespace edgelog::wire {
namespace {

constexpr char digits[] = "0123456789abcdef";

void add_hex(std::string& out, unsigned value) {
  out += digits[value >> 4 & 15];
  out += digits[value & 15];
}

}  // namespace

void Printer::hex(Bytes bytes) {
  out_ += "0x";
  for (const std::byte b : bytes.first(bytes.size() < bytes_max_ ? bytes.size() : bytes_max_)) {
    add_hex(out_, std::to_integer<unsigned>(b));
  }
  if (bytes.size() > bytes_max_) out_ += "...(" + std::to_string(bytes.size()) + " bytes)";
}

// One line whatever stands in it: names come from strangers.
void Printer::quoted(const std::string& text) {
  out_ += '"';
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (value >= 0x20 && value < 0x7f && c != '"' && c != '\\') {
      out_ += c;
    } else {
      out_ += "\\x";
      add_hex(out_, value);
    }
  }
  out_ += '"';
}

}  // namespace edgelog::wire

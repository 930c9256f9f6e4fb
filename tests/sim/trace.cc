#include <fmt/format.h>

#include "tests/sim/kind.h"

namespace edgelog::sim {

void Trace::line(Instant now, std::string_view text) {
  std::string whole = fmt::format("{:>12.6f} {}\n", static_cast<double>(now.value() / 1000) / 1e6, text);
  for (const char c : whole) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  if (to_ != nullptr) std::fwrite(whole.data(), 1, whole.size(), to_);
  if (keep_ == 0) return;
  if (ring_.size() < keep_) {
    ring_.push_back(std::move(whole));
  } else {
    ring_[next_] = std::move(whole);
    next_ = (next_ + 1) % keep_;
  }
}

std::string Trace::tail() const {
  std::string out;
  for (std::size_t i = 0; i < ring_.size(); ++i) out += ring_[(next_ + i) % ring_.size()];
  return out;
}

}  // namespace edgelog::sim

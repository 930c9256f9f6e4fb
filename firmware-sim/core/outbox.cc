#include "firmware-sim/core/outbox.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::firmware {
namespace {
constexpr Duration resend_gap = milliseconds(200);  // one answer to a hole, not one for each number behind it
}

Outbox::Outbox(const OutboxConfig& config, std::uint64_t seed) : config_(config), window_(config.backoff, seed) {
  ASSERT(config_.capacity > 0 && config_.in_flight > 0);
  window_.set_limit(config_.in_flight);
  window_.restart(1);
}

std::uint64_t Outbox::make() {
  if (full()) {
    ++oldest_;
    window_.answered_through(oldest_ - 1);  // it cannot be sent again
    if (window_.empty() && window_.begin() < oldest_) window_.restart(oldest_);
  }
  const std::uint64_t number = next_++;
  settle();
  return number;
}

// The window follows the store: nothing below oldest_, and as many admitted as may be on their way.
void Outbox::settle() {
  if (window_.empty()) window_.restart(std::max(window_.begin(), oldest_));
  while (window_.end() < next_ && window_.has_room()) window_.admit();
  ASSERT(oldest_ <= next_ && window_.end() <= next_ && window_.begin() >= oldest_);  // F1
}

void Outbox::handed_over(std::uint64_t number) {
  if (config_.kind == SourceKind::ring || !window_.answered(number)) return;
  oldest_ = window_.begin();
  settle();
}

std::optional<Notice> Outbox::confirmed(std::uint64_t through, Instant now) {
  if (config_.kind != SourceKind::ring || through >= next_) return std::nullopt;  // never made: not for us
  const bool repeated = through + 1 <= oldest_;
  const bool behind = through < confirmed_ || through + 1 < oldest_;
  confirmed_ = std::max(confirmed_, through);
  if (!repeated) {
    window_.answered_through(through);
    oldest_ = through + 1;
    settle();
    return std::nullopt;
  }
  if (window_.empty() || now - resent_at_ < resend_gap) return std::nullopt;
  resent_at_ = now;
  window_.resend_all();
  if (!behind) return std::nullopt;
  return Notice{confirmed_, oldest_ - 1};
}

}  // namespace edgelog::firmware

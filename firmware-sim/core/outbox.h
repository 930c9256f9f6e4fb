#pragma once
// What a device has made and nobody has taken over yet: numbers only, the payloads lie with the owner in the
// same order. Three kinds of firmware (docs/ARCHITECTURE.md, "At the device"):
//   plain, numbered  an event is done when MQTT acknowledged it; what was on its way when the connection broke
//                    is sent again
//   ring             an event is done when the agent confirmed it ({boot, through}); at most `in_flight` at once;
//                    sent again from what was confirmed, never before it; what the ring loses is told
// Numbers begin at 1 in each boot. Pure; one thread.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/window/window.h"

namespace edgelog::firmware {

enum class SourceKind : unsigned char { plain, numbered, ring };

struct OutboxConfig {
  SourceKind kind = SourceKind::ring;
  std::size_t capacity = 1024;
  std::uint32_t in_flight = 32;
  window::Backoff backoff{seconds(2), seconds(10)};
};

// A ring's own words instead of an event: confirmed up to the first, and lost behind that up to the second.
struct Notice {
  std::uint64_t confirmed = 0, lost = 0;
};

class Outbox {
 public:
  Outbox(const OutboxConfig& config, std::uint64_t seed);

  bool full() const { return stored() >= config_.capacity; }
  std::size_t stored() const { return static_cast<std::size_t>(next_ - oldest_); }
  std::uint64_t oldest() const { return oldest_; }
  std::uint64_t next() const { return next_; }

  // Stores one more and gives its number. A full one loses its oldest first: then oldest() has moved.
  std::uint64_t make();

  // The number to send now. The owner sends it and says so.
  std::optional<std::uint64_t> due(Instant now) const { return window_.due(now); }
  void sent(std::uint64_t number, Instant now) { window_.sent(number, now); }
  std::uint32_t sendings(std::uint64_t number) const { return window_.sendings(number); }
  Instant deadline() const { return window_.deadline(); }
  // The connection is new: what was on its way is not.
  void resend_all() { window_.resend_all(); }

  // MQTT took it over: done, but for a ring, to which that means nothing.
  void handed_over(std::uint64_t number);
  // The agent has `through`. A notice is due if it asks for what this ring has not got (any more).
  std::optional<Notice> confirmed(std::uint64_t through, Instant now);

 private:
  void settle();

  OutboxConfig config_;
  window::Window window_;
  std::uint64_t oldest_ = 1, next_ = 1, confirmed_ = 0;
  Instant resent_at_{};  // of the last "again from there"; several such answers arrive for one hole
};

}  // namespace edgelog::firmware

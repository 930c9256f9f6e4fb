#pragma once
// The send window of everything here that numbers what it sends and waits for answers: an agent's
// batches towards the log, a device's ring towards the agent. Items carry consecutive numbers; at most
// `limit` of the unanswered ones are on their way, and each is sent again, with backoff and jitter,
// until it is answered, alone or by "through". The window knows numbers and times only; what an item is
// lies with the owner, in the order of the numbers. Pure: no clock, chance from the seed alone. It belongs
// to its owner's thread.
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/prng.h"
#include "common/base/time.h"

namespace edgelog::window {

// Wait before an item is sent again: doubles from `first` to `most` with each sending, plus or minus a
// quarter at random, so that those that were cut off together do not return together.
struct Backoff {
  Duration first = seconds(5);
  Duration most = seconds(60);
};
Duration wait_after(const Backoff&, std::uint32_t sendings, Prng&);

class Window {
 public:
  Window(Backoff backoff, std::uint64_t seed) : backoff_(backoff), random_(seed) {}

  // Numbers [begin, end) are admitted and not yet answered through; begin itself is unanswered.
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return begin_ + items_.size(); }
  bool empty() const { return items_.empty(); }
  std::uint32_t limit() const { return limit_; }
  // May fall below what is admitted: then only the first `limit` are sent (again). At least 1.
  void set_limit(std::uint32_t limit);
  bool has_room() const { return items_.size() < limit_; }

  // Admits the next number; it is due at once. Room is the owner's to ask for: what was on its way before a
  // restart is admitted whatever the limit.
  std::uint64_t admit();
  // Forgets all and goes on with `next` as the next number.
  void restart(std::uint64_t next);

  // The lowest number within the limit whose time has come. The owner sends it and says so.
  std::optional<std::uint64_t> due(Instant now) const;
  void sent(std::uint64_t number, Instant now);
  std::uint32_t sendings(std::uint64_t number) const;

  // True if it was admitted and unanswered. begin() moves past the answered prefix.
  bool answered(std::uint64_t number);
  // Answers all up to and with `number`; how many were not answered before. Numbers never admitted are ignored.
  std::size_t answered_through(std::uint64_t number);
  bool is_answered(std::uint64_t number) const;

  // Sends this one (all unanswered ones) again at once, with the backoff it had.
  void resend(std::uint64_t number);
  void resend_all();
  // Not before resend() is called for it.
  void defer(std::uint64_t number);
  // Not before an older one is answered: it cannot succeed sooner.
  void hold(std::uint64_t number);

  // When due() will next name a number: `never` if nothing waits. Instant{} if one is due already.
  Instant deadline() const;

 private:
  struct Item {
    Instant due{};
    std::uint32_t sendings = 0;
    bool answered = false;
    bool held = false;
  };
  Item* find(std::uint64_t number);
  const Item* find(std::uint64_t number) const { return const_cast<Window*>(this)->find(number); }
  void settle();

  Backoff backoff_;
  Prng random_;
  std::uint32_t limit_ = 1;
  std::uint64_t begin_ = 0;
  std::deque<Item> items_;
};

}  // namespace edgelog::window

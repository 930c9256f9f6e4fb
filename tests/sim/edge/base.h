#pragma once
// Time, chance, and the books of one seed: what was injected, what was checked, what went wrong.
#include <fmt/format.h>
#include <algorithm>

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "common/base/prng.h"
#include "common/base/time.h"
#include "tests/sim/kind.h"

namespace edgelog::sim::edge {

enum class Fault : std::uint8_t {
  uplink_loss,
  uplink_repeat,
  uplink_delay,
  uplink_reorder,
  uplink_cut,
  site_loss,
  site_repeat,
  site_killed,
  agent_crash,
  agent_crash_in_commit,
  commit_failed,
  agent_clock_jump,
  image_restored,
  overflow_small_bound,
  age_small_bound,
  gateway_crash,
  gateway_paused,
  shard_moved,
  produce_answer_lost,
  produce_slow,
  leader_change,
  tail_lost,
  log_put_back,
  retention,
  producer_forgotten,
  stale_leader,
  log_unavailable,
  refused_large,
  refused_timestamp,
  topic_unlisted,
  partitions_added,
  device_reboot,
  ring_overflow,
  device_renumbers,
  stream_full,
  log_full,
  number_wraps,
  gateway_clock_ahead,
  look_slow,
  answer_forged,
  batch_forged,
  batch_damaged,
  refused_for_good,
  short_of_space,
  source_forgotten,
  answers_together,
  agent_log_damaged,
  old_list,
  gateway_cut,
  subscriptions_refused,
  twin_appended,
  count
};
enum class Check : std::uint8_t {
  leaves_log_only_if_durable_or_named,
  committed_once,
  committed_in_order,
  published_bytes_fixed,
  numbering_is_function,
  window_bound,
  window_one_until_known,
  marked_before_publish,
  one_id_at_a_time,
  confirmed_is_durable,
  source_not_twice,
  round_is_whole,
  producer_never_before_row,
  late_is_marked,
  gaps_not_false,
  renumbered_behind_fence,
  one_partition,
  look_behind_fence,
  time_not_back,
  priority_first,
  refused_set_aside,
  numbered_without_hole,
  oldest_dropped_first,
  repeat_is_known,
  acknowledged_is_durable,
  forgery_not_forwarded,
  old_copy_discarded,
  named_at_end,
  sources_at_end,
  account_is_right,
  bound_is_kept,
  able_attends,
  all_arrived,
  count
};
const std::vector<std::string>& fault_names();
const std::vector<std::string>& check_names();

class Base {
 public:
  Base(std::uint64_t seed, Trace& trace) : random(seed), forger(~seed), trace_(trace) {}

  Instant now{};
  Prng random;
  Prng forger;  // chance of its own: where nothing is forged a seed is what it is without
  std::vector<std::uint64_t> faults = std::vector<std::uint64_t>(static_cast<std::size_t>(Fault::count));
  std::vector<std::uint64_t> checks = std::vector<std::uint64_t>(static_cast<std::size_t>(Check::count));
  std::string failure;

  WallMillis wall() const { return WallMillis{1'760'000'000'000} + (now - Instant{}); }

  void at(Instant when, std::function<void()> what) { heap_.push({std::max(when, now), ++order_, std::move(what)}); }
  void after(Duration wait, std::function<void()> what) { at(now + wait, std::move(what)); }
  // Runs the next event; false: there is none before `until`, or something failed.
  bool step(Instant until);

  bool chance(std::uint64_t of_thousand) { return of_thousand > 0 && random.chance(of_thousand, 1000); }
  Duration between(Duration low, Duration high) { return Duration{random.between(low.value(), high.value())}; }

  void injected(Fault fault, std::uint64_t n = 1) { faults[static_cast<std::size_t>(fault)] += n; }
  // A check was made; if it did not hold the run ends with `what`.
  template <class What>
  void check(Check kind, bool held, What&& what) {
    ++checks[static_cast<std::size_t>(kind)];
    if (!held && failure.empty()) fail(fmt::format("{}: {}", check_names()[static_cast<std::size_t>(kind)], what()));
  }
  void fail(std::string what);
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... args) {
    if (trace_.on()) trace_.line(now, fmt::format(format, std::forward<T>(args)...));
  }

 private:
  struct Event {
    Instant when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const { return std::pair{when, order} > std::pair{other.when, other.order}; }
  };
  Trace& trace_;
  std::uint64_t order_ = 0, steps_ = 0;
  std::priority_queue<Event> heap_;
};

}  // namespace edgelog::sim::edge

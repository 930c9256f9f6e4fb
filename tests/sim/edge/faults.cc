#include "tests/sim/edge/faults.h"

#include <array>

namespace edgelog::sim::edge {

Plan draw_plan(Prng& random, Prng& forger) {
  Plan plan;
  const auto often = [&](std::uint64_t of_hundred) { return random.chance(of_hundred, 100); };
  const auto rate = [&](std::uint64_t of_hundred, std::uint64_t most) {
    return often(of_hundred) ? 1 + random.below(most) : std::uint64_t{0};
  };
  const auto every = [&](std::uint64_t of_hundred, std::int64_t least, std::int64_t most) {
    return often(of_hundred) ? seconds(random.between(least, most)) : Duration{0};
  };
  plan.uplink_loss = rate(50, 300);
  plan.uplink_repeat = rate(50, 300);
  plan.uplink_delay = rate(50, 200);
  plan.uplink_reorder = rate(40, 200);
  plan.site_loss = rate(40, 100);
  plan.site_repeat = rate(40, 200);
  plan.answer_lost = rate(40, 200);
  plan.produce_slow = rate(30, 50);
  plan.stale_leader = rate(40, 500);
  plan.crash_per_effect = rate(30, 300);
  plan.commit_fails = rate(15, 100);
  plan.slow_disk = often(15);
  plan.uplink_cut = every(50, 30, 300);
  plan.site_killed = every(30, 60, 300);
  plan.agent_crash = every(50, 40, 300);
  plan.gateway_crash = every(40, 60, 400);
  plan.gateway_pause = every(30, 60, 400);
  plan.shard_moves = every(40, 30, 300);
  plan.leader_change = every(50, 20, 300);
  plan.lose_tails = often(60);
  plan.rules.lose_tails = plan.lose_tails && often(60);
  plan.put_back = every(15, 120, 600);
  plan.unavailable = every(20, 100, 400);
  plan.unlisted = every(10, 100, 400);
  plan.device_reboot = every(40, 60, 400);
  plan.clock_jump = every(20, 100, 400);
  const bool images = often(30);
  if (images) {
    plan.image = seconds(random.between(20, 200));
    plan.restore = seconds(random.between(60, 400));
  }
  plan.partitions_added = every(15, 100, 500);
  plan.small_bound = often(25);
  plan.small_age = often(10);
  plan.small_messages = often(10);
  plan.small_log = often(10);
  if (often(40)) plan.when_full = random.chance(1, 2) ? agent::WhenFull::block : agent::WhenFull::drop_newest;
  // Where an image is put back, or a stream blocks for long, nobody knows how often a number has wrapped since.
  if (!images && plan.when_full != agent::WhenFull::block && often(30)) plan.modulus = 256;
  plan.rules.kafka = often(60);
  // Half of it is longer than any copy lives on its way, and leaves a clock something to be wrong by.
  const bool short_memory = often(30);
  plan.rules.memory = short_memory ? seconds(random.between(300, 900)) : seconds(86'400);
  if (often(20)) plan.rules.retention = seconds(random.between(100, 500));
  plan.rules.ahead_max = seconds(random.between(60, 3600));
  plan.safety = seconds(random.between(200, 1200));
  plan.devices = static_cast<int>(random.between(2, 6));
  plan.partitions = static_cast<int>(random.between(1, 3));
  plan.ring = often(30) ? 64 : 1024;
  plan.two_agents = often(25);
  plan.round_linger = milliseconds(often(50) ? 2 : 100);
  plan.pace = milliseconds(random.between(300, 4000));
  plan.gateway_clock = every(15, 100, 400);
  plan.look_slow = rate(30, 500);
  if (forger.chance(30, 100)) plan.forged = 1 + forger.below(50);
  if (plan.put_back.value() == 0 && forger.chance(10, 100)) plan.put_back = seconds(forger.between(30, 200));
  if (forger.chance(15, 100)) plan.batch_damaged = 1 + forger.below(60);
  if (forger.chance(40, 100)) plan.answers_gathered = 1 + forger.below(300);
  if (forger.chance(10, 100)) plan.short_of_space = seconds(forger.between(60, 400));
  if (forger.chance(15, 100)) plan.log_damaged = 1 + forger.below(40);
  if (forger.chance(20, 100)) plan.old_list = 1 + forger.below(60);
  if (forger.chance(20, 100)) plan.gateway_cut = seconds(forger.between(40, 400));
  plan.small_sources = forger.chance(20, 100);
  plan.cannot_wait = forger.chance(30, 100);
  if (forger.chance(20, 100)) plan.handed_max = static_cast<std::uint32_t>(1 + forger.below(6));
  if (forger.chance(15, 100)) {  // some ten messages of a seed, whatever its pace
    const auto messages = static_cast<std::uint64_t>(plan.devices * (plan.safety.value() / plan.pace.value()));
    plan.rules.refused_every = 20 + messages / 8;
    plan.rules.refused_with = std::array<std::int16_t, 4>{2, 10, 18, 87}[forger.below(4)];
  }
  if (plan.put_back.value() > 0 && forger.chance(50, 100)) plan.rules.twins = 20 + forger.below(80);
  return plan;
}

}  // namespace edgelog::sim::edge

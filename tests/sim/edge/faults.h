#pragma once
// Which faults exist in this seed, and how often: drawn once, so that each seed is another mixture (swarm).
#include "edge-agent/core/config.h"
#include "tests/sim/edge/base.h"
#include "tests/sim/edge/log_model.h"

namespace edgelog::sim::edge {

// As long as any copy of a batch lives on its way: 40 s of MQTT, 60 s in a gateway, 35 s to the log.
inline constexpr Duration copy_lives = seconds(135);

struct Plan {
  // Of a thousand messages.
  std::uint64_t uplink_loss = 0, uplink_repeat = 0, uplink_delay = 0, uplink_reorder = 0;
  std::uint64_t site_loss = 0, site_repeat = 0;
  std::uint64_t answer_lost = 0, produce_slow = 0, stale_leader = 0, look_slow = 0;
  std::uint64_t forged = 0;            // messages at gateways, of a thousand
  std::uint64_t crash_per_effect = 0;  // of a hundred thousand effects
  std::uint64_t commit_fails = 0;
  std::uint64_t answers_gathered = 0;  // messages of gateways that wait for more of them, of a thousand
  std::uint64_t old_list = 0;          // of a hundred connections: the MQTT server kept one from before
  std::uint64_t log_damaged = 0;       // of a hundred crashes: after it, events are missing in the agent's log
  std::uint64_t batch_damaged = 0;     // of a hundred crashes: after it, a batch's bytes are others
  bool slow_disk = false;
  // Mean time between such events; 0: never.
  Duration uplink_cut{0}, site_killed{0}, agent_crash{0}, gateway_crash{0}, gateway_pause{0}, shard_moves{0};
  Duration leader_change{0}, put_back{0}, unavailable{0}, unlisted{0}, device_reboot{0}, clock_jump{0}, image{0},
      restore{0}, partitions_added{0}, gateway_clock{0}, short_of_space{0}, gateway_cut{0};
  bool lose_tails = false;
  bool small_bound = false, small_age = false, small_messages = false, small_log = false, small_sources = false,
       cannot_wait = false;  // half of the devices
  std::uint32_t handed_max = 20;
  agent::WhenFull when_full = agent::WhenFull::drop_oldest;  // of the doors
  std::int64_t modulus = 0;                                  // of numbered devices
  LogRules rules;
  Duration safety = seconds(600);
  int devices = 4, partitions = 1;
  std::int64_t ring = 1024;
  bool two_agents = false;
  Duration round_linger = milliseconds(2);
  Duration pace = seconds(2);  // mean time between a device's messages
};
Plan draw_plan(Prng& random, Prng& forger);

}  // namespace edgelog::sim::edge

#include "tests/sim/broker/broker.h"

#include "tests/sim/broker/world.h"
#include "tests/support/store_sim.h"

namespace edgelog::sim::broker {

namespace {

// One seed in four is the store alone: more of the disk's faults per second than clients leave room for.
constexpr std::uint64_t store_share = 4;

SeedResult run_store(std::uint64_t seed, Trace& trace) {
  testing::StoreTrace tell;
  if (trace.on()) tell = [&trace](Instant now, std::string_view line) { trace.line(now, line); };
  const auto result = testing::run_store_sim(seed, tell);
  SeedResult told;
  told.failure = result.failure;
  told.simulated = result.simulated;
  told.faults.assign(shard::fault_names.size(), 0);
  told.checks.assign(shard::check_names.size(), 0);
  told.faults.insert(told.faults.end(), result.faults.begin(), result.faults.end());
  told.checks.insert(told.checks.end(), result.checks.begin(), result.checks.end());
  return told;
}

SeedResult run_shard(std::uint64_t seed, Trace& trace) {
  SeedResult told = shard::World(seed, trace).run();
  told.faults.resize(shard::fault_names.size() + testing::store_fault_names.size());
  told.checks.resize(shard::check_names.size() + testing::store_check_names.size());
  return told;
}

}  // namespace

Kind kind() {
  Kind out;
  out.name = "broker";
  out.fault_names.assign(shard::fault_names.begin(), shard::fault_names.end());
  out.check_names.assign(shard::check_names.begin(), shard::check_names.end());
  for (const auto name : testing::store_fault_names) out.fault_names.push_back("store alone: " + std::string(name));
  for (const auto name : testing::store_check_names) out.check_names.push_back("store alone: " + std::string(name));
  out.run = [](std::uint64_t seed, Trace& trace) {
    return seed % store_share == 0 ? run_store(seed, trace) : run_shard(seed, trace);
  };
  return out;
}

}  // namespace edgelog::sim::broker

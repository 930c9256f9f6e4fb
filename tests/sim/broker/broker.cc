#include "tests/sim/broker/broker.h"

#include "tests/sim/broker/world.h"
#include "tests/support/store_sim.h"

namespace edgelog::sim::broker {

namespace {

// The same seed of both: the whole shard among clients, then the store alone, with more of the disk's faults per second
// than clients leave room for.
SeedResult run(std::uint64_t seed, Trace& trace) {
  SeedResult told = shard::World(seed, trace).run();
  testing::StoreTrace tell;
  if (trace.on()) tell = [&trace](Instant now, std::string_view line) { trace.line(now, line); };
  testing::StoreSimResult store;
  if (told.failure.empty()) store = testing::run_store_sim(seed, tell);
  told.failure += store.failure;
  told.simulated = Duration{told.simulated.value() + store.simulated.value()};
  told.faults.insert(told.faults.end(), store.faults.begin(), store.faults.end());
  told.checks.insert(told.checks.end(), store.checks.begin(), store.checks.end());
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
  out.run = run;
  return out;
}

}  // namespace edgelog::sim::broker

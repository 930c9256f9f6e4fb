#include "tests/sim/broker/broker.h"

#include "tests/support/store_sim.h"

namespace edgelog::sim::broker {

Kind kind() {
  Kind out;
  out.name = "broker";
  out.fault_names.assign(testing::store_fault_names.begin(), testing::store_fault_names.end());
  out.check_names.assign(testing::store_check_names.begin(), testing::store_check_names.end());
  out.run = [](std::uint64_t seed, Trace& trace) {
    testing::StoreTrace tell;
    if (trace.on()) tell = [&trace](Instant now, std::string_view line) { trace.line(now, line); };
    const auto result = testing::run_store_sim(seed, tell);
    SeedResult told;
    told.failure = result.failure;
    told.simulated = result.simulated;
    told.faults.assign(result.faults.begin(), result.faults.end());
    told.checks.assign(result.checks.begin(), result.checks.end());
    return told;
  };
  return out;
}

}  // namespace edgelog::sim::broker

#pragma once
#include "tests/sim/kind.h"

namespace edgelog::sim::broker {

// A whole shard of the broker among clients, and its store alone, on a faulty disk (docs/SIMULATION.md).
Kind kind();

}  // namespace edgelog::sim::broker

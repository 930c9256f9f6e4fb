#pragma once
#include "tests/sim/kind.h"

namespace edgelog::sim::broker {

// The broker's store on a faulty disk (tests/support/store_sim.h).
Kind kind();

}  // namespace edgelog::sim::broker

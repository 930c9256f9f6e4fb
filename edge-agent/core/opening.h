#pragma once
// The core's state from the rows of the log.
#include "edge-agent/core/state.h"

namespace edgelog::agent {

void open(State&, Moment, Persisted, bool log_lost);

}  // namespace edgelog::agent

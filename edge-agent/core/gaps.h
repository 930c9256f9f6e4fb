#pragma once
// Gaps: what was dropped or lost becomes an event of the stream edgelog.gaps, in the transaction that drops it.
// An unsealed gap of the current opening grows when its neighbour is lost too.
#include "edge-agent/core/state.h"

namespace edgelog::agent {

void add_gap(State&, Moment, Gap gap);

}  // namespace edgelog::agent

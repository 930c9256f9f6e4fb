#pragma once
// The end of a recovery: what a look found is acknowledged, what it did not find is renumbered, set aside or
// named as a gap, all in one transaction (rule 7).
#include "edge-agent/core/state.h"

namespace edgelog::agent {

void settle(State&, Moment, Stream&, const uplink::LookAnswer&);
// The log was put back behind what it had acknowledged (rule 9): a gap says so.
void went_back(State&, Moment, Stream&, LeaderEpoch now);

}  // namespace edgelog::agent

#pragma once
// What comes in: judged by its source, given an index in each of its streams, and committed in rounds. A round is
// one transaction with everything taken so far, of all streams, and with their sources' numbers.
#include "edge-agent/core/state.h"

namespace edgelog::agent {

Taking take(State&, Moment, const Taken&);
void device_says(State&, Moment, const DeviceSays&);
// Hands out the next transaction if there is reason to and none is under way.
void commit_round(State&, Instant now, Effects&);
Instant round_due(const State&);
// A transaction is durable: sizes of batches, confirmations.
void round_committed(State&, Instant now, const Committed&, Effects&);

}  // namespace edgelog::agent

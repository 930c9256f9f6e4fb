#pragma once
// Sealing: which unsealed events become one batch, under which id and sequence, with which timestamps.
#include "edge-agent/core/state.h"

namespace edgelog::agent {

// The next numbers of the lane's id for this batch (rule 1).
void number(Lane&, BatchRow&);
// The front of the lane's unsealed events becomes its next batch.
Batch& seal_front(State&, Moment, Stream&, Lane&);
// 64 KiB are gathered: they are sealed without waiting for a place in the window.
void seal_full(State&, Moment, Stream&, Lane&);
// The bytes of an unpublished batch are of an older numbering, or too old for the log: anew, under the lane's id.
void seal_anew(State&, Moment, Stream&, Lane&, Batch&);
// The oldest of these timestamps is older than half of what the log remembers, by the cloud's clock, or the newest is
// from a future that shows its own clock to have been wrong (rule 8). Not known: no.
bool is_old(const State&, Instant now, WallMillis oldest, WallMillis newest);
// When the front of the lane's unsealed events wants to be sealed.
Instant linger_end(const Stream&, const Lane&);

}  // namespace edgelog::agent

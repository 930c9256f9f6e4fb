#pragma once
// The one path of all recovery: fence, look, renumber (rule 7), and the check whether the log went back (rule 9).
#include "edge-agent/core/state.h"

namespace edgelog::agent {

// Before anything of the first lane's id is renumbered or set aside.
void begin_recovery(State&, Moment, Stream&, Cause);
void begin_check(State&, Stream&);
// Sends fences and looks that are due.
void pump_recovery(State&, Moment, Stream&, Effects&);
Instant recovery_due(const Stream&);
// The MQTT session is new: nobody has what was sent.
void recovery_reconnected(Stream&);
void on_fence_answer(State&, Moment, Stream&, const uplink::BatchAnswer&);
void on_look_answer(State&, Moment, const uplink::LookAnswer&);
// The transaction with the renumbering is durable: the stream flows again.
void settled(State&, Stream&);

}  // namespace edgelog::agent

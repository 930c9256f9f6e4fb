#pragma once
// The uplink of a stream while all is well: its partition, what is published and sent again, what answers mean
// (rules 2 to 6).
#include "edge-agent/core/state.h"

namespace edgelog::agent {

// Sends what may be sent now, whatever state the stream is in.
void pump(State&, Moment, Stream&, Effects&);
// A transaction is durable: what it marked as published may go.
void marked(State&, Stream&);
// When pump() has something to do next.
Instant pump_due(const State&, const Stream&);
void on_batch_answer(State&, Moment, const uplink::BatchAnswer&);
// The stream's entry in the list that came: its partition, whether it is led under another epoch.
void on_listed(State&, Stream&);

// Kafka's code says that the same bytes may succeed later; or that nobody knows.
bool may_pass(std::int16_t error);

}  // namespace edgelog::agent

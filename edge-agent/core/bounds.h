#pragma once
// What is dropped when a stream, or the log, is full or old: never what was published (rule 3), at least a
// sixteenth of the bound at once, in one transaction with its gap.
#include "edge-agent/core/state.h"

namespace edgelog::agent {

bool is_full(const State&, const Stream&, std::int64_t more);
// Drops the oldest of what was never published until `bytes` are free, or nothing is left to drop.
std::int64_t drop_oldest(State&, Moment, Stream&, std::int64_t bytes, const char* reason);
void enforce_bytes(State&, Moment, Stream&);
void enforce_age(State&, Moment, Stream&);
// The log takes more on disk than it may: from the streams of the least priority.
void enforce_log(State&, Moment, std::int64_t log_bytes);

}  // namespace edgelog::agent

#pragma once
// Runs many seeds of a kind in several processes, so that an ASSERT in one seed ends that seed alone.
#include <cstdint>

#include "tests/sim/kind.h"

namespace edgelog::sim {

struct Range {
  std::uint64_t from, to;  // both included
};
// Exit code: 0 all held and every kind of fault and check happened (from 500 seeds on), else 1.
int run_range(const Kind& kind, Range range, unsigned jobs);
// One seed, with its trace to stdout if asked for; a failure prints seed, commit and the end of the trace.
int run_seed(const Kind& kind, std::uint64_t seed, bool trace);
// The same seed twice gives the same trace.
int run_twice(const Kind& kind, std::uint64_t seed);

}  // namespace edgelog::sim

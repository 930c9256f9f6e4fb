#pragma once
// A short life of the broker's store that touches everything, with a crash at one chosen effect, and books of what
// was acknowledged: records, producers, removals, log starts, the latest record of each key. Deterministic.
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/support/sim_disk.h"

namespace edgelog::testing {

enum class Crash : unsigned char {
  power_cut,       // what was not synced is lost
  mixed,           // of that, chance decides
  kill,            // the page cache stays; the power is cut after the next start
  kill_and_write,  // the same, after the next start has taken more
  starts_die,      // a power cut, and more of them while the next starts are under way
};

struct StoryOptions {
  std::uint64_t effect = 0;  // of the disk at which the process dies, from 1; 0: at the end
  Crash crash = Crash::power_cut;
  std::set<std::string> left_out;  // sync sites (sync_sites.h) that do nothing
};

struct StoryResult {
  std::string failure;                         // empty: nothing acknowledged was lost
  bool ended = false;                          // there are fewer effects than that
  std::map<std::string, std::uint64_t> calls;  // by sync site
};

StoryResult run_power_story(const StoryOptions& options);

}  // namespace edgelog::testing

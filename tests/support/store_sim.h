#pragma once
// The broker's store in a seeded world: random appends, reads, retention and removals on several partitions, on a
// disk that is slow, fills up, flips bits and fails, with a process that is killed and a machine that loses power.
// A model knows what was acknowledged; it is compared after every event.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace edgelog::testing {

enum class StoreFault : unsigned char {
  kill,
  power_cut,
  crash_within,
  slow_sync,
  failed_sync,
  failed_write,
  full_disk,
  bit_flip,
  clock_jump
};
inline constexpr std::array<std::string_view, 9> store_fault_names{
    "kill",        "power cut", "crash between two effects", "slow sync", "failed sync", "failed write", "full disk",
    "flipped bit", "clock jump"};
enum class StoreCheck : unsigned char {
  acknowledged,
  content,
  order,
  duplicate,
  producers,
  monotonic,
  read,
  progress,
  damage,
  retention
};
inline constexpr std::array<std::string_view, 10> store_check_names{
    "acknowledged is there",      "content equals",        "offsets without holes",
    "duplicate answered",         "producers as replayed", "numbers monotonic",
    "read while running",         "progress at the end",   "damage named",
    "retention takes what may go"};

struct StoreSimResult {
  std::string failure;  // empty: it held
  Duration simulated{0};
  std::array<std::uint64_t, store_fault_names.size()> faults{};
  std::array<std::uint64_t, store_check_names.size()> checks{};
  std::map<std::string, std::uint64_t> sync_calls;  // by site, with left_out
};

struct StoreSimOptions {
  // Not empty: crashes and nothing else, nothing unsynced survives a power cut, and these sync sites (sync_sites.h)
  // do nothing: what if that call were not there?
  std::set<std::string> left_out;
};

using StoreTrace = std::function<void(Instant, std::string_view)>;
StoreSimResult run_store_sim(std::uint64_t seed, const StoreTrace& trace, const StoreSimOptions& options = {});

}  // namespace edgelog::testing

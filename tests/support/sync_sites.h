#pragma once
// Names the sync calls of the broker's store, for tests that leave each of them out: what is synced, and when. Two
// calls in the code have two names, told apart by the file, the occasion, and at start by the call before.
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/support/sim_disk.h"

namespace edgelog::testing {

class SyncSites {
 public:
  // Watches `disk`; the sites in `left_out` do nothing and say Ok.
  SyncSites(SimDisk& disk, std::set<std::string> left_out);

  const std::map<std::string, std::uint64_t>& calls() const { return calls_; }

 private:
  std::string name(const SyncCall& call);
  std::string at_start(std::string_view kind);

  SimDisk& disk_;
  std::set<std::string> left_out_;
  std::string before_;  // the call before, at start
  std::map<std::string, std::uint64_t> calls_;
};

}  // namespace edgelog::testing

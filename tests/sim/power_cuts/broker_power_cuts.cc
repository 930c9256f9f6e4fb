// kill -9 proves nothing about syncs, since the page cache survives it. Here a cut loses all that was not synced: at
// every single effect of a run, and with each sync call of the store left out. That must be noticed, or else the call
// is in the list of the redundant ones, and leaving it out with those that stand in for it must be noticed.
// tests/power_cuts.py shows the table.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/power_story.h"
#include "tests/support/store_sim.h"

namespace edgelog::broker {
namespace {

using testing::Crash;
using Sites = std::set<std::string>;

constexpr std::array crashes{Crash::power_cut, Crash::mixed, Crash::kill, Crash::kill_and_write, Crash::starts_die};

constexpr std::uint64_t seeds_to_notice = 2000;

// tests/power_cuts.py looks at everything; as a unit test, the search for what nobody notices is sampled.
bool whole() { return std::getenv("EDGELOG_POWER_CUTS_WHOLE") != nullptr; }

constexpr std::uint64_t stride = 7;

// The first failure with these sites left out, and where; empty: nobody notices. First every seventh effect, as far as
// the story goes, then seeds, then the effects between. Calls by site are added up.
std::string first_failure(const Sites& left_out, std::uint64_t passes, std::uint64_t seeds,
                          std::map<std::string, std::uint64_t>* calls = nullptr) {
  for (std::uint64_t pass = 1; pass <= passes; ++pass) {
    for (const Crash crash : crashes) {
      bool ended = false;
      for (std::uint64_t effect = pass; !ended; effect += stride) {
        const auto result = testing::run_power_story({effect, crash, left_out});
        ended = result.ended;
        if (calls != nullptr)
          for (const auto& [site, count] : result.calls) (*calls)[site] += count;
        if (!result.failure.empty()) return "effect " + std::to_string(effect) + ": " + result.failure;
      }
    }
    for (std::uint64_t seed = 1; seed <= seeds && pass == 1; ++seed) {
      const auto result = testing::run_store_sim(seed, {}, {.left_out = left_out});
      if (!result.failure.empty()) return "seed " + std::to_string(seed) + ": " + result.failure;
    }
  }
  return {};
}

struct Redundant {
  std::string site, reason;
  Sites stand_ins;  // left out with it, somebody notices; none: it guards against something else
};

const std::vector<Redundant>& redundant() {
  static const std::string at_end = "start: data directory, at the end";
  static const std::string removal = "checkpoint: directory partitions";
  static const std::string in_checkpoint = "checkpoint: partition's directory, with ";
  static const std::vector<Redundant> list{
      {"checkpoint: checkpoint, first copy", "the second says the same", {"checkpoint: checkpoint, second copy"}},
      {"checkpoint: checkpoint, second copy", "the first says the same", {"checkpoint: checkpoint, first copy"}},
      {"checkpoint: data directory, with checkpoint, first copy", "the start has made the name", {at_end}},
      {"checkpoint: data directory, with checkpoint, second copy", "the start has made the name", {at_end}},
      {removal, "a start takes away what no checkpoint and no round tells of", {removal + ", with segment"}},
      {removal + ", with segment", "every checkpoint syncs it once by itself", {removal}},
      {removal + ", with manifest, first copy",
       "the journal has the creation until the next checkpoint",
       {removal, removal + ", with segment"}},
      {removal + ", with manifest, second copy",
       "the journal has the creation until the next checkpoint",
       {removal, removal + ", with segment"}},
      {removal + ", with snapshot", "every checkpoint syncs it once by itself", {removal, removal + ", with segment"}},
      {in_checkpoint + "snapshot",
       "the manifest, which alone makes the snapshot count, is synced later in the same directory",
       {in_checkpoint + "manifest, first copy", in_checkpoint + "manifest, second copy", in_checkpoint + "segment"}},
      {in_checkpoint + "manifest, second copy", "the first says the same", {in_checkpoint + "manifest, first copy"}},
      {"start: checkpoint, first copy", "the second says the same", {"start: checkpoint, second copy"}},
      {"start: checkpoint, second copy", "the first says the same", {"start: checkpoint, first copy"}},
      {"start: data directory, once made", "nothing is acknowledged before the start syncs it at its end", {at_end}},
      {"start: data directory, as found", "nothing is acknowledged before the start syncs it at its end", {at_end}},
      {"start: directory partitions, as found",
       "nothing is acknowledged before the start syncs it for its checkpoint",
       {"start: directory partitions, before the checkpoint"}},
      {"start: manifest, second copy", "the first says the same", {"start: manifest, first copy"}},
      {"start: partition's directory, after its segments",
       "a start after a crash writes the manifests again, and syncs the directory behind them",
       {"start: partition's directory, after its manifest"}},
  };
  return list;
}

const Redundant* find_redundant(const std::string& site) {
  for (const auto& each : redundant())
    if (each.site == site) return &each;
  return nullptr;
}

void row(const std::string& site, const std::string& what) {
  std::printf("| broker | %s | %s |\n", site.c_str(), what.c_str());
}

TEST(PowerCut, EverySyncIsNeededOrListed) {
  std::map<std::string, std::uint64_t> calls;
  ASSERT_EQ(first_failure({}, whole() ? stride : 1, 0, &calls), "");
  for (std::uint64_t seed = 1; seed <= (whole() ? 300 : 100); ++seed) {
    const auto result = testing::run_store_sim(seed, {}, {.left_out = {"none"}});
    ASSERT_EQ(result.failure, "") << seed;
    for (const auto& [site, count] : result.sync_calls) calls[site] += count;
  }
  for (const auto& each : redundant()) EXPECT_TRUE(calls.contains(each.site)) << each.site << " is never called";
  const char* const only = std::getenv("EDGELOG_POWER_CUTS_SITE");  // of the sites that contain this
  for (const auto& [site, count] : calls) {
    if (only != nullptr && site.find(only) == std::string::npos) continue;
    const Redundant* const listed = find_redundant(site);
    const std::string failure = listed == nullptr ? first_failure({site}, stride, seeds_to_notice)
                                                  : first_failure({site}, whole() ? stride : 1, whole() ? 300 : 3);
    if (listed == nullptr) {
      EXPECT_NE(failure, "") << "nobody notices when this is left out: " << site;
      row(site, failure);
      continue;
    }
    EXPECT_EQ(failure, "") << "not redundant: " << site;
    Sites all = listed->stand_ins;
    if (all.empty()) {
      row(site, "redundant: " + listed->reason);
      continue;
    }
    all.insert(site);
    const std::string together = first_failure(all, stride, seeds_to_notice);
    EXPECT_NE(together, "") << "nobody notices when this and its stand-ins are left out: " << site;
    row(site, "redundant: " + listed->reason + "; without these too: " + together);
  }
}

}  // namespace
}  // namespace edgelog::broker

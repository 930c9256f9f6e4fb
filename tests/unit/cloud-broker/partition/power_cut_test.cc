// kill -9 proves nothing about syncs, since the page cache survives it. Here a cut loses all that was not synced: at
// every single effect of a run, and with each kind of sync taken away, which must be noticed.
#include <gtest/gtest.h>
#include <algorithm>

#include <map>
#include <string>

#include "tests/support/store_sim.h"
#include "tests/support/store_world.h"

namespace edgelog::broker {
namespace {

using testing::partition_id;
using testing::StoreWorld;
using testing::Survival;

// A run that touches everything: several partitions, inline and direct rounds, rolls, retention, a removal,
// checkpoints. Tells after every step what is acknowledged.
class Story {
 public:
  Story(StoreWorld& world, std::map<int, std::int64_t>& acknowledged) : world_(world), acknowledged_(acknowledged) {}
  void tell(bool& dead) {
    const auto note = [&] {
      if (dead) return;
      for (auto& [number, p] : partitions_) acknowledged_[number] = p->committed().value();
    };
    for (int number : {1, 2, 3}) {
      auto made = world_.store->create(partition_id(number),
                                       {.retention_bytes = number == 3 ? 3000 : -1, .segment_bytes = 2500});
      if (!made) return;  // dead already
      partitions_[number] = *made;
    }
    for (int i = 0; i < 24; ++i) {
      for (auto& [number, p] : partitions_) {
        if ((i + number) % 3 == 0) continue;
        const std::size_t bytes = number == 2 && i % 4 == 0 ? 2000 : 150;
        world_.append(
            *p, {.producer = ProducerId{number}, .epoch = 0, .sequence = sequence_[number]++, .value_bytes = bytes});
      }
      world_.store->end_of_turn();
      while (world_.disk.complete()) note();
      if (i % 5 == 4) world_.tick(seconds(40));
      if (i == 15) world_.idle_checkpoint();
      note();
    }
  }

 private:
  StoreWorld& world_;
  std::map<int, std::int64_t>& acknowledged_;
  std::map<int, Partition*> partitions_;
  std::map<int, std::int32_t> sequence_;
};

int run_until(int effect, Survival survival, bool& ended) {
  StoreWorld world;
  world.config.direct_bytes = 1000;
  world.config.journal_file_bytes = 64 << 10;
  world.open();
  std::map<int, std::int64_t> acknowledged;
  bool dead = false;
  int left = effect;
  world.disk.on_operation([&](std::string_view, std::string_view) {
    if (--left == 0) {
      dead = true;
      world.disk.freeze();
    }
  });
  Story(world, acknowledged).tell(dead);
  ended = !dead;
  world.disk.on_operation(nullptr);
  world.power_cut(survival);
  world.open();
  for (const auto& [number, count] : acknowledged) {
    Partition* const p = world.store->find(partition_id(number));
    if (p == nullptr && count == 0) continue;
    EXPECT_NE(p, nullptr) << "effect " << effect;
    if (p == nullptr) return 1;
    EXPECT_EQ(p->damage(), "") << "effect " << effect;
    EXPECT_GE(p->committed().value(), count) << "partition " << number << ", effect " << effect;
    EXPECT_EQ(testing::read_all(*p), p->committed() - p->log_start()) << "effect " << effect;
  }
  return ::testing::Test::HasFailure() ? 1 : 0;
}

TEST(PowerCut, AtEveryEffectNothingAcknowledgedIsLost) {
  int effects = 0;
  for (const Survival survival : {Survival::nothing, Survival::mixed}) {
    bool ended = false;
    for (int effect = 1; !ended; ++effect) {
      ASSERT_EQ(run_until(effect, survival, ended), 0);
      effects = std::max(effects, effect);
    }
  }
  EXPECT_GT(effects, 150);
}

bool noticed(const std::function<bool(std::string_view)>& ignored, std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (!testing::run_store_sim(seed, {}, {.ignored_syncs = ignored}).failure.empty()) return true;
  }
  return false;
}

TEST(PowerCut, EverySyncIsNeeded) {
  const auto ends = [](std::string_view end) { return [end](std::string_view path) { return path.ends_with(end); }; };
  EXPECT_TRUE(noticed(ends(".journal"), 30)) << "journal";
  EXPECT_TRUE(noticed(ends(".log"), 30)) << "segments";
  EXPECT_TRUE(noticed([](std::string_view path) { return path.find("/manifest.") != std::string_view::npos; }, 60))
      << "manifests";
  EXPECT_TRUE(noticed([](std::string_view path) { return path.starts_with("checkpoint."); }, 30)) << "checkpoints";
  EXPECT_TRUE(noticed([](std::string_view path) { return path == "partitions/"; }, 60)) << "directory of partitions";
  EXPECT_TRUE(noticed([](std::string_view path) { return path == "journal/"; }, 60)) << "directory of the journal";
  EXPECT_TRUE(noticed(
      [](std::string_view path) {
        return path.starts_with("partitions/") && path.ends_with("/") && path != "partitions/";
      },
      60))
      << "directories of single partitions";
  EXPECT_FALSE(noticed([](std::string_view) { return false; }, 30));
}

}  // namespace
}  // namespace edgelog::broker

// Of what is written twice a power cut leaves one whole, also where another one hit the start, or the checkpoint,
// before.
#include <gtest/gtest.h>

#include "cloud-broker/partition/partition_log.h"
#include "cloud-broker/partition/store.h"
#include "tests/support/batches.h"
#include "tests/support/store_world.h"

namespace edgelog::broker {
namespace {

using testing::partition_id;
using testing::StoreWorld;
using testing::Survival;

void roll(StoreWorld& world, int number, int count) {
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(world.append(*world.store->find(partition_id(number)), {.value_bytes = 600}).error, 0);
    world.commit();
  }
}

// Dies before the effect of that number on such a file; the disk forgets by chance what was not synced.
void start_and_die(StoreWorld& world, std::string_view file, int effect, bool power) {
  world.disk.on_operation([&](std::string_view, std::string_view path) {
    if (path.find(file) != std::string_view::npos && --effect == 0) world.disk.freeze();
  });
  auto opened = Store::open(world.disk, world.config, {}, world.now);
  world.disk.on_operation(nullptr);
  if (opened) opened->reset();
  power ? world.power_cut(Survival::mixed) : world.kill();
}

// What is written twice fills several sectors.
void fill(StoreWorld& world) {
  world.open();
  for (int number = 1; number <= 12; ++number) world.create(number, {.segment_bytes = 1000});
  roll(world, 1, 12);
  world.idle_checkpoint();
  roll(world, 1, 2);
}

void begin_checkpoint(StoreWorld& world) {
  for (int i = 0; i < 2; ++i) {
    world.now = world.now + seconds(3);
    world.store->tick(world.now, world.wall);
  }
}

// To each one, and several segments of the first; no sync of a checkpoint ends.
void append_more(StoreWorld& world) {
  for (int i = 0; i < 4; ++i)
    for (Partition* const p : world.store->all())
      if (i == 0 || p->id() == partition_id(1)) world.append(*p, {.value_bytes = 600});
  world.store->end_of_turn();
  ASSERT_TRUE(world.disk.complete(world.disk.first_of_round()));
}

void expect_whole(StoreWorld& world, std::int64_t count) {
  auto opened = Store::open(world.disk, world.config, {}, world.now);
  ASSERT_TRUE(opened) << opened.error().what;
  for (Partition* const p : (*opened)->all()) EXPECT_EQ(p->damage(), "");
  Partition* const p = (*opened)->find(partition_id(1));
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(testing::read_all(*p), count);
}

void two_starts_die(std::string_view file, int first, int second, bool power, std::uint64_t seed) {
  StoreWorld world;
  world.random = Prng{seed};
  fill(world);
  world.power_cut(Survival::nothing);
  start_and_die(world, file, first, power);
  start_and_die(world, file, second, true);
  expect_whole(world, 14);
}

// While the second copy is being synced rounds go on, so that the start has more to tell.
void checkpoint_and_start_die(std::string_view file, int effect, std::uint64_t seed) {
  StoreWorld world;
  world.random = Prng{seed};
  fill(world);
  bool second_copy = false;
  world.disk.on_operation([&](std::string_view operation, std::string_view path) {
    second_copy |= operation == "write" && path.ends_with(std::string(file) + "1");
  });
  begin_checkpoint(world);
  while (!second_copy && world.disk.complete()) {
  }
  world.disk.on_operation(nullptr);
  ASSERT_TRUE(second_copy);
  append_more(world);
  world.power_cut(Survival::mixed);
  start_and_die(world, file, effect, true);
  expect_whole(world, 18);
}

TEST(Twins, ACheckpointAndAStartThatDieLeaveOneCopyWhole) {
  for (const std::string_view file : {"manifest.", "checkpoint."}) {
    for (int effect = 1; effect <= 6; ++effect) {
      for (std::uint64_t seed = 1; seed <= 40; ++seed) checkpoint_and_start_die(file, effect, seed);
      ASSERT_FALSE(HasFailure()) << file << effect;
    }
  }
}

TEST(Twins, TwoStartsThatDieLeaveOneCopyWhole) {
  for (const std::string_view file : {"manifest.", "checkpoint."}) {
    for (const bool power : {true, false}) {
      for (int first = 1; first <= 6; ++first) {
        for (int second = 1; second <= 6; ++second) {
          for (std::uint64_t seed = 1; seed <= 8; ++seed) two_starts_die(file, first, second, power, seed);
          ASSERT_FALSE(HasFailure()) << file << first << ' ' << second << (power ? " cut" : " killed");
        }
      }
    }
  }
}

// The first one writes a second copy that is not synced yet, and then there is no room for another partition's.
void give_up_a_checkpoint(StoreWorld& world) {
  const std::string victim = disklog::partition_path(partition_id(2)) + "/manifest.1";
  world.disk.on_operation([&](std::string_view operation, std::string_view path) {
    if (operation == "write" && path == victim) world.disk.set_capacity(world.disk.used_bytes());
  });
  begin_checkpoint(world);
  while (!world.store->full() && world.disk.complete()) {
  }
  ASSERT_TRUE(world.store->full());
  world.disk.on_operation(nullptr);
  world.disk.set_capacity(std::uint64_t{1} << 40);
}

TEST(Twins, ACheckpointThatWasGivenUpLeavesOneCopyWhole) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    StoreWorld world;
    world.random = Prng{seed};
    world.open();
    for (int number : {1, 2}) world.create(number, {.segment_bytes = 1000});
    roll(world, 1, 12);
    roll(world, 2, 60);  // its manifest fills almost a block
    world.idle_checkpoint();
    roll(world, 1, 2);
    roll(world, 2, 20);
    give_up_a_checkpoint(world);
    append_more(world);
    const std::size_t late = world.disk.pending();
    ASSERT_GT(late, 0u);
    bool written = false;  // the next one begins with a copy of the same manifest
    const std::string manifest = disklog::partition_path(partition_id(1)) + "/manifest.";
    world.disk.on_operation([&](std::string_view operation, std::string_view path) {
      written |= operation == "write" && path.starts_with(manifest);
    });
    begin_checkpoint(world);
    while (!written && world.disk.complete(late)) {
    }
    ASSERT_TRUE(written);
    world.disk.on_operation(nullptr);
    world.power_cut(Survival::mixed);
    world.open();
    Partition* const p = world.store->find(partition_id(1));
    EXPECT_EQ(p->damage(), "") << seed;
    EXPECT_EQ(p->committed(), Offset{18});
  }
}

}  // namespace
}  // namespace edgelog::broker

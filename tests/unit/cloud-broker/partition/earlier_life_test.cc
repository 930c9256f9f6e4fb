// What an earlier life wrote of batches that did not come to be must not be believed of those that took their place.
#include <gtest/gtest.h>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/partition_log.h"
#include "cloud-broker/partition/store.h"
#include "tests/support/batches.h"
#include "tests/support/store_world.h"

namespace edgelog::broker {
namespace {

using testing::BatchSpec;
using testing::partition_id;
using testing::StoreWorld;
using testing::Survival;

// A checkpoint wrote down a horizon beyond what was durable, and the power took the rest.
TEST(EarlierLife, WhoAppendsBelowAHorizonThatWasAheadIsNotForgotten) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  world.append(p, {.producer = ProducerId{1}, .epoch = 0, .sequence = 0});
  world.store->end_of_turn();
  for (int i = 0; i < 4; ++i)  // behind the round that is under way
    world.append(p, {.producer = ProducerId{2 + i}, .epoch = 0, .sequence = 0});
  p.log().evict_producers(4);
  world.checkpoint_while_round_waits();
  world.power_cut(Survival::nothing);
  world.open();
  Partition& after = *world.store->find(partition_id(1));
  ASSERT_EQ(after.end(), Offset{1});
  ASSERT_EQ(after.log().horizons.empty(), false);
  const BatchSpec spec{.producer = ProducerId{9}, .epoch = 0, .sequence = 0};
  ASSERT_EQ(world.append(after, spec).base_offset, Offset{1});
  world.commit();
  world.close();
  world.open();
  EXPECT_TRUE(world.append(*world.store->find(partition_id(1)), spec).duplicate);
}

const TopicSettings forty_batches{.segment_bytes = 104'000};

// Two lives fill a segment with as many bytes, but other batches, and close it.
void fill(StoreWorld& world, bool small_first) {
  Partition& p = *world.store->find(partition_id(1));
  p.set_settings(forty_batches);
  for (int i = 0; i < 40; ++i)
    ASSERT_EQ(world.append(p, {.value_bytes = (i < 20) == small_first ? 2000u : 3000u, .timestamp = 1000 + i}).error,
              0);
  ASSERT_EQ(p.segment_count(), 1u);
  ASSERT_EQ(world.append(p, {.value_bytes = 4000, .timestamp = 2000}).error, 0);
  ASSERT_EQ(p.segment_count(), 2u);
}

void expect_all(Partition& p) {
  for (std::int64_t i = 0; i < 41; ++i) {
    const auto read = p.read(Offset{40 - i}, 1, true, p.committed());
    EXPECT_EQ(testing::offsets_of(read.batches), (std::vector<std::int64_t>{40 - i}));
  }
  for (std::int64_t i = 0; i < 40; ++i) EXPECT_EQ(p.offset_for_time(1000 + i, p.committed()).offset, Offset{i});
  EXPECT_EQ(p.damage(), "");
}

const std::string directory = disklog::partition_path(partition_id(1));
const std::string index_path = directory + "/" + disklog::index_name(Offset{0}, 0);

// Seed 178198 of the broker's simulator: a segment that no round told of, removed by the next start; made anew under
// its name and, before that was durable, there again as it was.
TEST(EarlierLife, WhatItLeftInASegmentThatIsMadeAnewIsNotTheLogsEnd) {
  StoreWorld world;
  world.open();
  world.create(1);
  world.commit();
  world.idle_checkpoint();
  fill(world, true);
  const std::string second = directory + "/" + disklog::segment_name(Offset{40}, 0);
  world.commit();
  const Buffer left = *world.disk.contents(second);
  ASSERT_GT(left.size(), 4000u);
  world.kill();
  StoreWorld again;
  again.open();  // twice, so that its epoch is a later one
  again.close();
  again.open();
  again.create(1);
  again.commit();
  again.idle_checkpoint();
  Partition& p = *again.store->find(partition_id(1));
  p.set_settings(forty_batches);
  for (int i = 0; i < 40; ++i) ASSERT_EQ(again.append(p, {.value_bytes = i < 20 ? 2000u : 3000u}).error, 0);
  ASSERT_TRUE(p.log().roll(again.wall.value()));
  again.commit();
  again.power_cut(Survival::nothing);
  auto file = disklog::write_file(again.disk, second, left);
  ASSERT_TRUE(file);
  again.disk.close(*file);
  again.open();
  Partition& after = *again.store->find(partition_id(1));
  EXPECT_EQ(after.end(), Offset{40});
  EXPECT_EQ(testing::read_all(after), 40);
  EXPECT_EQ(after.damage(), "");
}

TEST(EarlierLife, TheIndexOfASegmentThatNobodyVouchesForIsRemoved) {
  StoreWorld world;
  world.open();
  world.create(1);
  world.commit();
  world.idle_checkpoint();
  fill(world, true);  // of which nothing but the index reaches the disk
  auto file = world.disk.open(index_path, port::OpenMode::existing);
  ASSERT_TRUE(file);
  ASSERT_TRUE(world.disk.sync_now(*file));
  ASSERT_TRUE(world.disk.sync_directory(directory));
  world.power_cut(Survival::nothing);
  ASSERT_TRUE(world.disk.contents(index_path));
  world.open();
  EXPECT_FALSE(world.disk.contents(index_path));
  fill(world, false);
  world.commit();
  world.idle_checkpoint();
  world.power_cut(Survival::nothing);  // the index that was written meanwhile goes, and the old one does not come back
  world.open();
  expect_all(*world.store->find(partition_id(1)));
}

TEST(EarlierLife, AnIndexThatLeadsToNoBatchIsMadeAnew) {
  for (const bool by_time : {false, true}) {
    StoreWorld world;
    world.open();
    world.create(1);
    fill(world, true);
    const Buffer other = *world.disk.contents(index_path);
    world.kill();
    StoreWorld again;
    again.open();
    again.create(1);
    fill(again, false);
    again.commit();
    again.idle_checkpoint();
    again.close();
    ASSERT_NE(*again.disk.contents(index_path), other);
    auto file = disklog::write_file(again.disk, index_path, other);
    ASSERT_TRUE(file);
    again.disk.close(*file);
    again.open();
    Partition& p = *again.store->find(partition_id(1));
    EXPECT_EQ(p.offset_for_time(by_time ? 1039 : 0, p.committed()).offset, Offset{by_time ? 39 : 0});
    expect_all(p);
  }
}

}  // namespace
}  // namespace edgelog::broker

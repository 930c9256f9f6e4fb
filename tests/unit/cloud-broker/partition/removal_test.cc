// A partition whose id was removed and is made again: CreatePartitions does so when it is tried once more.
#include <gtest/gtest.h>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/partition_log.h"
#include "cloud-broker/partition/store.h"
#include "common/record/crc32c.h"
#include "tests/support/batches.h"
#include "tests/support/store_world.h"

namespace edgelog::broker {
namespace {

using testing::make_batch;
using testing::partition_id;
using testing::StoreWorld;
using testing::Survival;

// As a client does: until it is made. Nothing but that asks for the checkpoint that lets go of the earlier one.
Partition* make_again(StoreWorld& world, int number) {
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (auto made = world.store->create(partition_id(number), {})) return *made;
    world.commit();
  }
  return nullptr;
}

// Three records and one more, a checkpoint between them or none.
void begin(StoreWorld& world, bool checkpointed) {
  world.open();
  for (int i = 0; i < 3; ++i) world.append(i == 0 ? world.create(1) : *world.store->find(partition_id(1)), {});
  world.commit();
  if (checkpointed) world.idle_checkpoint();
  world.append(*world.store->find(partition_id(1)), {});
  world.commit();
}

bool refused(StoreWorld& world, int number) {
  const auto made = world.store->create(partition_id(number), {});
  return !made && made.error().code == Code::exists;
}

TEST(Removal, APartitionMadeAgainOutlivesTheNextStart) {
  for (const bool checkpointed : {false, true}) {
    for (const bool under_way : {false, true}) {  // a checkpoint that knows the earlier one
      for (const bool power : {false, true}) {
        StoreWorld world;
        begin(world, checkpointed);
        for (int i = 0; under_way && i < 2; ++i) {
          world.now = world.now + seconds(3);
          world.store->tick(world.now, world.wall);
        }
        ASSERT_EQ(world.disk.pending() > 0, under_way);
        world.store->remove(partition_id(1));
        if (!under_way) world.commit();
        Partition* const made = make_again(world, 1);
        ASSERT_NE(made, nullptr);
        EXPECT_EQ(made->end(), Offset{0});
        world.append(*made, {.records = 2});
        world.commit();
        power ? world.power_cut(Survival::nothing) : world.kill();
        world.open();
        Partition* const p = world.store->find(partition_id(1));
        ASSERT_NE(p, nullptr) << checkpointed << under_way << power;
        EXPECT_EQ(p->damage(), "");
        EXPECT_EQ(p->committed(), Offset{2});
        EXPECT_EQ(testing::read_all(*p), 2);
      }
    }
  }
}

// The directory's removal, too, must not be undone by a power cut once another one lies there.
TEST(Removal, AnIdIsRefusedUntilACheckpointHasLeftItBehind) {
  StoreWorld world;
  world.open();
  world.create(1);
  world.commit();
  world.idle_checkpoint();
  world.store->remove(partition_id(1));
  EXPECT_TRUE(refused(world, 1));
  world.store->end_of_turn();
  ASSERT_EQ(world.disk.pending(), 1u);  // the round of the removal
  ASSERT_TRUE(world.disk.complete());
  EXPECT_TRUE(refused(world, 1));
  const std::uint64_t before = world.store->metrics().checkpoints.value();
  world.disk.complete_all();
  EXPECT_EQ(world.store->metrics().checkpoints.value(), before + 1);
  EXPECT_TRUE(world.store->create(partition_id(1), {}));
}

// What a start finds that no round tells of goes at once, and the metadata may want it made in the same start.
TEST(Removal, WhatAStartRemovedMayBeMadeInTheSameStart) {
  StoreWorld world;
  world.open();
  world.append(world.create(1), {});
  world.commit();
  world.idle_checkpoint();
  world.store->remove(partition_id(1));
  world.store->end_of_turn();
  world.kill();  // the round is in the page cache
  world.open();
  ASSERT_EQ(world.store->find(partition_id(1)), nullptr);
  world.append(world.create(1), {.records = 2});
  world.commit();
  world.power_cut(Survival::nothing);
  world.open();
  Partition* const p = world.store->find(partition_id(1));
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(p->damage(), "");
  EXPECT_EQ(p->committed(), Offset{2});
}

// A start that finds a partition which the metadata do not know removes it; a client may ask for it at once.
TEST(Removal, WhatTheMetadataDidNotKnowMayBeMadeSoon) {
  StoreWorld world;
  world.open();
  world.append(world.create(1), {});
  world.commit();
  world.kill();
  world.open();
  world.store->remove(partition_id(1));
  Partition* const made = make_again(world, 1);
  ASSERT_NE(made, nullptr);
  world.append(*made, {.records = 2});
  world.commit();
  world.kill();
  world.open();
  ASSERT_NE(world.store->find(partition_id(1)), nullptr);
  EXPECT_EQ(world.store->find(partition_id(1))->committed(), Offset{2});
}

// As earlier versions left it: the removal, another creation and a batch in rounds behind the checkpoint.
void make_again_in_the_journal(StoreWorld& world) {
  const PartitionId id = partition_id(1);
  auto found = disklog::find_rounds(world.disk, world.config.fresh, std::nullopt);
  ASSERT_TRUE(found);
  disklog::Journal journal(world.disk, {world.config.journal_file_bytes, 4, world.config.fresh, found->last_epoch},
                           found->last_round, found->last_generation);
  Buffer batch = make_batch({.records = 2});
  record::stamp(batch, Offset{0}, found->last_epoch);
  disklog::RoundContents gone, made;
  gone.meta.push_back({id, 1'000, static_cast<std::int8_t>(disklog::MetaKind::removed)});
  made.meta.push_back({id, 1'001, static_cast<std::int8_t>(disklog::MetaKind::created)});
  made.data.push_back(
      {id, Offset{0}, 0, 0, batch.size(), Offset{0}, Offset{2}, world.wall.value(), false, record::crc32c(batch)});
  for (const auto* contents : {&gone, &made}) {
    const Buffer bytes = encode(*contents);
    ASSERT_TRUE(*journal.make_room(1'000));
    const Bytes payload = batch;
    ASSERT_TRUE(journal.write(bytes, std::span(&payload, contents == &made ? 1 : 0)));
  }
}

TEST(Removal, InAJournalTheLastCreationWinsOrIsDamageButIsNotDeleted) {
  const std::string path = disklog::partition_path(partition_id(1));
  for (const bool checkpointed : {false, true}) {
    StoreWorld world;
    begin(world, checkpointed);
    world.kill();
    const auto names = world.disk.list(path);
    for (const auto& name : *names) ASSERT_TRUE(world.disk.remove(path + "/" + name));
    make_again_in_the_journal(world);
    for (int start = 0; start < 2; ++start) {
      world.open();
      Partition* const p = world.store->find(partition_id(1));
      ASSERT_NE(p, nullptr);
      EXPECT_EQ(p->damage().empty(), !checkpointed) << p->damage();
      EXPECT_EQ(testing::read_all(*p), checkpointed ? 0 : 2);
      world.kill();
    }
  }
}

}  // namespace
}  // namespace edgelog::broker

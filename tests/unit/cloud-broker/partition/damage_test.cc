// What recovery finds damaged: it is refused as it is, nothing acknowledged of it goes, and others work.
#include "cloud-broker/partition/store.h"

#include <gtest/gtest.h>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/partition_log.h"
#include "tests/support/batches.h"
#include "tests/support/store_world.h"

namespace edgelog::broker {
namespace {

using testing::BatchSpec;
using testing::make_batch;
using testing::partition_id;
using testing::StoreWorld;
using testing::Survival;

TEST(Store, AFlippedBitInDurableDataIsDamageAndOthersWork) {
  StoreWorld world;
  world.open();
  world.append(world.create(1), {.value_bytes = 1000});
  world.append(world.create(2), {.value_bytes = 1000});
  world.commit();
  world.idle_checkpoint();
  world.kill();
  world.disk.flip_bit(disklog::partition_path(partition_id(1)) + "/" + disklog::segment_name(Offset{0}, 0), 500, 3);
  world.open();
  Partition* p = world.store->find(partition_id(1));
  EXPECT_EQ(p->read(Offset{0}, 1 << 20, true, p->committed()).error, 56);
  EXPECT_NE(p->damage(), "");
  EXPECT_EQ(world.append(*p, {}).error, 56);
  EXPECT_EQ(testing::read_all(*world.store->find(partition_id(2))), 1);
  world.commit();
  world.idle_checkpoint();
  world.kill();
  world.open();
  EXPECT_NE(world.store->find(partition_id(1))->damage(), "");
}

// Seed 3367 of the broker's simulator. A start found the damage and could not write it down: the sync of the manifest
// failed. The next one read what it had written from the page cache and let its checkpoint forget the evidence.
TEST(Store, DamageThatOnlyThePageCacheTellsOfIsWrittenDownAgain) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  for (int i = 0; i < 2; ++i) {
    world.append(p, {.value_bytes = 1000});
    world.commit();
  }
  world.idle_checkpoint();
  const std::string directory = disklog::partition_path(partition_id(1)) + "/";
  world.kill();
  world.disk.flip_bit(directory + disklog::segment_name(Offset{0}, 0), 500, 3);
  world.disk.on_operation([&](std::string_view operation, std::string_view path) {
    if (operation == "sync" && path == directory + "manifest.0") world.disk.fail_next_sync();
  });
  EXPECT_FALSE(Store::open(world.disk, world.config, {}, world.now));
  world.disk.on_operation(nullptr);
  world.kill();
  world.open();
  EXPECT_NE(world.store->find(partition_id(1))->damage(), "");
  for (int i = 0; i < 2; ++i) {
    world.power_cut(Survival::nothing);
    world.open();
    EXPECT_NE(world.store->find(partition_id(1))->damage(), "");
  }
}

// Seed 5524 of the broker's simulator. How many offsets a batch has is read before its checksum is; a reader took the
// last batch of a segment for one beyond what may be read, got nothing and no error, and a group's offset went back.
TEST(Store, ABatchWithTooManyOffsetsIsDamageNotTheEnd) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 1000});
  world.append(p, {.value_bytes = 600});
  world.commit();
  world.append(p, {.value_bytes = 600});
  world.commit();
  ASSERT_EQ(p.segment_count(), 2u);
  world.idle_checkpoint();
  world.close();
  world.kill();
  world.disk.flip_bit(disklog::partition_path(partition_id(1)) + "/" + disklog::segment_name(Offset{0}, 0), 24, 0);
  world.open();
  Partition& again = *world.store->find(partition_id(1));
  EXPECT_EQ(again.read(Offset{0}, 1 << 20, true, again.committed()).error, 56);
  EXPECT_NE(again.damage(), "");
}

// Below the checkpoint and the snapshot of producers a start checks no checksum. A batch that tells there of more
// offsets, or of more or fewer bytes, than it has must not let what follows it pass for a torn tail.
TEST(Store, AFlippedBitInAHeaderThatIsNotCheckedIsNoTornTail) {
  for (const std::uint64_t byte : {11, 23, 24, 26}) {
    for (const std::int64_t victim : {0, 1, 2}) {
      for (unsigned bit = 0; bit < 7; ++bit) {
        StoreWorld world;
        world.open();
        Partition& p = world.create(1);
        std::uint64_t bytes = 0;
        for (int i = 0; i < 3; ++i) {
          world.append(p, {.records = 3});
          world.commit();
          if (i == 0) bytes = p.size_bytes();
        }
        world.close();  // leaves a snapshot
        world.kill();
        world.open();
        world.append(*world.store->find(partition_id(1)), {.records = 3});
        world.commit();
        world.kill();
        const std::string path = disklog::partition_path(partition_id(1)) + "/" + disklog::segment_name(Offset{0}, 0);
        world.disk.flip_bit(path, static_cast<std::uint64_t>(victim) * bytes + byte, bit);
        world.open();
        EXPECT_NE(world.store->find(partition_id(1))->damage(), "") << byte << ' ' << victim << ' ' << bit;
      }
    }
  }
}

// Seed 472 of the broker's simulator: the second copy of a manifest stood in the page cache only, clean, since its sync
// had failed, and a torn write of the first one left nothing but an older one than the checkpoint told of.
TEST(Store, AManifestWhoseSecondCopyMayNotBeDurableIsWrittenAgain) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 1000});
  world.append(p, {.value_bytes = 600});
  world.commit();
  world.idle_checkpoint();
  const std::string manifest = disklog::partition_path(partition_id(1)) + "/manifest";
  world.append(p, {.value_bytes = 600});
  world.commit();
  world.disk.on_operation([&](std::string_view operation, std::string_view path) {
    if (operation == "sync" && path == manifest + ".1") world.disk.fail_next_sync();
  });
  world.idle_checkpoint();
  world.disk.on_operation(nullptr);
  ASSERT_TRUE(world.fatal);
  ASSERT_EQ(world.disk.contents(manifest + ".0"), world.disk.contents(manifest + ".1"));
  world.kill();
  world.open();
  world.power_cut(Survival::nothing);
  EXPECT_EQ(world.disk.contents(manifest + ".0"), world.disk.contents(manifest + ".1"));
  world.open();
  EXPECT_EQ(world.store->find(partition_id(1))->damage(), "");
}

// Found by the simulator (seed 280 of the broker): below the checkpoint, but the producers are made of it.
TEST(Store, AFlippedBitInAProducersNumberIsDamage) {
  StoreWorld world;
  world.open();
  world.append(world.create(1), {.producer = ProducerId{7}, .epoch = 0, .sequence = 0, .records = 3});
  world.commit();
  world.idle_checkpoint();
  world.kill();
  const std::string path = disklog::partition_path(partition_id(1)) + "/" + disklog::segment_name(Offset{0}, 0);
  world.disk.flip_bit(path, 50, 2);  // the last byte of the producer id
  world.open();
  EXPECT_NE(world.store->find(partition_id(1))->damage(), "");
}

TEST(Store, ADamagedRoundFollowedByALaterOneIsDamage) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  for (int i = 0; i < 3; ++i) {
    world.append(p, {.value_bytes = 700});
    world.commit();
  }
  world.power_cut(Survival::nothing);  // the segment was never synced: the journal is all there is
  const auto journal = world.disk.contents("journal/1.journal");
  ASSERT_TRUE(journal);
  world.disk.flip_bit("journal/1.journal", 1200, 0);
  world.open();
  Partition* again = world.store->find(partition_id(1));
  EXPECT_NE(again->damage(), "");
}

// A start that finds damage lets go of the journal: what only that had of the partition must be in the segment by then,
// wherever the damage was found, and on the disk.
TEST(Store, WhatTheJournalHasOfADamagedPartitionOutlivesAPowerCut) {
  const std::string directory = disklog::partition_path(partition_id(1)) + "/";
  const std::string segment = directory + disklog::segment_name(Offset{0}, 0);
  for (const std::vector<std::string>& hit : std::vector<std::vector<std::string>>{
           {segment}, {directory + "manifest.0", directory + "manifest.1"}, {"journal/1.journal"}}) {
    StoreWorld world;
    world.open();
    Partition& p = world.create(1);
    world.append(p, {.value_bytes = 1000});
    world.commit();
    world.idle_checkpoint();
    const std::size_t second_at = world.disk.contents(segment)->size();
    const std::size_t round_at = world.disk.contents("journal/1.journal")->size();
    for (int i = 0; i < 2; ++i) {
      world.append(p, {.value_bytes = 700});
      world.commit();
    }
    const Buffer all = *world.disk.contents(segment);
    world.power_cut(Survival::nothing);
    ASSERT_LT(world.disk.contents(segment)->size(), all.size());
    const bool journal = hit.front() == "journal/1.journal";
    for (const auto& path : hit) world.disk.flip_bit(path, journal ? round_at + 500 : path == segment ? 500 : 30, 3);
    for (int start = 0; start < 2; ++start) {
      world.open();
      EXPECT_NE(world.store->find(partition_id(1))->damage(), "") << hit.front();
      world.power_cut(Survival::nothing);
    }
    const Buffer kept = *world.disk.contents(segment);
    ASSERT_EQ(kept.size(), all.size()) << hit.front();
    const std::size_t from = journal ? (second_at + all.size()) / 2 : second_at;  // the second one's bytes are hit
    EXPECT_TRUE(std::equal(kept.begin() + static_cast<std::ptrdiff_t>(from), kept.end(),
                           all.begin() + static_cast<std::ptrdiff_t>(from)))
        << hit.front();
  }
}

}  // namespace
}  // namespace edgelog::broker

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

TEST(Store, AppendsCommitsAndReadsBack) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  const auto first = world.append(p, {.records = 3});
  const auto second = world.append(p, {.records = 2});
  EXPECT_EQ(first.base_offset, Offset{0});
  EXPECT_EQ(second.base_offset, Offset{3});
  EXPECT_EQ(second.commit_at, Offset{5});
  EXPECT_EQ(p.committed(), Offset{0});
  EXPECT_TRUE(p.read(Offset{0}, 1 << 20, true, p.committed()).batches.empty());
  world.commit();
  EXPECT_EQ(p.committed(), Offset{5});
  const auto read = p.read(Offset{1}, 1 << 20, true, p.committed());
  EXPECT_EQ(read.error, 0);
  EXPECT_EQ(read.next, Offset{5});
  EXPECT_EQ(testing::offsets_of(read.batches), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(p.read(Offset{6}, 100, true, p.committed()).error, 1);
}

TEST(Store, KeepsThePromiseAfterKillAndPowerCut) {
  for (const bool power : {false, true}) {
    StoreWorld world;
    world.open();
    world.append(world.create(1), {.records = 3});
    world.append(world.create(2), {.records = 1, .value_bytes = 100'000});
    world.commit();
    world.append(*world.store->find(partition_id(1)), {});  // not committed
    power ? world.power_cut(Survival::nothing) : world.kill();
    world.open();
    Partition* p = world.store->find(partition_id(1));
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(p->damage(), "");
    EXPECT_EQ(p->committed(), Offset{3});
    EXPECT_EQ(testing::offsets_of(p->read(Offset{0}, 1 << 20, true, p->committed()).batches),
              (std::vector<std::int64_t>{0}));
    EXPECT_EQ(world.store->find(partition_id(2))->end(), Offset{1});
  }
}

TEST(Store, TheEpochGoesUpWithEveryStart) {
  StoreWorld world;
  LeaderEpoch last{-1};
  for (int i = 0; i < 5; ++i) {
    world.open();
    Partition* p = world.store->find(partition_id(1));
    if (p == nullptr) p = &world.create(1);
    EXPECT_GT(p->leader_epoch(), last);
    last = p->leader_epoch();
    world.append(*p, {});
    world.commit();
    EXPECT_EQ(p->epoch_at(Offset{i}), last);
    EXPECT_EQ(p->end_offset_for_epoch(last).end, p->end());
    if (i > 0) {
      EXPECT_EQ(p->end_offset_for_epoch(LeaderEpoch{last.value() - 1}).end, Offset{i});
    }
    i % 2 == 0 ? world.kill() : world.close();
  }
}

TEST(Store, ACleanEndNeedsNoRecovery) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  for (int i = 0; i < 10; ++i) world.append(p, {.producer = ProducerId{7}, .epoch = 0, .sequence = i});
  world.commit();
  world.close();
  world.open();
  EXPECT_EQ(world.store->metrics().recovered_batches.value(), 0u);
  Partition* again = world.store->find(partition_id(1));
  EXPECT_EQ(again->end(), Offset{10});
  EXPECT_EQ(again->producer_count(), 1u);
  EXPECT_EQ(world.append(*again, {.producer = ProducerId{7}, .epoch = 0, .sequence = 9}).base_offset, Offset{9});
}

TEST(Store, ASecondProcessIsRefused) {
  StoreWorld world;
  world.open();
  auto second = Store::open(world.disk, world.config, {}, Instant{0});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::locked);
}

TEST(Store, AnotherNodesOrANewerDirectoryIsRefused) {
  StoreWorld world;
  world.open();
  world.close();
  world.config.node = NodeId{9};
  EXPECT_EQ(Store::open(world.disk, world.config, {}, Instant{0}).error().code, Code::unsupported);
  world.disk.kill();
  world.config.node = NodeId{1};
  const auto file = *world.disk.open("meta", port::OpenMode::existing);
  const Bytes text = as_bytes("edgelog broker data\nformat=2\ncluster=x\nnode=1\ndirectory=00\n");
  ASSERT_TRUE(world.disk.write(file, 0, {&text, 1}));
  const auto refused = Store::open(world.disk, world.config, {}, Instant{0});
  EXPECT_EQ(refused.error().code, Code::unsupported);
  EXPECT_NE(refused.error().what.find("newer"), std::string::npos);
}

TEST(Store, RollsAndReadsAcrossSegments) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 2000});
  for (int i = 0; i < 50; ++i) {
    world.append(p, {.value_bytes = 300});
    if (i % 3 == 0) world.commit();
  }
  world.commit();
  EXPECT_GT(p.segment_count(), 5u);
  EXPECT_EQ(testing::read_all(p), 50);
  world.power_cut(Survival::nothing);
  world.open();
  EXPECT_EQ(testing::read_all(*world.store->find(partition_id(1))), 50);
}

TEST(Store, ManyRoundsGoRoundTheJournal) {
  StoreWorld world;
  world.config.journal_file_bytes = 64 << 10;
  world.open();
  Partition& p = world.create(1);
  for (int i = 0; i < 400; ++i) {
    world.append(p, {.value_bytes = 5000});
    world.store->end_of_turn();
    world.disk.complete_all();
  }
  EXPECT_EQ(p.committed(), Offset{400});
  EXPECT_GT(world.store->metrics().checkpoints.value(), 5u);
  world.power_cut(Survival::nothing);
  world.open();
  EXPECT_EQ(testing::read_all(*world.store->find(partition_id(1))), 400);
}

TEST(Store, BulkSkipsTheJournal) {
  StoreWorld world;
  world.config.direct_bytes = 10'000;
  world.open();
  Partition& p = world.create(1);
  for (int i = 0; i < 20; ++i) {
    world.append(p, {.value_bytes = 50'000});
    world.commit();
  }
  EXPECT_LT(world.store->metrics().journal_bytes.value(), 20'000u);
  EXPECT_GT(world.store->metrics().direct_bytes.value(), 1'000'000u);
  world.power_cut(Survival::nothing);
  world.open();
  EXPECT_EQ(testing::read_all(*world.store->find(partition_id(1))), 20);
}

TEST(Store, ARoundMayWriteMoreSegmentsThanMayBeOpen) {
  StoreWorld world;
  world.config.open_files_max = 64;
  world.open();
  constexpr int count = 100;
  for (int n = 1; n <= count; ++n) {
    // The first one is direct: its segment is synced with the round.
    const std::size_t bytes = n == 1 ? world.config.direct_bytes : 20;
    ASSERT_EQ(world.append(world.create(n), {.value_bytes = bytes}).error, 0);
  }
  world.commit();
  ASSERT_FALSE(world.fatal);
  EXPECT_GE(world.store->metrics().direct_bytes.value(), world.config.direct_bytes);
  world.power_cut(Survival::nothing);
  world.open();
  for (int n = 1; n <= count; ++n) EXPECT_EQ(testing::read_all(*world.store->find(partition_id(n))), 1) << n;
}

TEST(Store, DuplicatesWaitForTheirCommit) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  const BatchSpec spec{.producer = ProducerId{5}, .epoch = 0, .sequence = 0, .records = 4};
  world.append(p, spec);
  const auto again = world.append(p, spec);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.commit_at, Offset{4});
  EXPECT_LT(p.committed(), again.commit_at);
  world.commit();
  EXPECT_EQ(p.committed(), again.commit_at);
  EXPECT_EQ(p.end(), Offset{4});
}

TEST(Store, RemovedPartitionsLeaveNothing) {
  StoreWorld world;
  world.open();
  world.append(world.create(1), {});
  world.append(world.create(2), {});
  world.commit();
  world.store->remove(partition_id(1));
  EXPECT_EQ(world.store->find(partition_id(1)), nullptr);
  world.commit();
  for (const auto& file : world.disk.files())
    EXPECT_EQ(file.find(disklog::partition_name(partition_id(1))), std::string::npos) << file;
  world.power_cut(Survival::nothing);
  world.open();
  EXPECT_EQ(world.store->find(partition_id(1)), nullptr);
  EXPECT_NE(world.store->find(partition_id(2)), nullptr);
}

// A checkpoint's syncs wait, `completed` of them are done, and a partition goes with its directory. False: the
// checkpoint was over by then.
bool remove_during_checkpoint(StoreWorld& world, std::size_t completed) {
  world.open();
  world.append(world.create(1), {});
  world.append(world.create(2), {});
  world.commit();
  for (int i = 0; i < 2; ++i) {
    world.now = world.now + seconds(3);
    world.store->tick(world.now, world.wall);
  }
  for (std::size_t i = 0; i < completed; ++i) world.disk.complete();
  if (world.disk.pending() == 0) return false;
  world.store->remove(partition_id(1));
  world.store->end_of_turn();
  world.disk.complete(world.disk.first_of_round());
  EXPECT_EQ(world.disk.list(disklog::partition_path(partition_id(1))).error().code, Code::not_found);
  return true;
}

TEST(Store, ARemovalDuringACheckpointLeavesNothingToBeSynced) {
  std::size_t completed = 0;
  for (;; ++completed) {
    StoreWorld world;
    if (!remove_during_checkpoint(world, completed)) break;
    world.disk.complete_all();
    ASSERT_FALSE(world.fatal) << completed;
    EXPECT_EQ(world.store->metrics().checkpoints.value(), 1u);
    world.append(*world.store->find(partition_id(2)), {});
    world.commit();
    world.power_cut(Survival::nothing);
    world.open();
    EXPECT_EQ(world.store->find(partition_id(1)), nullptr);
    EXPECT_EQ(testing::read_all(*world.store->find(partition_id(2))), 2);
  }
  EXPECT_GT(completed, 6u);  // segments, manifests twice, positions
}

TEST(Store, AFailedSyncOfARemovedPartitionIsFinalToo) {
  StoreWorld world;
  ASSERT_TRUE(remove_during_checkpoint(world, 0));
  world.disk.fail_next_sync();
  world.disk.complete();
  EXPECT_TRUE(world.fatal);
}

TEST(Store, AFailedSyncIsFinal) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  world.append(p, {});
  world.disk.fail_next_sync();
  world.commit();
  EXPECT_TRUE(world.fatal);
  EXPECT_TRUE(world.store->failed());
  world.append(p, {});
  world.commit();
  EXPECT_EQ(p.committed(), Offset{0});
}

// The next process finds the pages in the cache, clean though they never reached the disk.
TEST(Store, WhatAFailedSyncLeftInTheCacheIsWrittenAgain) {
  for (const std::uint64_t direct_bytes : {std::uint64_t{1} << 20, std::uint64_t{1}}) {
    StoreWorld world;
    world.config.direct_bytes = direct_bytes;
    world.open();
    Partition& p = world.create(1);
    world.append(p, {});
    world.commit();
    world.append(p, {});
    world.disk.fail_next_sync();
    world.commit();
    ASSERT_TRUE(world.fatal);
    world.kill();
    world.open();
    const Offset seen = world.store->find(partition_id(1))->committed();
    EXPECT_GE(seen, Offset{1});
    world.power_cut(Survival::nothing);
    world.open();
    EXPECT_GE(world.store->find(partition_id(1))->committed(), seen);  // what was once shown as committed stays
  }
}

TEST(Store, FullDiskRefusesAndGoesOn) {
  StoreWorld world;
  world.config.free_bytes_min = 1 << 20;
  world.config.journal_file_bytes = 64 << 10;
  world.disk.set_capacity(4 << 20);
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 200'000});
  int taken = 0, refused = 0;
  for (int i = 0; i < 200; ++i) {
    world.append(p, {.value_bytes = 50'000}).error == 0 ? ++taken : ++refused;
    world.commit();
  }
  EXPECT_GT(taken, 10);
  EXPECT_GT(refused, 10);
  EXPECT_TRUE(world.store->full());
  EXPECT_FALSE(world.fatal);
  EXPECT_EQ(p.committed(), Offset{taken});
  p.set_settings({.retention_bytes = 400'000, .segment_bytes = 200'000});
  for (int i = 0; i < 4; ++i) world.tick(seconds(40));
  EXPECT_FALSE(world.store->full());
  EXPECT_EQ(world.append(p, {.value_bytes = 50'000}).error, 0);
  world.commit();
  EXPECT_EQ(p.committed(), Offset{taken + 1});
}

TEST(Store, RetentionBySizeAndTimeSurvivesACrash) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1, {.retention_ms = 3'600'000, .segment_bytes = 5000});
  for (int i = 0; i < 30; ++i) {
    world.append(p, {.value_bytes = 900});
    world.commit();
    world.tick(seconds(300));
  }
  world.tick(seconds(40));
  EXPECT_GT(p.log_start(), Offset{5});
  EXPECT_LT(p.log_start(), Offset{28});
  EXPECT_EQ(p.read(Offset{0}, 100, true, p.committed()).error, 1);
  world.commit();
  const Offset start = p.log_start();
  world.power_cut(Survival::nothing);
  world.open();
  Partition* again = world.store->find(partition_id(1));
  EXPECT_EQ(again->log_start(), start);
  EXPECT_EQ(again->end(), Offset{30});
  EXPECT_EQ(testing::read_all(*again), 30 - start.value());
}

TEST(Store, RetentionDeletesUnderASteadySmallLoad) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1, {.retention_ms = 60'000, .segment_ms = 20'000});
  for (int i = 0; i < 600; ++i) {  // never idle, and the journal is not half used
    world.append(p, {});
    world.commit();
    world.tick(seconds(1));
  }
  EXPECT_GT(p.log_start(), Offset{500});
  EXPECT_LE(p.log().segments.size(), 10u);
  EXPECT_GE(world.store->metrics().segments_deleted.value(), 8u);
}

// The batch is in its segment, and the process dies before its round is in the journal.
void die_before_the_journal(StoreWorld& world, const BatchSpec& spec) {
  bool frozen = false;
  world.disk.on_operation([&](std::string_view operation, std::string_view path) {
    if (frozen || operation != "write" || !path.starts_with("journal/")) return;
    frozen = true;
    world.disk.freeze();
  });
  world.append(*world.store->find(partition_id(1)), spec);
  world.store->end_of_turn();
  ASSERT_TRUE(frozen);
  world.disk.on_operation(nullptr);
}

// Found by the simulator (seed 1770 of the broker): killed between the write to the segment and the one to the journal,
// the start keeps the batch, a producer that sends it again is told that it is there, and its age is not known.
TEST(Store, WhatAStartKeptWithoutAJournalIsNotOldForRetention) {
  StoreWorld world;
  world.open();
  world.create(1).set_settings({.retention_ms = 604'800'000});
  world.commit();
  const BatchSpec spec{.producer = ProducerId{7}, .epoch = 0, .sequence = 0, .records = 5};
  die_before_the_journal(world, spec);
  world.kill();
  world.open();
  Partition& p = *world.store->find(partition_id(1));
  p.set_settings({.retention_ms = 604'800'000});
  EXPECT_TRUE(world.append(p, spec).duplicate);
  for (int i = 0; i < 5; ++i) world.tick(seconds(40));
  EXPECT_EQ(p.log_start(), Offset{0});
  EXPECT_EQ(testing::read_all(p), 5);
}

// Found by the simulator (seed 229 of the broker): what the first start did not know, the second took from the
// manifest, which tells of a time before: acknowledged records were too old at once.
TEST(Store, WhatAStartKeptWithoutAJournalIsNotOldAfterTheNextStartEither) {
  StoreWorld world;
  world.open();
  world.append(world.create(1), {});
  world.commit();
  world.idle_checkpoint();
  world.tick(seconds(3'600));
  const BatchSpec spec{.producer = ProducerId{7}, .epoch = 0, .sequence = 0, .records = 5};
  die_before_the_journal(world, spec);
  for (int start = 0; start < 2; ++start) {
    world.kill();
    world.open();
  }
  Partition& p = *world.store->find(partition_id(1));
  p.set_settings({.retention_ms = 600'000});
  EXPECT_TRUE(world.append(p, spec).duplicate);
  for (int i = 0; i < 5; ++i) world.tick(seconds(40));
  EXPECT_EQ(p.log_start(), Offset{0});
  EXPECT_EQ(testing::read_all(p), 6);
  for (int i = 0; i < 20; ++i) world.tick(seconds(40));
  EXPECT_EQ(p.log_start(), p.end());
}

// Found by the simulator (seed 41870 of the broker): a compaction joined its segment with older ones before a manifest
// told of its age, and the next start took theirs.
TEST(Store, WhatAStartKeptWithoutAJournalIsNotOldWhereItWasCompactedSince) {
  StoreWorld world;
  world.open();
  TopicSettings settings{
      .cleanup_delete = false, .cleanup_compact = true, .retention_ms = 600'000, .segment_bytes = 1'000};
  Partition& before = world.create(1, settings);
  for (const std::size_t bytes : {800, 100}) world.append(before, {.value_bytes = bytes});
  world.commit();
  world.idle_checkpoint();
  world.wall = world.wall + seconds(3'600);
  const BatchSpec spec{.producer = ProducerId{7}, .epoch = 0, .sequence = 0, .records = 5};
  die_before_the_journal(world, spec);
  world.kill();
  world.open();
  Partition* p = world.store->find(partition_id(1));
  settings.segment_bytes = 5'000;  // both closed ones fit into one
  p->set_settings(settings);
  EXPECT_TRUE(world.append(*p, spec).duplicate);
  world.append(*p, {.value_bytes = 4'800});  // closes the segment
  world.commit();
  world.tick(seconds(40));
  world.commit();
  ASSERT_GT(world.store->metrics().compactions.value(), 0u);
  world.kill();
  world.open();
  p = world.store->find(partition_id(1));
  p->set_settings({.retention_ms = 600'000});
  for (int i = 0; i < 5; ++i) world.tick(seconds(40));
  EXPECT_EQ(p->log_start(), Offset{0});
  EXPECT_TRUE(world.append(*p, spec).duplicate);
}

// Found by the simulator (seed 10750 of the broker): a checkpoint wrote the manifest while a batch was on its way,
// which was lost with the power; the youngest record was looked for by its time, and none was found.
TEST(Store, TheYoungestRecordIsOneThatIsThere) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1);
  world.append(p, {.timestamp = 1'000});
  world.store->end_of_turn();
  world.append(p, {.timestamp = 9'000});  // behind the round that is under way
  world.checkpoint_while_round_waits();
  world.power_cut(Survival::nothing);
  world.open();
  Partition& after = *world.store->find(partition_id(1));
  ASSERT_EQ(after.end(), Offset{1});
  const auto youngest = after.max_timestamp(after.committed());
  EXPECT_EQ(youngest.offset, Offset{0});
  EXPECT_EQ(youngest.timestamp, 1'000);
}

TEST(Store, AnIdlePartitionForgetsItsProducersToo) {
  StoreWorld world;
  world.config.producer_memory = seconds(3'600);
  world.open();
  Partition& p = world.create(1, {.segment_ms = 600'000});
  world.append(p, {.producer = ProducerId{7}, .epoch = 0, .sequence = 0});
  world.commit();
  world.tick(seconds(1'800));  // its only segment is rolled
  EXPECT_EQ(p.log().producers.size(), 1u);
  world.tick(seconds(1'900));
  EXPECT_EQ(p.log().producers.size(), 0u);
  world.close();
  world.open();
  EXPECT_EQ(world.store->find(partition_id(1))->log().producers.size(), 0u);
}

TEST(Store, FindsByTime) {
  StoreWorld world;
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 3000});
  for (int i = 0; i < 60; ++i)
    world.append(p, {.records = 2,
                     .value_bytes = 200,
                     .timestamp = 1000 + i * 10,
                     .codec = i % 2 == 0 ? record::Codec::none : record::Codec::zstd});
  world.commit();
  EXPECT_EQ(p.offset_for_time(0, p.committed()).offset, Offset{0});
  EXPECT_EQ(p.offset_for_time(1010, p.committed()).offset, Offset{2});
  EXPECT_EQ(p.offset_for_time(1011, p.committed()).offset, Offset{3});
  EXPECT_EQ(p.offset_for_time(1012, p.committed()).offset, Offset{4});
  EXPECT_EQ(p.offset_for_time(1590, p.committed()).timestamp, 1590);
  EXPECT_EQ(p.offset_for_time(9999, p.committed()).offset, Offset{-1});
  EXPECT_EQ(p.max_timestamp(p.committed()).offset, Offset{119});
  EXPECT_EQ(p.max_timestamp(Offset{10}).timestamp, 1041);
}

// A round of two segments, since the second one began in it; of the round's bytes in the journal only those reached the
// disk that `reached` says, as sectors may.
void cut_while_a_segment_rolls(StoreWorld& world, std::size_t payload_from, std::size_t payload_to) {
  world.config.direct_bytes = 1 << 20;
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 1000});
  world.append(p, {.value_bytes = 300});
  world.commit();
  world.append(p, {.value_bytes = 300});
  world.append(p, {.value_bytes = 600});
  ASSERT_EQ(p.segment_count(), 2u);
  const std::string path = "journal/1.journal";
  const std::size_t before = world.disk.contents(path)->size();
  world.store->end_of_turn();
  const Buffer all = *world.disk.contents(path);
  world.power_cut(Survival::nothing);
  const std::size_t head = disklog::frame_head_bytes + load_big<std::uint32_t>(all.data() + before + 28);
  const auto file = world.disk.open(path, port::OpenMode::existing);
  ASSERT_TRUE(file);
  const auto reach = [&](std::size_t from, std::size_t to) {
    const Bytes piece = Bytes(all).subspan(from, to - from);
    EXPECT_TRUE(world.disk.write(*file, from, {&piece, 1}));
  };
  reach(before, before + head);
  reach(before + head + payload_from, std::min(all.size() - before - head, payload_to) + before + head);
  EXPECT_TRUE(world.disk.sync_now(*file));
  world.disk.close(*file);
}

// Seed 2352 of the broker's simulator. The first start cuts the new segment off, since nothing of it was durable, and
// dies once its manifest says so; the torn round is still the last one of the journal.
TEST(Store, ATornRoundMayTellOfASegmentThatAStartCutOff) {
  for (const std::size_t reached : {std::size_t{0}, std::size_t{300}}) {
    StoreWorld world;
    cut_while_a_segment_rolls(world, 0, reached);
    world.disk.on_operation([&](std::string_view operation, std::string_view path) {
      if (operation == "write" && path.starts_with("checkpoint")) world.disk.freeze();
    });
    world.open();
    world.disk.on_operation(nullptr);
    world.kill();
    world.open();
    Partition& p = *world.store->find(partition_id(1));
    EXPECT_EQ(p.damage(), "");
    EXPECT_EQ(p.committed(), Offset{1});
    EXPECT_EQ(world.append(p, {}).error, 0);
  }
}

// A round that was not acknowledged may have reached the disk in any part of it.
TEST(Store, WhatFollowsATornPieceOfTheSameRoundIsTornToo) {
  StoreWorld world;
  cut_while_a_segment_rolls(world, 200, SIZE_MAX);
  world.open();
  Partition& p = *world.store->find(partition_id(1));
  EXPECT_EQ(p.damage(), "");
  EXPECT_EQ(p.committed(), Offset{1});
  EXPECT_EQ(world.append(p, {}).error, 0);
}

// The file of the journal was made, and then there was no room for it: its name is new all the same.
TEST(Store, AJournalFileMadeWhileTheDiskWasFullIsNamedToo) {
  StoreWorld world;
  world.config.journal_file_bytes = 64 << 10;
  world.config.journal_files = 2;
  world.open();
  Partition& p = world.create(1);
  world.commit();
  const std::uint64_t plenty = std::uint64_t{1} << 40;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(world.append(p, {.value_bytes = 25'000}).error, 0);
    if (i == 2) world.disk.set_capacity(world.disk.used_bytes() + 4096);
    world.commit();
  }
  ASSERT_TRUE(world.store->full());
  world.disk.set_capacity(plenty);
  world.tick(seconds(40));
  ASSERT_EQ(p.committed(), Offset{3});
  world.power_cut(Survival::nothing);
  world.open();
  EXPECT_EQ(world.store->find(partition_id(1))->committed(), Offset{3});
}

// Recovery did what a round said that only the page cache held: the file was gone, and then the round was.
TEST(Store, WhatAStartRemovesTheNextOneDoesNotMiss) {
  for (const bool whole : {false, true}) {
    StoreWorld world;
    world.open();
    Partition& p = world.create(1, {.segment_bytes = 1000});
    for (int i = 0; i < 4; ++i) {
      world.append(p, {.value_bytes = 600});
      world.commit();
    }
    world.idle_checkpoint();
    if (whole) {
      world.store->remove(partition_id(1));
    } else {
      ASSERT_TRUE(p.delete_records(Offset{2}));
      ASSERT_LT(p.segment_count(), 4u);
    }
    world.store->end_of_turn();
    world.kill();
    world.disk.on_operation([&](std::string_view operation, std::string_view path) {
      if (operation == "write" && path.starts_with("checkpoint")) world.disk.freeze();
    });
    world.open();
    world.disk.on_operation(nullptr);
    world.store.reset();
    // Of the directories' changes all reached the disk, of the files' contents nothing that was not synced.
    ASSERT_TRUE(world.disk.sync_directory(disklog::partition_path(partition_id(1))));
    ASSERT_TRUE(world.disk.sync_directory("partitions"));
    world.power_cut(Survival::nothing);
    world.open();
    Partition* const again = world.store->find(partition_id(1));
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->damage(), "");
    EXPECT_EQ(again->committed(), Offset{4});
  }
}

// One whose creation was never durable, though a checkpoint had begun and its manifest is there.
TEST(Store, APartitionThatNoRoundTellsOfIsNotThere) {
  StoreWorld world;
  world.open();
  world.create(1);
  world.commit();
  world.create(2);
  ASSERT_TRUE(world.disk.sync_directory("partitions"));
  for (const int twin : {0, 1}) {
    const std::string from = disklog::partition_path(partition_id(2)) + "/manifest." + std::to_string(twin);
    disklog::Manifest manifest;
    manifest.partition = partition_id(2);
    manifest.segments.emplace_back();
    const Buffer bytes = disklog::seal(disklog::SealedKind::manifest, 1, disklog::encode(manifest));
    auto file = disklog::write_file(world.disk, from, bytes);
    ASSERT_TRUE(file);
    ASSERT_TRUE(world.disk.sync_now(*file));
    world.disk.close(*file);
  }
  ASSERT_TRUE(world.disk.sync_directory(disklog::partition_path(partition_id(2))));
  world.power_cut(Survival::nothing);
  world.open();
  EXPECT_NE(world.store->find(partition_id(1)), nullptr);
  EXPECT_EQ(world.store->find(partition_id(2)), nullptr);
}

// Two snapshots are kept, but retention may have taken what lies between the older one and the log's beginning.
TEST(Store, AnOldSnapshotThatTheLogDoesNotReachIsNotEnough) {
  StoreWorld world;
  world.config.maintenance_interval = seconds(1);
  world.open();
  Partition& p = world.create(1, {.segment_bytes = 1000});
  for (int i = 0; i < 6; ++i) {
    world.append(p, {.producer = ProducerId{i}, .epoch = 0, .sequence = 0, .value_bytes = 600});
    world.commit();
  }
  world.idle_checkpoint();
  ASSERT_TRUE(p.delete_records(Offset{5}));
  world.commit();
  world.idle_checkpoint();
  const std::string newest = disklog::partition_path(partition_id(1)) + "/" + disklog::snapshot_name(Offset{5});
  ASSERT_TRUE(world.disk.contents(newest));
  world.kill();
  world.disk.flip_bit(newest, 40, 0);
  world.open();
  EXPECT_NE(world.store->find(partition_id(1))->damage(), "");
}

// The new segment is durable, and the change that names it waits for a round: a close must begin one.
TEST(Store, ACloseWaitsForACompactionThatEndsMeanwhile) {
  StoreWorld world;
  world.config.maintenance_interval = seconds(1);
  world.open();
  TopicSettings settings{.segment_bytes = 1000};
  settings.cleanup_delete = false;
  settings.cleanup_compact = true;
  Partition& p = world.create(1, settings);
  for (int i = 0; i < 6; ++i) {
    world.append(p, {.value_bytes = 600, .key = "k"});
    world.commit();
  }
  for (int i = 0; i < 3; ++i) {  // a checkpoint is under way too
    world.now = world.now + seconds(3);
    world.store->tick(world.now, world.wall);
  }
  ASSERT_GT(world.disk.pending(), 1u);
  bool done = false;
  world.store->close([&](Status status) { done = static_cast<bool>(status); });
  world.disk.complete_all();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace edgelog::broker

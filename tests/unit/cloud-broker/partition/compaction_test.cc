#include <gtest/gtest.h>

#include <map>

#include "cloud-broker/partition/partition_log.h"
#include "common/record/check.h"
#include "tests/support/store_world.h"

namespace edgelog::broker {
namespace {

using testing::BatchSpec;
using testing::make_batch;
using testing::partition_id;
using testing::StoreWorld;
using testing::Survival;

// Key -> value of everything that a reader from the beginning sees, and how many records that were.
std::map<std::string, std::string> replay(Partition& p, int* records = nullptr) {
  std::map<std::string, std::string> out;
  record::Scratch scratch;
  Offset at = p.log_start();
  int count = 0;
  while (at < p.committed()) {
    const auto read = p.read(at, 1 << 20, true, p.committed());
    EXPECT_EQ(read.error, 0) << p.damage();
    if (read.error != 0 || read.batches.empty()) break;
    Bytes rest = read.batches;
    while (auto batch = record::next_batch(rest)) {
      const auto header = *record::parse_header(*batch);
      auto reader = record::open_records(*batch, header, scratch, 1 << 20);
      record::RecordView view;
      while (reader && reader->next(view)) {
        ++count;
        const std::string key(as_text(*view.key));
        if (view.value)
          out[key] = as_text(*view.value);
        else
          out.erase(key);
      }
    }
    at = read.next;
  }
  EXPECT_EQ(at, p.committed());
  if (records != nullptr) *records = count;
  return out;
}

Buffer tombstone(const std::string& key) {
  record::BatchBuilder builder;
  builder.reset();
  builder.append(1000, as_bytes(key), std::nullopt);
  record::Compressor compressor;
  return builder.finish({}, compressor);
}

struct Compacted {
  StoreWorld world;
  Partition* p;
  Compacted() {
    world.config.maintenance_interval = seconds(1);
    world.open();
    p = &world.create(1, settings());
  }
  static TopicSettings settings() {
    TopicSettings s;
    s.cleanup_delete = false;
    s.cleanup_compact = true;
    s.segment_bytes = 2000;
    s.delete_retention_ms = 60'000;
    return s;
  }
  void put(const std::string& key, const std::string& value, BatchSpec spec = {}) {
    spec.key = key;
    spec.value = value;
    ASSERT_EQ(world.append(*p, spec).error, 0);
    world.commit();
  }
  void reopen(bool power) {
    power ? world.power_cut(Survival::nothing) : world.kill();
    world.open();
    p = world.store->find(partition_id(1));
    p->set_settings(settings());
  }
};

TEST(Compaction, KeepsTheLatestOfEachKeyAndEveryOffset) {
  Compacted c;
  std::map<std::string, std::string> model;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "k" + std::to_string(i % 7), value = "value " + std::to_string(i);
    c.put(key, value);
    model[key] = value;
  }
  int before = 0, after = 0;
  EXPECT_EQ(replay(*c.p, &before), model);
  for (int i = 0; i < 5; ++i) c.world.tick(seconds(2));
  EXPECT_GT(c.world.store->metrics().compactions.value(), 0u);
  EXPECT_EQ(replay(*c.p, &after), model);
  EXPECT_LT(after, before / 3);
  EXPECT_EQ(c.p->end(), Offset{300});
  for (const bool power : {false, true}) {
    c.reopen(power);
    ASSERT_EQ(c.p->damage(), "");
    EXPECT_EQ(replay(*c.p), model);
    EXPECT_EQ(c.p->end(), Offset{300});
  }
}

TEST(Compaction, TombstonesStayForAWhileAndThenGo) {
  Compacted c;
  c.put("gone", "x");
  Buffer batch = tombstone("gone");
  ASSERT_EQ(c.p->append(batch, Appender::client, c.world.wall).error, 0);
  const auto fill = [&](int from) {
    for (int i = 0; i < 60; ++i) c.put("k" + std::to_string(i % 3), "value " + std::to_string(from + i));
  };
  fill(0);
  c.world.tick(seconds(2));
  c.world.tick(seconds(2));
  int records = 0;
  EXPECT_FALSE(replay(*c.p, &records).contains("gone"));
  const auto first = c.p->read(c.p->log_start(), 1 << 20, true, c.p->committed());
  const auto header = *record::parse_header(first.batches);
  EXPECT_TRUE(header.has(record::attribute::delete_horizon));
  c.world.tick(seconds(120));
  fill(100);
  c.world.tick(seconds(2));
  c.world.tick(seconds(2));
  const auto later = c.p->read(c.p->log_start(), 1 << 20, true, c.p->committed());
  EXPECT_GT(record::parse_header(later.batches)->base_offset, Offset{1});
}

// Seed 39685 of the broker's simulator: of two files of a pass one was swapped and the other was not when the power
// went. The value stands in the latter, its tombstone in the former.
TEST(Compaction, ATombstoneWaitsForTheValueThatItBuries) {
  Compacted c;
  c.put("gone", "x");
  const auto fill = [&](const std::string& name, int count) {
    for (int i = 0; i < count; ++i) c.put(name + std::to_string(i), std::string(100, 'v'));
  };
  fill("first ", 30);
  for (int i = 0; i < 2; ++i) c.world.tick(seconds(2));
  Buffer batch = tombstone("gone");
  ASSERT_EQ(c.p->append(batch, Appender::client, c.world.wall).error, 0);
  c.world.commit();
  fill("second ", 30);
  c.world.now = c.world.now + seconds(2);
  c.world.wall = c.world.wall + seconds(2);
  c.world.store->tick(c.world.now, c.world.wall);
  ASSERT_GT(c.world.disk.pending(), 1u);
  while (c.world.disk.pending() > 1) c.world.disk.complete(1);  // the first one's never ends
  c.world.store->end_of_turn();
  while (c.world.disk.first_of_round() < c.world.disk.pending()) c.world.disk.complete(c.world.disk.first_of_round());
  c.reopen(true);
  for (int round = 0; round < 4; ++round) {
    fill("later ", 30);
    c.world.tick(seconds(120));
    c.world.tick(seconds(2));
    EXPECT_FALSE(replay(*c.p).contains("gone")) << round;
  }
}

TEST(Compaction, RemembersTheLastBatchOfAProducer) {
  Compacted c;
  c.put("a", "1", {.producer = ProducerId{9}, .epoch = 0, .sequence = 0});
  for (int i = 0; i < 80; ++i) c.put("a", "value " + std::to_string(i));
  for (int i = 0; i < 3; ++i) c.world.tick(seconds(2));
  EXPECT_EQ(replay(*c.p).at("a"), "value 79");
  c.reopen(true);
  EXPECT_EQ(c.world.append(*c.p, {.producer = ProducerId{9}, .epoch = 0, .sequence = 0, .key = "a", .value = "1"})
                .base_offset,
            Offset{0});
  const auto first = c.p->read(Offset{0}, 1 << 20, true, c.p->committed());
  EXPECT_EQ(record::parse_header(first.batches)->count, 0);
}

// Seed 38040 of the broker's simulator: its next batch and the exchange of the compacted files were of one round, and
// of that a power cut left what it says of files, and took the batch.
TEST(Compaction, ABatchThatIsNotDurableIsNotTheLastOfItsProducer) {
  const BatchSpec first{.producer = ProducerId{9}, .epoch = 0, .sequence = 0, .key = "a", .value = "1"};
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Compacted c;
    c.world.random = Prng{seed};
    c.put("a", "1", first);
    for (int i = 0; i < 80; ++i) c.put("a", "value " + std::to_string(i));
    const auto end = c.p->end();
    c.world.append(*c.p, {.value = "under way"});
    c.world.store->end_of_turn();
    c.world.append(*c.p, {.producer = ProducerId{9}, .epoch = 0, .sequence = 1, .value = std::string(1500, 'v')});
    c.world.now = c.world.now + seconds(2);
    c.world.store->tick(c.world.now, c.world.wall);  // compacts
    ASSERT_GT(c.world.disk.pending(), 1u);
    c.world.complete_background();
    c.world.disk.complete();
    c.world.store->end_of_turn();
    c.world.power_cut(Survival::mixed);
    c.world.open();
    c.p = c.world.store->find(partition_id(1));
    ASSERT_EQ(c.p->damage(), "");
    lost += c.p->end() == end + 1 ? 1 : 0;
    const auto again = c.world.append(*c.p, first);
    EXPECT_EQ(again.error, 0) << seed;
    EXPECT_EQ(again.base_offset, Offset{0}) << seed;
  }
  EXPECT_GT(lost, 0);
}

// Seed 51214 of the broker's simulator: the partition was young, and no checkpoint had synced its directory's name.
TEST(Compaction, OfAPartitionThatNoCheckpointKnows) {
  Compacted c;
  for (int i = 0; i < 100; ++i) c.put("a", "value " + std::to_string(i));
  c.world.tick(seconds(2));
  ASSERT_GT(c.world.store->metrics().compactions.value(), 0u);
  c.world.commit();
  c.reopen(true);
  ASSERT_EQ(c.p->damage(), "");
  EXPECT_EQ(replay(*c.p).at("a"), "value 99");
}

TEST(Compaction, OfAPartitionThatIsRemovedMeanwhile) {
  Compacted c;
  for (int i = 0; i < 100; ++i) c.put("a", "value " + std::to_string(i));
  c.world.now = c.world.now + seconds(2);
  c.world.store->tick(c.world.now, c.world.wall);
  ASSERT_GT(c.world.disk.pending(), 0u);
  for (int i = 0; i < 2; ++i) {  // what a checkpoint may still name is kept
    c.world.now = c.world.now + seconds(3);
    c.world.store->tick(c.world.now, c.world.wall);
  }
  c.world.store->remove(partition_id(1));
  c.world.store->end_of_turn();
  c.world.disk.complete(c.world.disk.first_of_round());
  ASSERT_FALSE(c.world.disk.list(disklog::partition_path(partition_id(1))));
  c.world.disk.complete_all();
  EXPECT_FALSE(c.world.fatal);
  EXPECT_EQ(c.world.store->metrics().compactions.value(), 0u);
}

// A compacted, closed segment. A high bit of the base offset is flipped in the batch that begins the second interval
// of the index. A CRC does not cover it, and where offsets have holes the next batch is the first that does not fit.
struct CompactedAndFlipped : Compacted {
  static constexpr std::uint64_t interval = disklog::SegmentIndex::interval_bytes;
  CompactedAndFlipped() {
    auto larger = settings();
    larger.segment_bytes = 4 * interval;
    p->set_settings(larger);
    EXPECT_EQ(world.append(world.create(2), {}).error, 0);
    fill();
    world.tick(seconds(2));
    world.commit();
    EXPECT_EQ(world.store->metrics().compactions.value(), 1u);
    const auto& info = p->log().segments[0].info;
    EXPECT_TRUE(info.compacted);
    const std::string path = p->log().segment_path(info);
    const Buffer bytes = *world.disk.contents(path);
    std::uint64_t at = 0;
    while (at < interval) at += record::parse_header(Bytes(bytes).subspan(at))->total_bytes();
    EXPECT_LT(at, bytes.size() - 1000);
    world.disk.flip_bit(path, at + 2, 0);
  }
  // Beyond one segment, so that it is closed.
  void fill() {
    for (std::uint64_t i = 0; i < 5 * interval / 1000; ++i) {
      ++next_;
      put("key " + std::to_string(next_), std::string(1000, 'v'), {.timestamp = 1000 + next_});
    }
  }
  void expect_refused_alone() {
    EXPECT_NE(p->damage().find("beyond the end"), std::string::npos) << p->damage();
    EXPECT_EQ(p->read(Offset{0}, 1 << 20, true, p->committed()).error, 56);
    EXPECT_FALSE(world.fatal);
    EXPECT_EQ(testing::read_all(*world.store->find(partition_id(2))), 1);
  }
  std::int64_t next_ = 0;
};

TEST(Compaction, AFlippedBaseOffsetIsDamageWhenReadByTime) {
  CompactedAndFlipped c;
  EXPECT_EQ(c.p->offset_for_time(1100, c.p->committed()).error, 56);
  c.expect_refused_alone();
}

TEST(Compaction, AFlippedBaseOffsetIsDamageWhenReadByOffset) {
  CompactedAndFlipped c;
  EXPECT_EQ(c.p->read(Offset{100}, 1 << 20, true, c.p->committed()).error, 56);
  c.expect_refused_alone();
}

TEST(Compaction, AFlippedBaseOffsetIsDamageWhenCompactedAgain) {
  CompactedAndFlipped c;
  c.fill();
  c.world.tick(seconds(2));
  c.expect_refused_alone();
}

TEST(Compaction, ACrashAtAnyMomentLosesNothing) {
  for (int cut = 1; cut < 60; cut += 3) {
    Compacted c;
    std::map<std::string, std::string> model;
    for (int i = 0; i < 100; ++i) {
      const std::string key = "k" + std::to_string(i % 5), value = "value " + std::to_string(i);
      c.put(key, value);
      model[key] = value;
    }
    int left = cut;
    c.world.disk.on_operation([&](std::string_view, std::string_view) {
      if (--left == 0) c.world.disk.freeze();
    });
    for (int i = 0; i < 4; ++i) c.world.tick(seconds(3));
    c.world.disk.on_operation(nullptr);
    c.reopen(true);
    ASSERT_EQ(c.p->damage(), "") << cut;
    EXPECT_EQ(replay(*c.p), model) << cut;
    for (int i = 0; i < 4; ++i) c.world.tick(seconds(3));
    EXPECT_EQ(replay(*c.p), model) << cut;
  }
}

}  // namespace
}  // namespace edgelog::broker

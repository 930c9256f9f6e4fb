// A log whose bytes are not what was written: what is damaged is named, all else goes on, and however often the agent
// is killed meanwhile, nothing of that is forgotten.
#include <fstream>
#include <functional>

#include "tests/unit/edge-agent/adapters/life.h"

namespace edgelog::agent {
namespace {

TEST(AgentLogDamage, ABatchThatIsNotAsItWasIsNeitherSealedAnewNorPublished) {
  BatchRow second = batch_of(20, 39, 20);
  second.published = true;
  const std::vector<Op> uses[] = {{Reseal{stream, EventIndex{20}, {batch_of(20, 39, 40)}}}, {PutBatch{second}}};
  for (const auto& ops : uses) {
    const Folder folder;
    const LogOptions options = options_in(folder);
    write_everything(options);
    rot_batch(options, 20);
    {
      Life life(options);
      ASSERT_TRUE(life.log);
      EXPECT_TRUE(damaged_batches(life.persisted).empty()) << "not known before it is used";
      EXPECT_FALSE(life.commit(ops));
      ASSERT_TRUE(life.fatal);
      EXPECT_EQ(life.fatal->code, Code::corrupt);
    }
    // It alone is set aside: all else is where it was.
    EXPECT_FALSE(is_marked(options));
    for (int start = 0; start < 2; ++start) {
      Life life(options);
      ASSERT_TRUE(life.log);
      EXPECT_FALSE(life.lost);
      EXPECT_EQ(damaged_batches(life.persisted), std::vector<std::int64_t>{20});
      EXPECT_EQ(life.persisted.batches.size(), 2u);
      EXPECT_EQ(life.persisted.events.size(), 161u);
    }
    EXPECT_FALSE(std::filesystem::exists(options.path + ".damaged-1"));
  }
}

TEST(AgentLogDamage, ABatchThatIsNotAsItWasIsNotSentAgain) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  write_everything(options);
  rot_batch(options, 0);
  rot_batch(options, 20);
  {
    Life life(options);
    ASSERT_TRUE(life.log);
    bool came = false;
    life.log->read_batch(stream, EventIndex{0}, [&](Result<Buffer>) { came = true; });
    life.finish();
    EXPECT_FALSE(came);
    EXPECT_TRUE(life.fatal);
  }
  // Where one is damaged, all are read.
  const Life life(options);
  EXPECT_EQ(damaged_batches(life.persisted), (std::vector<std::int64_t>{0, 20}));
}

TEST(AgentLogDamage, ARunThatDoesNotDecodeIsLeftOutByName) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  leave_damaged(options);
  const Life life(options);
  expect_salvaged(life, "at once");
}

// Whenever the agent is killed between the damage and the first round that names it, the next start salvages all the
// same, and says so.
TEST(AgentLogDamage, AKillWhileALogIsSetAsideForgetsNothing) {
  const auto move = [](const LogOptions& options, const std::string& suffix) {
    std::filesystem::rename(options.path + suffix, options.path + ".damaged-1" + suffix);
  };
  const auto mark = [](const LogOptions& options) { std::ofstream(options.path + ".damaged") << "damaged-1\nwhy\n"; };
  const std::pair<const char*, std::function<void(const LogOptions&)>> kills[] = {
      {"before anything", [](const LogOptions&) {}},
      {"marked", [&](const LogOptions& options) { mark(options); }},
      {"between the renames", [&](const LogOptions& options) { mark(options), move(options, "-wal"); }},
      {"moved", [&](const LogOptions& options) { mark(options), move(options, "-wal"), move(options, ""); }},
      {"the new one is made",
       [&](const LogOptions& options) {
         mark(options), move(options, "-wal"), move(options, "");
         const Log fresh(options);
       }},
      {"salvaged, and not named", [](const LogOptions& options) { const Life life(options); }},
      {"a round that names nothing",
       [](const LogOptions& options) {
         Life life(options);
         EXPECT_TRUE(life.commit({PutMeta{{4, 9}}}));
       }},
      {"a mark of a version before",
       [](const LogOptions& options) { std::ofstream(options.path + ".damaged") << "why"; }},
  };
  for (const auto& [where, kill] : kills) {
    const Folder folder;
    const LogOptions options = options_in(folder);
    leave_damaged(options);
    kill(options);
    {
      Life life(options);
      expect_salvaged(life, where);
      EXPECT_TRUE(is_marked(options)) << where;
      ASSERT_TRUE(life.log) << where;
      const auto done = life.commit(first_round());
      ASSERT_TRUE(done && done->status) << where;
    }
    EXPECT_FALSE(is_marked(options)) << where;
    const Life after(options);
    EXPECT_FALSE(after.lost) << where;
    EXPECT_EQ(after.persisted.gaps.size(), 2u) << where;
    EXPECT_EQ(after.persisted.batches.size(), 2u) << where;
    EXPECT_TRUE(std::filesystem::exists(options.path + ".damaged-1")) << where;
    EXPECT_FALSE(std::filesystem::exists(options.path + ".damaged-2")) << where << ": one log, one name";
  }
}

TEST(AgentLogDamage, AMarkWithoutALogIsNoEnd) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  std::ofstream(options.path + ".damaged") << "damaged-1\n";
  const Life life(options);
  ASSERT_FALSE(life.refused) << life.refused->what;
  EXPECT_TRUE(life.lost);
  EXPECT_TRUE(life.persisted.streams.empty());
}

TEST(AgentLogDamage, OneContradictoryRowCostsNoOther) {
  struct Case {
    const char* name;
    std::string sql;
    std::size_t batches, events, sources, lost;
  };
  const std::string second = std::to_string(key_of(stream, EventIndex{20}));
  const std::string run = std::to_string(key_of(stream, EventIndex{40}));
  const Case cases[] = {
      {"a source", "UPDATE sources SET last = -1", 2, 161, 0, 0},
      {"a slot", "UPDATE recents SET slot = 77", 2, 161, 1, 0},
      {"a batch's row", "UPDATE batches SET head = x'00' WHERE k = " + second, 1, 161, 1, 1},
      {"a batch over another", "UPDATE batches SET k = k - 5 WHERE k = " + second, 1, 161, 1, 1},
      {"a run over batches", "UPDATE runs SET k = k - 30 WHERE k = " + run, 2, 51, 1, 0},
      {"a run that says another end", "UPDATE runs SET last = last - 1 WHERE k = " + run, 2, 51, 1, 1},
      {"meta", "DELETE FROM state WHERE kind = 1; UPDATE sources SET used = -1", 2, 161, 0, 0},
      {"an id of no stream", "UPDATE state SET stream = 9 WHERE kind = 4", 2, 161, 1, 0},
  };
  for (const Case& one : cases) {
    const Folder folder;
    const LogOptions options = options_in(folder);
    write_everything(options);
    {
      auto database = Database::open(options.path, false);
      ASSERT_TRUE(database->execute(one.sql.c_str()));
      check_as_written(*database);
    }
    const Life life(options);
    ASSERT_FALSE(life.refused) << one.name << ": " << life.refused->what;
    EXPECT_TRUE(life.lost) << one.name;
    EXPECT_EQ(life.persisted.batches.size(), one.batches) << one.name;
    EXPECT_EQ(life.persisted.events.size(), one.events) << one.name;
    EXPECT_EQ(life.persisted.sources.size(), one.sources) << one.name;
    EXPECT_EQ(life.persisted.lost.size(), one.lost) << one.name;
    if (one.batches == 1 && !life.persisted.lost.empty()) {
      EXPECT_EQ(life.persisted.lost[0].first, EventIndex{20}) << one.name;
      EXPECT_EQ(life.persisted.lost[0].last, EventIndex{39}) << one.name;
      EXPECT_EQ(life.persisted.lost[0].origin, ProducerId{77}) << one.name;
    }
  }
}

// What one bit makes of a row may look like another good one.
TEST(AgentLogDamage, ARowThatIsNotAsItWasIsNotBelieved) {
  struct Case {
    const char* name;
    std::string sql;
    std::size_t batches, events, sources, recents, ids, lost;
  };
  const std::string second = std::to_string(key_of(stream, EventIndex{20}));
  const std::string run = std::to_string(key_of(stream, EventIndex{40}));
  const std::string published = "CAST(substr(head, 1, length(head) - 2) || x'0100' AS BLOB)";
  const std::string elsewhere = "CAST(substr(row, 1, length(row) - 1) || x'07' AS BLOB)";
  const Case cases[] = {
      {"a source's number", "UPDATE sources SET last = last + 64", 2, 161, 0, 1, 1, 0},
      {"a message's hash", "UPDATE recents SET hash = hash + 1", 2, 161, 1, 0, 1, 0},
      {"the time of a run", "UPDATE runs SET base_time = base_time + 8 WHERE k = " + run, 2, 51, 1, 1, 1, 1},
      {"a mark", "UPDATE batches SET head = " + published + " WHERE k = " + second, 1, 161, 1, 1, 1, 1},
      {"an id that is known", "UPDATE state SET id = id + 1 WHERE kind = 4", 2, 161, 1, 1, 0, 0},
      {"where a stream is", "UPDATE state SET row = " + elsewhere + " WHERE kind = 2", 2, 161, 1, 1, 1, 0},
  };
  for (const Case& one : cases) {
    const Folder folder;
    const LogOptions options = options_in(folder);
    write_everything(options);
    {
      auto database = Database::open(options.path, false);
      ASSERT_TRUE(database->execute(one.sql.c_str())) << one.name;
      ASSERT_GT(database->changes(), 0) << one.name;
    }
    const Life life(options);
    ASSERT_FALSE(life.refused) << one.name << ": " << life.refused->what;
    EXPECT_TRUE(life.lost) << one.name;
    const Persisted& rows = life.persisted;
    EXPECT_EQ(rows.batches.size(), one.batches) << one.name;
    EXPECT_EQ(rows.events.size(), one.events) << one.name;
    EXPECT_EQ(rows.sources.size(), one.sources) << one.name;
    EXPECT_EQ(rows.recents.size(), one.recents) << one.name;
    EXPECT_EQ(rows.producers.size(), one.ids) << one.name;
    EXPECT_EQ(rows.lost.size(), one.lost) << one.name;
    for (const StreamRow& row : rows.streams) EXPECT_FALSE(row.acknowledged.any()) << one.name << ": it says 7 there";
    for (const OriginRow& row : rows.origins) EXPECT_TRUE(row.must_resolve) << one.name;
  }
}

// Of a batch that is damaged in a log that is set aside anyway, the row goes along: it may be in the cloud's log.
TEST(AgentLogDamage, ADamagedBatchGoesAlongWithoutItsBytes) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  leave_damaged(options);
  rot_batch(options, 0);
  const Life life(options);
  expect_salvaged(life, "with a batch");
  EXPECT_EQ(damaged_batches(life.persisted), std::vector<std::int64_t>{0});
  EXPECT_TRUE(life.persisted.batches[0].published);
}

}  // namespace
}  // namespace edgelog::agent

// A log whose bytes are not what was written: what is damaged is named, all else goes on, and however often the agent
// is killed meanwhile, nothing of that is forgotten.
#include <deque>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>

#include "edge-agent/adapters/sqlite_log.h"
#include "tests/unit/edge-agent/adapters/log_bench.h"

namespace edgelog::agent {
namespace {

// An agent's life as far as its log goes: work is done when the test says so.
struct Life {
  explicit Life(const LogOptions& options) {
    auto opened = SqliteLog::open(
        options,
        [this](std::function<void()> work) {
          const std::lock_guard lock(mutex);
          done.push_back(std::move(work));
        },
        [this](const Error& error) {
          const std::lock_guard lock(mutex);
          fatal = error;
        });
    if (!opened) {
      refused = opened.error();
      return;
    }
    persisted = std::move(opened->persisted);
    lost = opened->lost;
    log = std::move(opened->log);
  }
  // The transaction's end; nothing where the log could not go on.
  std::optional<CommitDone> commit(std::vector<Op> ops) {
    std::optional<CommitDone> out;
    log->commit({{1, std::move(ops)}, {}}, [&](CommitDone result) { out = std::move(result); });
    finish();
    return out;
  }
  // All that was handed in is done, and the process is gone.
  void finish() {
    log.reset();
    for (auto& work : done) work();
    done.clear();
  }

  std::mutex mutex;
  std::deque<std::function<void()>> done;
  std::optional<Error> fatal, refused;
  std::unique_ptr<SqliteLog> log;
  Persisted persisted;
  bool lost = false;
};

// A byte in the middle of a batch's bytes is another one.
void rot_batch(const LogOptions& options, std::int64_t first) {
  auto database = Database::open(options.path, false);
  ASSERT_TRUE(database);
  auto select = database->prepare("SELECT data FROM batches WHERE k = ?1");
  ASSERT_TRUE(*select->bind(1, key_of(stream, EventIndex{first})).step());
  const Bytes data = select->blob(0);
  Buffer other(data.begin(), data.end());
  other[other.size() / 2] ^= std::byte{0x10};
  auto update = database->prepare("UPDATE batches SET data = ?2 WHERE k = ?1");
  ASSERT_TRUE(update->bind(1, key_of(stream, EventIndex{first})).bind(2, Bytes(other)).run());
}

bool is_marked(const LogOptions& options) { return std::filesystem::exists(options.path + ".damaged"); }

std::vector<std::int64_t> damaged_batches(const Persisted& rows) {
  std::vector<std::int64_t> out;
  for (const BatchRow& row : rows.batches)
    if (row.damaged) out.push_back(row.first.value());
  return out;
}

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

// The log as a killed agent leaves it, much of it in the WAL, and a run of it does not decode.
void leave_damaged(const LogOptions& options) {
  const Folder living;
  {
    const LogOptions there = options_in(living);
    write_everything(there);
    Log log(there);
    auto spoil = log.store->database().prepare("UPDATE runs SET events = x'0401' WHERE k = ?1");
    ASSERT_TRUE(spoil->bind(1, key_of(stream, EventIndex{150})).run());
    for (const char* suffix : {"", "-wal"}) std::filesystem::copy_file(there.path + suffix, options.path + suffix);
  }
}

void expect_salvaged(const Life& life, const std::string& where) {
  ASSERT_FALSE(life.refused) << where << ": " << life.refused->what;
  EXPECT_TRUE(life.lost) << where;
  const Persisted& rows = life.persisted;
  EXPECT_EQ(rows.meta.opening, 3) << where;
  EXPECT_EQ(rows.batches.size(), 2u) << where;
  EXPECT_EQ(rows.events.size(), 111u) << where << ": 40 to 149, and a gap";
  EXPECT_EQ(rows.sources.size(), 1u) << where;
  EXPECT_EQ(rows.recents.size(), 1u) << where;
  for (const OriginRow& row : rows.origins) EXPECT_TRUE(row.must_resolve) << where;
  ASSERT_EQ(rows.lost.size(), 1u) << where;
  const Gap& gap = rows.lost[0];
  EXPECT_EQ(gap.reason, gap_reason::log_lost);
  EXPECT_EQ(gap.stream, "doors");
  EXPECT_EQ(gap.origin, ProducerId{79});
  EXPECT_EQ(gap.first, EventIndex{150});
  EXPECT_EQ(gap.last, EventIndex{199});
  EXPECT_EQ(gap.count, 50);
}

std::vector<Op> first_round() {
  StreamRow gaps;
  gaps.id = StreamId{3};
  gaps.topic = uplink::gaps_topic;
  gaps.next = EventIndex{2};
  return {PutMeta{{4, 9}}, PutStream{gaps}, PutGap{{EventIndex{1}, WallMillis{9}, {gap_reason::log_lost, "*"}}}};
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

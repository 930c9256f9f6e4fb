// A log whose bytes are not what was written: what is damaged is named, all else goes on, and however often the agent
// is killed meanwhile, nothing of that is forgotten.
#include <deque>
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

}  // namespace
}  // namespace edgelog::agent

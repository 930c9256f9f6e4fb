#pragma once
// An agent's life as far as its log goes, and the ways in which a log is damaged.
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>

#include "edge-agent/adapters/sqlite_log.h"
#include "tests/unit/edge-agent/adapters/log_bench.h"

namespace edgelog::agent {

// Work is done when the test says so.
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
inline void rot_batch(const LogOptions& options, std::int64_t first) {
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

// The checksums of all rows as they are now: what is wrong with them was written so.
inline void check_as_written(Database& database) {
  for (const char* sql :
       {"UPDATE state SET crc = row_crc(kind, stream, id, row)",
        "UPDATE runs SET crc = row_crc(k, last, base_time, events)", "UPDATE batches SET crc = row_crc(k, head)",
        "UPDATE sources SET crc = row_crc(input, device, incarnation, last, used)",
        "UPDATE recents SET crc = row_crc(input, device, slot, number, hash)"})
    ASSERT_TRUE(database.execute(sql)) << sql;
}

inline bool is_marked(const LogOptions& options) { return std::filesystem::exists(options.path + ".damaged"); }

inline std::vector<std::int64_t> damaged_batches(const Persisted& rows) {
  std::vector<std::int64_t> out;
  for (const BatchRow& row : rows.batches)
    if (row.damaged) out.push_back(row.first.value());
  return out;
}

// The log as a killed agent leaves it, much of it in the WAL, and a run of it does not decode.
inline void leave_damaged(const LogOptions& options) {
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

inline void expect_salvaged(const Life& life, const std::string& where) {
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

inline std::vector<Op> first_round() {
  StreamRow gaps;
  gaps.id = StreamId{3};
  gaps.topic = uplink::gaps_topic;
  gaps.next = EventIndex{2};
  Gap lost;
  lost.reason = gap_reason::log_lost;
  lost.stream = "*";
  return {PutMeta{{4, 9}}, PutStream{gaps}, PutGap{{EventIndex{1}, WallMillis{9}, lost}}};
}

}  // namespace edgelog::agent

// Faults that are no damage, while a log is damaged or seems to be: a disk that is full, and reads and writes that fail
// once. None of them costs more than it must, nor ends each start.
#include <fmt/format.h>
#include <sqlite3.h>

#include <fstream>
#include <map>

#include "common/base/prng.h"
#include "edge-agent/adapters/log_rows.h"
#include "edge-agent/adapters/log_sql.h"
#include "tests/unit/edge-agent/adapters/faulty_vfs.h"
#include "tests/unit/edge-agent/adapters/life.h"

namespace edgelog::agent {
namespace {

LogOptions options_on(const FaultyVfs& vfs, const Folder& folder) {
  LogOptions options = options_in(folder);
  options.vfs = vfs.name();
  return options;
}

std::string reserve_of(const LogOptions& options) { return options.path + ".reserve"; }

// The log's files may grow so far together; a reserve takes its part of that.
struct Disk {
  Disk(FaultyVfs& vfs, const LogOptions& options, std::int64_t room) {
    vfs.on_write([this, options, room](const std::string& path, std::int64_t end) {
      if (path != options.path && path != options.path + "-wal") return SQLITE_OK;
      std::error_code error;
      std::int64_t taken = std::filesystem::exists(reserve_of(options)) ? options.reserve_bytes / 2 : 0;
      for (const std::string& file : {options.path, options.path + "-wal"}) {
        const auto bytes = std::filesystem::file_size(file, error);
        const std::int64_t now = error ? 0 : static_cast<std::int64_t>(bytes);
        taken += file == path ? std::max(now, end) : now;
      }
      if (taken <= room) return SQLITE_OK;
      ++refusals;
      return SQLITE_FULL;
    });
  }
  int refusals = 0;
};

// A log of 64 runs, much larger than the room for a copy, and the last of them does not decode.
constexpr std::int64_t runs = 64, run_events = 64;
void write_much(const LogOptions& options) {
  Log log(options);
  StreamRow row;
  row.id = stream;
  row.topic = "doors";
  row.next = EventIndex{runs * run_events};
  OriginRow origin;
  origin.stream = stream;
  origin.origin = ProducerId{77};
  log.commit({PutMeta{{3, 9}}, PutStream{row}, PutOrigin{origin}});
  Prng random(1);
  for (std::int64_t i = 0; i < runs; ++i) {
    const EventIndex first{i * run_events}, last{(i + 1) * run_events - 1};
    Run run{stream, first, last, WallMillis{1000 * i}, {}};
    for (std::int64_t event = 0; event < run_events; ++event) {
      std::string value;
      while (value.size() < 256) value += fmt::format("{:016x}", random.next());
      append_event(run.events, event == 0 ? 0 : 1, "s/d", value, {});
    }
    log.commit({InsertEvents{stream, first, last}}, {std::move(run)});
  }
  auto spoil = log.store->database().prepare("UPDATE runs SET events = x'0401' WHERE k = ?1");
  ASSERT_TRUE(spoil->bind(1, key_of(stream, EventIndex{(runs - 1) * run_events})).run());
}

TEST(AgentLogFaults, WhatADiskHasNoRoomForIsLeftOutOfACopyByName) {
  FaultyVfs vfs;
  const Folder folder;
  LogOptions options = options_on(vfs, folder);
  write_much(options);
  options.wal_bytes_max = 64 << 10;
  options.reserve_bytes = 512 << 10;
  const Disk disk(vfs, options, 448 << 10);
  Life life(options);
  ASSERT_FALSE(life.refused) << life.refused->what;
  EXPECT_TRUE(life.lost);
  EXPECT_GT(disk.refusals, 0);
  const auto kept = static_cast<std::int64_t>(life.persisted.events.size());
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, (runs - 1) * run_events);
  ASSERT_EQ(life.persisted.lost.size(), 2u);  // the damaged one, and all behind what was copied
  const Gap& gap = life.persisted.lost[1];
  EXPECT_EQ(gap.reason, gap_reason::log_lost);
  EXPECT_EQ(gap.first, EventIndex{kept});
  EXPECT_EQ(gap.last, EventIndex{(runs - 1) * run_events - 1});
  EXPECT_EQ(gap.first_time, WallMillis{1000 * (kept / run_events)});
  // There is room to go on in: the loss is named, and no start copies again.
  const auto done = life.commit(first_round());
  ASSERT_TRUE(done && done->status) << (done ? done->status.error().what : life.fatal->what);
  EXPECT_FALSE(is_marked(options));
}

TEST(AgentLogFaults, ADamagedBatchIsSetAsideOnAFullDiskInTheReservesRoom) {
  FaultyVfs vfs;
  const Folder folder;
  LogOptions options = options_on(vfs, folder);
  write_everything(options);
  rot_batch(options, 20);
  options.reserve_bytes = 64 << 10;
  {
    Life life(options);
    ASSERT_TRUE(life.log);
    vfs.on_write([&](const std::string&, std::int64_t) {
      return std::filesystem::exists(reserve_of(options)) ? SQLITE_FULL : SQLITE_OK;
    });
    life.log->read_batch(stream, EventIndex{20}, [](const Result<Buffer>&) {});
    life.finish();
    EXPECT_TRUE(life.fatal);
  }
  EXPECT_FALSE(is_marked(options));
  const Life life(options);
  EXPECT_FALSE(life.lost);
  EXPECT_EQ(damaged_batches(life.persisted), std::vector<std::int64_t>{20});
}

TEST(AgentLogFaults, ABatchThatIsMisreadOnceIsNoDamage) {
  FaultyVfs vfs;
  const Folder folder;
  const LogOptions options = options_on(vfs, folder);
  write_everything(options);
  Buffer bytes;
  {
    const Log log(options);
    bytes = *log.store->read_batch(stream, EventIndex{20});
  }
  const std::string_view middle = as_text(Bytes(bytes)).substr(bytes.size() / 2, 16);
  int misread = 0;
  vfs.on_read([&](const std::string&, char* read, int count) {
    const auto at = std::string_view(read, static_cast<std::size_t>(count)).find(middle);
    if (at != std::string_view::npos && misread++ == 0) read[at] = static_cast<char>(read[at] ^ 0x10);
    return SQLITE_OK;
  });
  {
    Life life(options);
    ASSERT_TRUE(life.log);
    life.log->read_batch(stream, EventIndex{20}, [](const Result<Buffer>&) {});
    life.finish();
    ASSERT_TRUE(life.fatal) << "misread, and noticed";
    EXPECT_GT(misread, 1) << "read again from the disk";
  }
  EXPECT_FALSE(is_marked(options));
  const Life life(options);
  EXPECT_FALSE(life.lost);
  EXPECT_TRUE(damaged_batches(life.persisted).empty());
  EXPECT_EQ(life.persisted.batches.size(), 2u);
}

// Its WAL is read without shared memory: where the folder has no room for that, or the system none to give.
TEST(AgentLogFaults, ADamagedLogIsReadWithoutSharedMemory) {
  FaultyVfs vfs;
  const Folder folder;
  leave_damaged(options_in(folder));
  const Life life(options_on(vfs, folder));
  expect_salvaged(life, "without shared memory");
}

TEST(AgentLogFaults, ADamagedLogThatCannotBeReadNowIsNotTakenForEmpty) {
  FaultyVfs vfs;
  for (const int fault : {SQLITE_IOERR_READ, SQLITE_NOMEM, SQLITE_CANTOPEN}) {
    const Folder folder;
    const LogOptions options = options_on(vfs, folder);
    leave_damaged(options);
    vfs.on_read([&](const std::string& path, const char*, int) {
      return path == options.path + ".damaged-1" ? fault : SQLITE_OK;
    });
    {
      const Life life(options);
      ASSERT_TRUE(life.refused) << fault;
      EXPECT_EQ(life.refused->code, Code::io) << life.refused->what;
      EXPECT_TRUE(is_marked(options));
    }
    vfs.on_read({});
    const Life life(options);
    expect_salvaged(life, "once it can be read");
  }
}

TEST(AgentLogFaults, ACopyThatTheNewLogEndedIsMadeAgain) {
  FaultyVfs vfs;
  const Folder folder;
  const LogOptions options = options_on(vfs, folder);
  leave_damaged(options);
  // In the schema, behind it and the small rows, in the batches and the runs.
  for (int good = 0; good < 64; ++good) {
    int writes = 0;
    vfs.on_write([&](const std::string& path, std::int64_t) {
      return path == options.path + "-wal" && writes++ >= good ? SQLITE_CORRUPT : SQLITE_OK;
    });
    const Life life(options);
    if (!life.refused) {
      EXPECT_GT(good, 8);
      return expect_salvaged(life, "with all writes");
    }
    EXPECT_EQ(life.refused->code, Code::io) << good << ": " << life.refused->what;
    EXPECT_TRUE(is_marked(options)) << good;
  }
  FAIL() << "never salvaged";
}

TEST(AgentLogFaults, ATableOfWhatIsSetAsideThatIsAnotherOneIsDamage) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  write_everything(options);
  {
    auto database = Database::open(options.path, false);
    ASSERT_TRUE(database->execute("ALTER TABLE set_aside RENAME COLUMN error TO errer"));
  }
  const Life life(options);
  ASSERT_FALSE(life.refused) << life.refused->what;
  EXPECT_TRUE(life.lost);
  EXPECT_EQ(life.persisted.batches.size(), 2u);
  EXPECT_EQ(life.persisted.events.size(), 161u);
}

// Runs across lanes that cannot be read, and a batch whose row names another origin than its place does.
TEST(AgentLogFaults, WhatIsLostIsNamedByItsOwnOrigin) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  write_everything(options);
  {
    Log log(options);
    auto spoil = log.store->database().prepare("UPDATE runs SET events = x'0401'");
    ASSERT_TRUE(spoil->run());
    BatchRow row = batch_of(20, 39, 20);
    row.origin = ProducerId{79};
    const Buffer head = encode_row(row);
    auto other = log.store->database().prepare(log_sql::put_head);
    ASSERT_TRUE(other->bind(1, key_of(stream, EventIndex{20})).bind(2, Bytes(head)).run());
  }
  const Life life(options);
  ASSERT_FALSE(life.refused) << life.refused->what;
  std::vector<std::string> lost;
  for (const Gap& gap : life.persisted.lost)
    lost.push_back(fmt::format("{}: {} to {}", gap.origin.value(), gap.first.value(), gap.last.value()));
  EXPECT_EQ(lost, (std::vector<std::string>{"79: 20 to 39", "77: 40 to 149", "79: 150 to 199"}));
}

}  // namespace
}  // namespace edgelog::agent

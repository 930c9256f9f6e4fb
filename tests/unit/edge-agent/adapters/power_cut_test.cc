// Power cuts of the agent's log: at every acknowledgement, and at chance moments in between, all that was not
// synced is dropped. What was acknowledged is there, and nothing is half there. Leaving any sync out is noticed,
// but for those that are redundant, each with its reason. tests/power_cuts.py shows the table.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <cstdio>
#include <cstdlib>

#include "edge-agent/adapters/log_apply.h"
#include "edge-agent/agent/run.h"
#include "tests/unit/edge-agent/adapters/dump_rows.h"
#include "tests/unit/edge-agent/adapters/power_cut_vfs.h"

namespace edgelog::agent {
namespace {

constexpr StreamId stream{1};
constexpr int transactions = 60;

LogOptions options_on(const PowerCutVfs& vfs) {
  LogOptions options;
  options.path = "agent.db";
  options.agent = "edge-1";
  options.vfs = vfs.name();
  options.wal_bytes_max = 96 << 10;  // several checkpoints in a run
  return options;
}

// Everything in the log, byte for byte.
std::string dump(LogStore& store) {
  std::string out = dump_rows(store.database());
  auto batches = store.database().prepare("SELECT hex(data) FROM batches ORDER BY k");
  if (!batches) return batches.error().what;
  while (true) {
    auto row = batches->step();
    if (!row) return row.error().what;
    if (!*row) return out;
    out.append(batches->text(0)).append("\n");
  }
}

// What an opening of this image finds; what is wrong with it, if it cannot be opened.
std::string dump(DiskImage image) {
  PowerCutVfs vfs("power-cut-check", std::move(image), 0);
  auto store = LogStore::open(options_on(vfs));
  if (!store) return "not opened: " + store.error().what;
  if (auto all = (*store)->read_all(); !all) return "not read: " + all.error().what;
  return dump(**store);
}

// An agent's life in small: events are taken with their sources' numbers, sealed, marked, acknowledged.
class Workload {
 public:
  explicit Workload(std::uint64_t seed) : random_(seed) {}

  CommitWork next() {
    CommitWork work;
    work.transaction.id = ++id_;
    const std::int64_t count = random_.between(1, 12);
    Run run{stream, EventIndex{taken_}, EventIndex{taken_ + count - 1}, WallMillis{taken_ * 10}, {}};
    for (std::int64_t i = 0; i < count; ++i)
      append_event(run.events, i == 0 ? 0 : 10, "site/device",
                   fmt::format("{{\"value\":{}.{}}}", taken_ + i, random_.below(1000)), {});
    taken_ += count;
    work.runs.push_back(std::move(run));
    auto& ops = work.transaction.ops;
    ops.push_back(InsertEvents{stream, work.runs[0].first, work.runs[0].last});
    ops.push_back(PutSource{{{"mqtt", fmt::format("d{}", random_.below(20))}, "1", taken_, id_}});
    StreamRow row;
    row.id = stream;
    row.topic = "doors";
    row.next = EventIndex{taken_};
    ops.push_back(PutStream{row});
    if (random_.chance(1, 2)) {
      BatchRow batch;
      batch.stream = stream;
      batch.first = EventIndex{sealed_};
      batch.last = EventIndex{taken_ - 1};
      batch.origin = batch.producer = ProducerId{5};
      batch.sequence = sealed_;
      batch.published = random_.chance(1, 2);
      ops.push_back(Seal{batch});
      unacknowledged_.push_back(sealed_);
      sealed_ = taken_;
    }
    if (unacknowledged_.size() > 4) {
      ops.push_back(DeleteBatch{stream, EventIndex{unacknowledged_.front()}});
      unacknowledged_.erase(unacknowledged_.begin());
    }
    return work;
  }

 private:
  Prng random_;
  std::int64_t id_ = 0, taken_ = 0, sealed_ = 0;
  std::vector<std::int64_t> unacknowledged_;
};

struct Outcome {
  int cuts = 0, wrong = 0;
  std::string first_wrong;
  std::map<SyncKind, std::uint64_t> syncs;
};

// Runs the workload on a disk whose power is cut again and again; each cut is looked at on its own.
Outcome run(std::uint64_t seed, std::optional<SyncKind> left_out) {
  Outcome outcome;
  PowerCutVfs vfs("power-cut", {}, seed);
  if (left_out) vfs.leave_out(*left_out);
  Prng random(seed + 1);
  std::vector<DiskImage> between;
  bool opening = true;
  std::uint64_t headers = 0;
  vfs.before_each([&] {
    // The first transaction after a checkpoint writes over frames of the last round of the WAL: a delicate moment.
    const bool over_old_frames = vfs.syncs(SyncKind::wal_header) > headers;
    if (opening || over_old_frames || (random.chance(1, 12) && between.size() < 4)) between.push_back(vfs.cut());
    if (over_old_frames) between.push_back(vfs.cut()), between.push_back(vfs.cut());
  });
  auto store = LogStore::open(options_on(vfs));
  EXPECT_TRUE(store) << store.error().what;
  opening = false;
  auto writer = LogApply::create(**store);
  EXPECT_TRUE(writer);
  headers = vfs.syncs(SyncKind::wal_header);
  std::string acknowledged = dump(**store);
  Workload workload(seed);
  const auto judge = [&](DiskImage image, const std::string& before, const std::string& after) {
    ++outcome.cuts;
    const std::string found = dump(std::move(image));
    if (found == before || found == after) return;
    ++outcome.wrong;
    if (outcome.first_wrong.empty()) outcome.first_wrong = found.substr(0, 400);
  };
  // A log that was half made when the power went is made again.
  for (auto& image : between) judge(std::move(image), acknowledged, acknowledged);
  between.clear();
  for (int i = 0; i < transactions; ++i) {
    CommitDone done;
    const auto status = (*writer)->apply(workload.next(), done);
    EXPECT_TRUE(status);
    headers = vfs.syncs(SyncKind::wal_header);
    const std::string now = dump(**store);
    for (auto& image : between) judge(std::move(image), acknowledged, now);
    between.clear();
    acknowledged = now;
    judge(vfs.cut(), now, now);
    EXPECT_TRUE((*store)->tend());
    for (auto& image : between) judge(std::move(image), now, now);
    between.clear();
    judge(vfs.cut(), now, now);
  }
  for (const SyncKind kind : sync_kinds) outcome.syncs[kind] = vfs.syncs(kind);
  return outcome;
}

struct Site {
  SyncKind kind;
  const char* name;
  const char* redundant;  // why nobody notices when it is left out; null: somebody does
};
const Site sites[] = {
    {SyncKind::journal, "rollback journal, while the database is made", nullptr},
    {SyncKind::folder_of_journal, "folder, with a new journal", nullptr},
    {SyncKind::database, "database, once made", nullptr},
    {SyncKind::wal_header, "header of a WAL that begins", nullptr},
    {SyncKind::wal_commit, "WAL, at each commit", nullptr},
    {SyncKind::folder_of_wal, "folder, with a new WAL", nullptr},
    {SyncKind::wal_before_checkpoint, "WAL, before a checkpoint",
     "synchronous=FULL has synced it with the last commit, and nothing was written since"},
    {SyncKind::checkpoint, "database, at the end of a checkpoint", nullptr},
};

constexpr std::uint64_t seeds_to_notice = 100;

TEST(PowerCut, NothingAcknowledgedIsLost) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Outcome outcome = run(seed, std::nullopt);
    EXPECT_GT(outcome.cuts, 2 * transactions);
    EXPECT_EQ(outcome.wrong, 0) << "seed " << seed << ": " << outcome.first_wrong;
    for (const Site& site : sites) EXPECT_GT(outcome.syncs.at(site.kind), 0u) << site.name << " is never called";
    EXPECT_EQ(outcome.syncs.at(SyncKind::folder_after_delete), 0u) << "is called now: add it to `sites`";
    EXPECT_GE(outcome.syncs.at(SyncKind::wal_commit), std::uint64_t{transactions});
  }
}

TEST(PowerCut, EverySyncIsNeededOrListed) {
  for (const Site& site : sites) {
    std::string what;
    const bool whole = site.redundant == nullptr || std::getenv("EDGELOG_POWER_CUTS_WHOLE") != nullptr;
    for (std::uint64_t seed = 1; seed <= (whole ? seeds_to_notice : 2) && what.empty(); ++seed) {
      const Outcome outcome = run(seed, site.kind);
      if (outcome.wrong > 0)
        what = fmt::format("seed {}: {} of {} cuts are noticed", seed, outcome.wrong, outcome.cuts);
    }
    if (site.redundant == nullptr)
      EXPECT_NE(what, "") << "nobody notices when this is left out: " << site.name;
    else
      EXPECT_EQ(what, "") << "not redundant: " << site.name;
    std::printf("| agent | %s | %s |\n", site.name,
                site.redundant == nullptr ? what.c_str() : fmt::format("redundant: {}", site.redundant).c_str());
  }
}

}  // namespace
}  // namespace edgelog::agent

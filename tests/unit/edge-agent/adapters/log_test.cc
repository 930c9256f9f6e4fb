// The log in SQLite: what a transaction wrote is what the next opening reads, and what a seal makes is a batch
// that anybody can read.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>

#include "common/record/check.h"
#include "edge-agent/adapters/log_check.h"
#include "edge-agent/adapters/sqlite_log.h"
#include "edge-agent/core/agent.h"
#include "tests/unit/edge-agent/adapters/dump_rows.h"
#include "tests/unit/edge-agent/adapters/faulty_vfs.h"
#include "tests/unit/edge-agent/adapters/log_bench.h"

namespace edgelog::agent {
namespace {

struct Read {
  std::vector<std::string> values;
  std::vector<std::int64_t> times;
  std::vector<bool> late;
  std::optional<uplink::OriginMark> origin;
  std::optional<std::string> taken;
};

Read read_batch(Bytes bytes) {
  Read out;
  const auto header = record::parse_header(bytes);
  EXPECT_TRUE(header);
  EXPECT_EQ(record::compute_crc(bytes), header->crc);
  record::Scratch scratch;
  auto reader = record::open_records(bytes, *header, scratch, 1 << 20);
  EXPECT_TRUE(reader);
  record::RecordView view;
  while (reader->next(view)) {
    out.values.emplace_back(as_text(*view.value));
    out.times.push_back(header->base_timestamp + view.timestamp_delta);
    out.late.push_back(record::find_header(view, uplink::header_late).has_value());
    if (const auto mark = record::find_header(view, uplink::header_origin)) out.origin = uplink::decode_origin(*mark);
    if (const auto taken = record::find_header(view, uplink::header_taken)) out.taken = std::string(as_text(*taken));
  }
  EXPECT_TRUE(reader->ok());
  return out;
}

TEST(AgentLog, WhatWasWrittenIsReadAgain) {
  const Folder folder;
  StreamRow stream_row;
  stream_row.id = stream;
  stream_row.topic = "doors";
  stream_row.next = EventIndex{9};
  stream_row.acknowledged.producer = ProducerId{5};
  stream_row.acknowledged.producer_epoch = ProducerEpoch{32767};
  OriginRow origin;
  origin.stream = stream;
  origin.origin = ProducerId{77};
  origin.must_resolve = true;
  const GapRow gap{
      EventIndex{3}, WallMillis{4}, {"overflow", "doors", ProducerId{77}, EventIndex{1}, EventIndex{2}, 2}};
  {
    Log log(options_in(folder));
    log.commit(
        {PutMeta{{7, 11}}, PutStream{stream_row}, PutOrigin{origin}, PutProducer{{stream, ProducerId{78}, true}},
         PutGap{gap}, PutSource{{{"mqtt", "d"}, "7", 12, 1}}, PutRecent{{{"mqtt", "d"}, 63, 5, ~std::uint64_t{0}}},
         InsertEvents{stream, EventIndex{0}, EventIndex{8}}},
        {make_run(0, 8)});
  }
  Log log(options_in(folder));
  auto all = log.store->read_all();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->meta.opening, 7);
  ASSERT_EQ(all->streams.size(), 1u);
  EXPECT_EQ(all->streams[0].topic, "doors");
  EXPECT_EQ(all->streams[0].next, EventIndex{9});
  EXPECT_EQ(all->streams[0].acknowledged.producer_epoch, ProducerEpoch{32767});
  ASSERT_EQ(all->origins.size(), 1u);
  EXPECT_TRUE(all->origins[0].must_resolve);
  ASSERT_EQ(all->producers.size(), 1u);
  EXPECT_TRUE(all->producers[0].stranger);
  ASSERT_EQ(all->gaps.size(), 1u);
  EXPECT_EQ(all->gaps[0].gap, gap.gap);
  ASSERT_EQ(all->sources.size(), 1u);
  EXPECT_EQ(all->sources[0].last, 12);
  ASSERT_EQ(all->recents.size(), 1u);
  EXPECT_EQ(all->recents[0].payload_hash, ~std::uint64_t{0});
  ASSERT_EQ(all->events.size(), 9u);
  EXPECT_EQ(all->events[8].timestamp, WallMillis{8000});
}

TEST(AgentLog, SealsAcrossRunsAndLeavesTheRest) {
  const Folder folder;
  Log log(options_in(folder));
  log.commit({InsertEvents{stream, EventIndex{0}, EventIndex{4}}}, {make_run(0, 4)});
  // 2..6 are of a run in the table and of one of the same transaction.
  const auto done =
      log.commit({InsertEvents{stream, EventIndex{5}, EventIndex{9}}, Seal{batch_of(2, 6, 41)}}, {make_run(5, 9)});
  ASSERT_EQ(done.sealed_bytes.size(), 1u);
  auto bytes = log.store->read_batch(stream, EventIndex{2});
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), static_cast<std::size_t>(done.sealed_bytes[0]));
  const auto header = record::parse_header(*bytes);
  EXPECT_EQ(header->producer_id, ProducerId{78});
  EXPECT_EQ(header->base_sequence, Sequence{41});
  const Read read = read_batch(*bytes);
  EXPECT_EQ(read.values.front(), "{\"i\":2}");
  EXPECT_EQ(read.values.back(), "{\"i\":6}");
  EXPECT_EQ(read.times, (std::vector<std::int64_t>{2000, 3000, 4000, 5000, 6000}));
  ASSERT_TRUE(read.origin);
  EXPECT_EQ(read.origin->origin, ProducerId{77});
  EXPECT_EQ(read.origin->index, EventIndex{2});
  auto all = log.store->read_all();
  std::vector<std::int64_t> left, times;
  for (const auto& event : all->events) left.push_back(event.index.value()), times.push_back(event.timestamp.value());
  EXPECT_EQ(left, (std::vector<std::int64_t>{0, 1, 7, 8, 9}));
  EXPECT_EQ(times, (std::vector<std::int64_t>{0, 1000, 7000, 8000, 9000}));
  log.commit({DeleteEvents{stream, EventIndex{1}, EventIndex{8}}});
  all = log.store->read_all();
  ASSERT_EQ(all->events.size(), 2u);
  EXPECT_EQ(all->events[1].index, EventIndex{9});
  EXPECT_EQ(all->events[1].timestamp, WallMillis{9000});
}

TEST(AgentLog, ResealsPartsWithMarks) {
  const Folder folder;
  Log log(options_in(folder));
  log.commit({InsertEvents{stream, EventIndex{0}, EventIndex{9}}, Seal{batch_of(0, 9)}}, {make_run(0, 9)});
  Reseal reseal{stream, EventIndex{0}, {batch_of(1, 3, 100), batch_of(7, 9, 103)}, EventIndex{3}, WallMillis{55'000}};
  log.commit({reseal});
  EXPECT_FALSE(log.store->read_batch(stream, EventIndex{0}));
  const Read first = read_batch(*log.store->read_batch(stream, EventIndex{1}));
  EXPECT_EQ(first.values, (std::vector<std::string>{"{\"i\":1}", "{\"i\":2}", "{\"i\":3}"}));
  EXPECT_EQ(first.late, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(first.times, (std::vector<std::int64_t>{55'000, 55'000, 55'000}));
  EXPECT_EQ(first.origin->index, EventIndex{1});
  EXPECT_EQ(first.taken, "3000");
  const Read second = read_batch(*log.store->read_batch(stream, EventIndex{7}));
  EXPECT_EQ(second.values.size(), 3u);
  EXPECT_EQ(second.origin->index, EventIndex{7});
}

TEST(AgentLog, PublishedBatchesComeBackWithTheirBytes) {
  const Folder folder;
  Log log(options_in(folder));
  BatchRow row = batch_of(0, 3);
  log.commit({InsertEvents{stream, EventIndex{0}, EventIndex{3}}, Seal{row}}, {make_run(0, 3)});
  row.published = true;
  const auto done = log.commit({PutBatch{row}});
  ASSERT_EQ(done.to_publish.size(), 1u);
  EXPECT_EQ(done.to_publish[0].bytes, *log.store->read_batch(stream, EventIndex{0}));
  EXPECT_TRUE(log.store->read_all()->batches[0].published);
  log.commit({SetAside{stream, EventIndex{0}, 87}});
  EXPECT_TRUE(log.store->read_all()->batches.empty());
}

TEST(AgentLog, GapsAreSealedFromTheirRows) {
  const Folder folder;
  Log log(options_in(folder));
  StreamRow gaps;
  gaps.id = stream;
  gaps.topic = uplink::gaps_topic;
  GapRow gap{EventIndex{0},
             WallMillis{5000},
             {"overflow", "doors", ProducerId{4611686018427387999}, EventIndex{1}, EventIndex{2}, 2}};
  log.commit({PutStream{gaps}, PutGap{gap}});
  EXPECT_EQ(log.store->read_all()->events.size(), 1u);
  gap.gap.last = EventIndex{5};
  gap.gap.count = 5;
  log.commit({PutGap{gap}, Seal{batch_of(0, 0)}});
  const Read read = read_batch(*log.store->read_batch(stream, EventIndex{0}));
  ASSERT_EQ(read.values.size(), 1u);
  EXPECT_EQ(
      read.values[0],
      R"({"agent":"edge-1","reason":"overflow","stream":"doors","origin":"4611686018427387999","first":1,"last":5,"count":5})");
  EXPECT_TRUE(log.store->read_all()->gaps.empty());
}

TEST(AgentLog, AFailedTransactionLeavesNothing) {
  const Folder folder;
  Log log(options_in(folder));
  CommitDone done;
  const CommitWork work{{1, {PutMeta{{9, 9}}, DeleteBatch{stream, EventIndex{4}}}}, {}};
  EXPECT_FALSE(log.writer->apply(work, done));
  EXPECT_EQ(log.store->read_all()->meta.opening, 0);
  log.commit({PutMeta{{8, 8}}});
  EXPECT_EQ(log.store->read_all()->meta.opening, 8);
}

TEST(AgentLog, RefusesByNameWhatIsNotItsOwn) {
  const Folder folder;
  {
    Log log(options_in(folder));
  }
  LogOptions other = options_in(folder);
  other.agent = "edge-2";
  auto refused = LogStore::open(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unsupported);
  {
    auto database = Database::open(options_in(folder).path, false);
    ASSERT_TRUE(database->execute("PRAGMA user_version = 99"));
  }
  refused = LogStore::open(options_in(folder));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unsupported);
  EXPECT_NE(refused.error().what.find("99"), std::string::npos);
}

TEST(AgentLog, ASecondConnectionIsRefused) {
  const Folder folder;
  Log log(options_in(folder));
  auto second = LogStore::open(options_in(folder));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::locked);
}

TEST(AgentLog, TheWalStaysBounded) {
  const Folder folder;
  LogOptions options = options_in(folder);
  options.wal_bytes_max = 64 << 10;
  Log log(options);
  for (std::int64_t i = 0; i < 400; ++i) {
    log.commit({InsertEvents{stream, EventIndex{i * 10}, EventIndex{i * 10 + 9}}}, {make_run(i * 10, i * 10 + 9)});
    ASSERT_TRUE(log.store->tend());
  }
  EXPECT_LT(std::filesystem::file_size(options.path + "-wal"), 256u << 10);
  EXPECT_EQ(log.store->read_all()->events.size(), 4000u);
}

TEST(AgentLog, SalvageKeepsWhatCanBeRead) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  {
    Log log(options);
    StreamRow row;
    row.id = stream;
    row.topic = "doors";
    row.next = EventIndex{2000};
    OriginRow origin;
    origin.stream = stream;
    origin.origin = ProducerId{77};
    log.commit({PutStream{row}, PutOrigin{origin}});
    for (std::int64_t i = 0; i < 200; ++i)
      log.commit({InsertEvents{stream, EventIndex{i * 10}, EventIndex{i * 10 + 9}}}, {make_run(i * 10, i * 10 + 9)});
  }
  {
    // A page of the runs in the middle is not what it was.
    std::fstream file(options.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 12);
    const std::string noise(4096, '\x5a');
    file.write(noise.data(), 4096);
  }
  const std::string aside = options.path + ".damaged-1";
  std::filesystem::rename(options.path, aside);
  Log log(options);
  auto copied = log.store->salvage(aside);
  ASSERT_TRUE(copied) << copied.error().what;
  auto all = log.store->read_all();
  ASSERT_TRUE(all);
  EXPECT_GT(all->events.size(), 500u);
  EXPECT_LT(all->events.size(), 2000u);
  EXPECT_TRUE(all->origins.at(0).must_resolve);
}

// An opening of the core as the agent does it: what it asserts must have been checked before.
void open_core(Persisted rows) {
  Config config;
  config.agent = "edge-1";
  const Agent core(config, std::move(rows), 1, {Instant{1}, WallMillis{1'700'000'000'000}});
}

TEST(AgentLog, RowsThatContradictEachOtherAreDamage) {
  const Folder folder;
  const LogOptions options = options_in(folder);
  write_everything(options);
  Persisted good;
  {
    Log log(options);
    auto read = log.store->read_all();
    ASSERT_TRUE(read) << read.error().what;
    good = *read;
  }
  open_core(good);
  const std::pair<const char*, std::function<void(Persisted&)>> wrongs[] = {
      {"stream gone", [](Persisted& p) { p.streams.erase(p.streams.begin()); }},
      {"topic twice", [](Persisted& p) { p.streams[1].topic = "doors"; }},
      {"origin gone", [](Persisted& p) { p.origins.erase(p.origins.begin()); }},
      {"origin moved", [](Persisted& p) { p.origins[0].first = EventIndex{1}; }},
      {"batch of another origin", [](Persisted& p) { p.batches[0].origin = ProducerId{5}; }},
      {"batches overlap", [](Persisted& p) { p.batches[0].last = EventIndex{25}; }},
      {"batch into the next lane", [](Persisted& p) { p.batches[1].last = EventIndex{160}; }},
      {"published behind what is not", [](Persisted& p) { std::swap(p.batches[0].published, p.batches[1].published); }},
      {"event twice", [](Persisted& p) { p.events[5].index = p.events[4].index; }},
      {"event beyond the next", [](Persisted& p) { p.streams[0].next = EventIndex{150}; }},
      {"event of no stream", [](Persisted& p) { p.events[0].stream = StreamId{1}; }},
      {"negative bytes", [](Persisted& p) { p.batches[0].bytes = -1; }},
      {"gap of no row", [](Persisted& p) { p.gaps.clear(); }},
      {"slot", [](Persisted& p) { p.recents[0].slot = 1 << 30; }},
      {"slot below", [](Persisted& p) { p.recents[0].slot = -1; }},
  };
  for (const auto& [name, wrong] : wrongs) {
    Persisted rows = good;
    wrong(rows);
    EXPECT_NE(contradiction(rows), nullptr) << name;
  }
}

void put_file(const LogOptions& options, const std::string& content) {
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(options.path).parent_path()))
    std::filesystem::remove(entry);
  std::ofstream(options.path, std::ios::binary | std::ios::trunc) << content;
}

// How an opening of it goes, as far as SqliteLog::open begins.
Status read_log(const LogOptions& options, Persisted& out) {
  auto store = LogStore::open(options);
  if (!store) return std::move(store).error();
  auto rows = (*store)->read_all();
  if (!rows) return std::move(rows).error();
  if (const char* what = contradiction(*rows)) return Error{Code::corrupt, what};
  out = std::move(*rows);
  return Ok{};
}

std::string rows_of(const LogOptions& options) {
  auto database = Database::open(options.path, false, options.vfs);
  EXPECT_TRUE(database && database->execute("PRAGMA locking_mode = EXCLUSIVE"));  // then its WAL needs no shared memory
  return dump_rows(*database);
}

// Whatever byte of the file is another one: the agent starts with all rows as they were written, or it is damage, and
// the agent starts with what is left. Only another agent's name or a later format, as far as one can tell, is refused.
TEST(AgentLog, AByteThatIsAnotherOneNeverEndsAStart) {
  const FaultyVfs vfs;  // nearly two thousand starts: without syncs
  const Folder folder;
  LogOptions options = options_in(folder);
  options.vfs = vfs.name();
  write_everything(options);
  const std::string written = rows_of(options);
  ASSERT_NE(written.find("\nmqtt,d,7,5,9\n"), std::string::npos) << written;
  std::string whole;
  {
    std::ifstream file(options.path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(file), {});
  }
  int damaged = 0, opened = 0, foreign = 0;
  // Of the first page, which has the header and the schema, more than of the others.
  const bool every = std::getenv("EDGELOG_EVERY_BYTE") != nullptr;
  for (std::size_t at = 0; at < whole.size(); at += every || at < 100 ? 1 : at < 4096 ? 7 : 29) {
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ (1 << (at % 8)));
    put_file(options, other);
    auto log = SqliteLog::open(options, [](const auto&) {}, [](const Error&) {});
    if (!log && log.error().code == Code::unsupported) {
      ++foreign;
      continue;
    }
    ASSERT_TRUE(log) << "byte " << at << ": " << log.error().what;
    const bool lost = log->lost;
    ++(lost ? damaged : opened);
    open_core(std::move(log->persisted));
    log->log.reset();
    EXPECT_TRUE(lost || rows_of(options) == written) << "byte " << at;
  }
  EXPECT_GT(damaged, 10);
  EXPECT_GT(opened, 10);
  EXPECT_LE(foreign, 10);
}

// The two that SQLite calls errors of the SQL: a name in the schema, and a format of 0, which is a database's before
// it is made.
TEST(AgentLog, ASchemaThatIsAnotherOneIsDamage) {
  const char* wrongs[] = {"PRAGMA user_version = 0", "PRAGMA application_id = 7",
                          "ALTER TABLE runs RENAME COLUMN base_time TO bese_time",
                          "ALTER TABLE batches RENAME TO botches", "ALTER TABLE about RENAME COLUMN value TO valve"};
  for (const char* wrong : wrongs) {
    const Folder folder;
    const LogOptions options = options_in(folder);
    write_everything(options);
    {
      auto database = Database::open(options.path, false);
      ASSERT_TRUE(database->execute(wrong)) << wrong;
    }
    Persisted rows;
    const auto status = read_log(options, rows);
    ASSERT_FALSE(status) << wrong;
    EXPECT_EQ(status.error().code, Code::corrupt) << wrong << ": " << status.error().what;
    auto salvaged = SqliteLog::open(options, [](const auto&) {}, [](const Error&) {});
    ASSERT_TRUE(salvaged) << wrong << ": " << salvaged.error().what;
    EXPECT_FALSE(salvaged->persisted.streams.empty()) << wrong;
  }
}

}  // namespace
}  // namespace edgelog::agent

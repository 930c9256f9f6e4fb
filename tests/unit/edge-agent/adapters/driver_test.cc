// Driver and intake around the real core: from delivered bytes to batches on the uplink and back to an empty
// log, with a log on disk and an uplink in memory.
#include "edge-agent/agent/driver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <utility>

#include "common/base/prng.h"
#include "common/record/batch.h"
#include "common/uplink/names.h"
#include "edge-agent/adapters/agent_config.h"
#include "edge-agent/adapters/json_parser.h"
#include "edge-agent/adapters/log_apply.h"
#include "edge-agent/agent/gap_record.h"
#include "edge-agent/agent/intake.h"

namespace edgelog::agent {
namespace {

// The log on the test's own thread: what is handed in is done when the test says so.
class DirectLog : public EventLog {
 public:
  explicit DirectLog(const std::string& folder) {
    LogOptions options;
    options.path = folder + "/agent.db";
    options.agent = "edge-1";
    store = std::move(*LogStore::open(options));
    writer = std::move(*LogApply::create(*store));
  }
  void commit(CommitWork work, std::function<void(CommitDone)> done) override {
    jobs.push_back([this, work = std::make_shared<CommitWork>(std::move(work)), done = std::move(done)] {
      CommitDone result;
      if (full)
        result.status = Error{Code::full, "disk full"};
      else
        result.status = writer->apply(*work, result);
      EXPECT_TRUE(store->tend());
      for (const Run& run : work->runs) seen.push_back(run);
      result.work = std::move(*work);
      done(std::move(result));
    });
  }
  void read_batch(StreamId stream, EventIndex first, std::function<void(Result<Buffer>)> done) override {
    jobs.push_back([this, stream, first, done = std::move(done)] { done(store->read_batch(stream, first)); });
  }
  LogUsage usage() const override { return {store->bytes(), 1 << 30}; }
  bool run_one() {
    if (jobs.empty()) return false;
    auto job = std::move(jobs.front());
    jobs.pop_front();
    job();
    return true;
  }

  std::unique_ptr<LogStore> store;
  std::unique_ptr<LogApply> writer;
  std::deque<std::function<void()>> jobs;
  std::vector<Run> seen;
  bool full = false;
};

struct Sent {
  std::string topic;
  Buffer payload;
  std::optional<std::int32_t> partition;
};

class MemoryUplink : public Uplink {
 public:
  bool connected() const override { return up; }
  Result<std::uint64_t> publish(const std::string& topic, Bytes payload, std::optional<std::int32_t> partition,
                                bool) override {
    if (!up) return Error{Code::closed, "down"};
    sent.push_back({topic, Buffer(payload.begin(), payload.end()), partition});
    return ++tickets;
  }
  bool up = true;
  std::vector<Sent> sent;
  std::uint64_t tickets = 0;
};

class Inlet1 : public Inlet {
 public:
  void durable(std::uint64_t ticket) override { durable_through = ticket; }
  void confirm(std::string_view device, std::string_view incarnation, std::int64_t through) override {
    confirmed = std::string(device) + " " + confirmation(incarnation, through);
  }
  void resume() override { ++resumed; }
  std::uint64_t durable_through = 0;
  std::string confirmed;
  int resumed = 0;
};

struct Bench {
  explicit Bench(const std::string& mapping, Config config = {}) {
    std::string name = (std::filesystem::temp_directory_path() / "edgelog-driver-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
    log = std::make_unique<DirectLog>(folder);
    config.agent = "edge-1";
    open(mapping, config);
  }
  ~Bench() { std::filesystem::remove_all(folder); }

  // A process on the log as it is.
  void open(const std::string& mapping, const Config& config, bool dead_letters = true, std::uint64_t seed = 42) {
    intake.reset();
    auto rows = log->store->read_all();
    EXPECT_TRUE(rows);
    driver = std::make_unique<Driver>(
        config, std::move(*rows), seed, false, "test",
        DriverPorts{*log, uplink, [this] { return moment; }, [this](Instant at) { wake_at = at; }});
    driver->add_input("site", inlet);
    auto loaded = find_mapping(mapping);
    EXPECT_TRUE(loaded);
    intake =
        std::make_unique<Intake>(IntakeOptions{"site", "site-a", "edge-1", 64 << 10, dead_letters}, std::move(*loaded),
                                 *driver, [this](Bytes d, JsonObject& o) { return parser.parse(d, o); });
    settle();
  }

  Outcome deliver(const std::string& topic, const std::string& payload, bool retained = false) {
    const Outcome outcome = intake->deliver(topic, as_bytes(payload), retained);
    driver->settle();
    return outcome;
  }
  // Lets time pass and the log work until nothing is left to do now.
  void settle(Duration pass = milliseconds(2000)) {
    const Instant until = moment.now + pass;
    for (int i = 0; i < 10'000; ++i) {
      if (log->run_one()) continue;
      if (wake_at > until) break;
      if (wake_at > moment.now) advance(wake_at - moment.now);
      driver->wake();
    }
    if (until > moment.now) advance(until - moment.now);
  }
  void advance(Duration by) { moment = {moment.now + by, moment.wall + by}; }
  void list_topics(std::vector<std::string> topics) {
    uplink::TopicList list;
    list.gateway_time = moment.wall;
    list.producer_memory_ms = 86'400'000;
    for (auto& topic : topics)
      list.topics.push_back({topic, 1 << 20, {{Offset{0}, LeaderEpoch{1}}, {Offset{0}, LeaderEpoch{1}}}});
    EXPECT_TRUE(driver->uplink_message(std::string(uplink::topics_topic), uplink::encode(list)));
  }
  // The gateway's part: every batch that was sent is durable, one after another in its partition.
  int answer_all() {
    uplink::Answers answers;
    answers.gateway_time = moment.wall;
    for (const Sent& sent : std::exchange(uplink.sent, {})) {
      driver->handed_over(++handed);
      const auto address = uplink::parse_up_topic(sent.topic);
      if (!address || address->look) continue;
      const auto header = record::parse_header(sent.payload);
      EXPECT_TRUE(header);
      answers.batches.push_back({{address->topic, header->producer_id, header->producer_epoch, header->base_sequence,
                                  header->last_sequence()},
                                 PartitionIndex{*sent.partition},
                                 0,
                                 Offset{next_offset},
                                 LeaderEpoch{1}});
      next_offset += header->count;
      records += header->count;
    }
    const int count = static_cast<int>(answers.batches.size());
    if (count > 0) {
      EXPECT_TRUE(driver->uplink_message(uplink::ack_topic("edge-1"), uplink::encode(answers)));
    }
    return count;
  }

  std::string folder;
  Moment moment{Instant{1'000'000'000}, WallMillis{1'700'000'000'000}};
  Instant wake_at = never;
  MemoryUplink uplink;
  Inlet1 inlet;
  JsonParser parser{64 << 10};
  std::unique_ptr<DirectLog> log;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<Intake> intake;
  std::uint64_t handed = 0;
  std::int64_t next_offset = 0, records = 0;
};

TEST(Driver, AnEventGoesAllTheWay) {
  Bench b("plain-json");
  EXPECT_EQ(b.deliver("events/doors/front", R"({"open":true})"), Outcome::taken);
  EXPECT_EQ(b.deliver("events/doors/front", R"({"open":false})"), Outcome::taken);
  b.driver->when_durable(b.inlet, 2);
  EXPECT_EQ(b.inlet.durable_through, 0u);
  b.settle();
  EXPECT_EQ(b.inlet.durable_through, 2u);
  EXPECT_TRUE(b.uplink.sent.empty());
  b.driver->connected();
  EXPECT_EQ(b.uplink.sent.at(0).topic, uplink::state_topic("edge-1"));
  b.list_topics({"doors"});
  b.settle();
  ASSERT_EQ(b.uplink.sent.size(), 2u);
  EXPECT_EQ(b.uplink.sent[1].topic, uplink::up_topic("edge-1", "doors"));
  EXPECT_EQ(b.uplink.sent[1].partition, uplink::partition_of("edge-1", 2).value());
  EXPECT_EQ(b.answer_all(), 1);
  b.settle();
  EXPECT_EQ(b.records, 2);
  EXPECT_TRUE(b.driver->core().all_acknowledged());
  const auto rows = b.log->store->read_all();
  EXPECT_TRUE(rows->batches.empty());
  EXPECT_TRUE(rows->events.empty());
}

TEST(Driver, AFullDiskHoldsAndGoesOn) {
  Bench b("plain-json");
  b.log->full = true;
  EXPECT_EQ(b.deliver("events/doors/front", R"({"open":true})"), Outcome::taken);
  b.driver->when_durable(b.inlet, 1);
  b.settle();
  EXPECT_TRUE(b.driver->disk_full());
  EXPECT_EQ(b.inlet.durable_through, 0u);
  EXPECT_EQ(b.deliver("events/doors/front", R"({"open":false})"), Outcome::taken);
  b.log->full = false;
  b.settle(seconds(5));
  EXPECT_FALSE(b.driver->disk_full());
  EXPECT_EQ(b.inlet.durable_through, 1u);
  EXPECT_EQ(b.log->store->read_all()->events.size() + b.log->store->read_all()->batches.size() * 2, 2u);
}

// Random text: what lies on disk is about as large as what was taken.
std::string noise(Prng& random, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += static_cast<char>('!' + random.below(90));
  std::replace(text.begin(), text.end(), '"', '\'');
  std::replace(text.begin(), text.end(), '\\', '/');
  return text;
}

// The file of a database never shrinks: it is no measure of what is in it.
TEST(Driver, ALogThatReachedItsBoundKeepsWhatFits) {
  Config config;
  config.log_bytes_max = 16 << 20;
  Bench b("plain-json", config);
  Prng random(1);
  const auto tend = [&] {
    b.driver->tend();
    b.settle(seconds(1));
  };
  for (int i = 0; i < 3'000; ++i) {
    b.deliver("events/doors/front", R"({"x":")" + noise(random, 8'000) + "\"}");
    if (i % 16 == 0) tend();
  }
  for (int i = 0; i < 5; ++i) tend();
  const std::uint64_t dropped = b.driver->core().counts().events_dropped;
  EXPECT_GT(dropped, 100u);
  for (int i = 0; i < 60; ++i) tend();
  EXPECT_EQ(b.driver->core().counts().events_dropped, dropped) << "nothing came, and nothing had to go";
  EXPECT_LT(dropped, 2'000u) << "16 MiB, of which the WAL takes 5, hold more than 1,000 events of 8 KiB";
  EXPECT_LE(b.log->store->bytes(), config.log_bytes_max);
}

TEST(Driver, ARingIsConfirmedOnceItIsDurable) {
  Bench b("edgelog-devices");
  const auto event = [](int n) {
    return R"({"boot":7,"n":)" + std::to_string(n) + R"(,"t":1700000000000,"kind":"door","event":"opened"})";
  };
  EXPECT_EQ(b.deliver("site/d1/event", event(1)), Outcome::taken);
  EXPECT_EQ(b.deliver("site/d1/event", event(3)), Outcome::out_of_order);
  EXPECT_EQ(b.deliver("site/d1/event", event(2)), Outcome::taken);
  EXPECT_EQ(b.deliver("site/d1/event", event(2)), Outcome::repeat);
  // A ring that is out of order is told at once where to go on: nothing is durable yet.
  EXPECT_EQ(b.inlet.confirmed, R"(d1 {"boot":7,"through":0})");
  b.settle();
  EXPECT_EQ(b.inlet.confirmed, R"(d1 {"boot":7,"through":2})");
  EXPECT_EQ(b.intake->confirm_topic("d1"), "site/d1/event/confirm");
}

// An event near the limit of messages may be above the limit of events: it is not lost, and its source goes on.
TEST(Driver, WhatTheCoreRefusesBecomesADeadLetterUnderItsNumber) {
  Config config;
  config.event_bytes_max = 40 << 10;
  Bench b("plain-json", config);
  const auto event = [](int n, std::size_t bytes) {
    return R"({"boot":1,"n":)" + std::to_string(n) + R"(,"x":")" + std::string(bytes, 'x') + "\"}";
  };
  EXPECT_EQ(b.deliver("events/doors/front", event(1, 10)), Outcome::taken);
  EXPECT_EQ(b.deliver("events/doors/front", event(2, 50 << 10)), Outcome::taken);
  EXPECT_EQ(b.deliver("events/doors/front", event(3, 10)), Outcome::taken);
  b.settle();
  EXPECT_EQ(b.intake->counts().refused.value(), 1u);
  EXPECT_EQ(b.driver->core().counts().events_taken, 3u);
  EXPECT_EQ(b.driver->core().counts().gaps, 0u);
}

// Its gap and its number are part of the transaction behind the one that is under way.
TEST(Driver, ALineThatWasDroppedIsToldOfOnceItsGapIsDurable) {
  Config config;
  config.agent = "edge-1";
  config.defaults.bytes_max = 500;
  config.defaults.when_full = WhenFull::drop_newest;
  Bench b("plain-json", config);
  const auto event = [](int n) {
    return R"({"boot":1,"n":)" + std::to_string(n) + R"(,"x":")" + std::string(300, 'x') + "\"}";
  };
  EXPECT_EQ(b.deliver("events/doors/front", event(1)), Outcome::taken);
  b.advance(seconds(1));
  b.driver->wake();
  ASSERT_EQ(b.log->jobs.size(), 1u);
  EXPECT_EQ(b.deliver("events/doors/front", event(2)), Outcome::dropped);
  b.driver->when_durable(b.inlet, 2);
  b.log->run_one();
  EXPECT_EQ(b.inlet.durable_through, 0u) << "a crash now forgets the gap";
  b.settle();
  EXPECT_EQ(b.inlet.durable_through, 2u);
  const auto rows = b.log->store->read_all();
  ASSERT_EQ(rows->sources.size(), 1u);
  EXPECT_EQ(rows->sources[0].last, 2);
}

TEST(Driver, ABatchThatIsReadAfterAReconnectIsPublishedOnce) {
  Config config;
  config.agent = "edge-1";
  Bench b("plain-json", config);
  b.deliver("events/doors/front", R"({"open":true})");
  b.settle();
  b.driver->connected();
  b.list_topics({"doors"});
  b.settle();
  b.open("plain-json", config, true, 43);  // its bytes are on disk only
  b.uplink.sent.clear();
  b.driver->connected();
  b.list_topics({"doors"});
  const std::size_t reads = b.log->jobs.size();
  ASSERT_GT(reads, 0u);
  b.driver->disconnected();
  b.driver->connected();
  b.list_topics({"doors"});
  ASSERT_GT(b.log->jobs.size(), reads) << "it is read once more, for the session that there is now";
  const auto published = [&] {
    return std::count_if(b.uplink.sent.begin(), b.uplink.sent.end(),
                         [](const Sent& sent) { return sent.topic == uplink::up_topic("edge-1", "doors"); });
  };
  ASSERT_EQ(published(), 0);
  while (b.log->run_one()) {
  }
  EXPECT_EQ(published(), 1);
}

TEST(Driver, WhatIsNoEventBecomesADeadLetter) {
  Bench b("edgelog-devices");
  const std::pair<const char*, std::string> bad[] = {
      {"site/d1/event", "{\"kind\":"},
      {"site/d1/event", "\xff\xfe"},
      {"site/d1/event", std::string(65 << 10, ' ')},
      {"nowhere", "{}"},
      {"site/d1/event", R"({"kind":"thermostat","temperature":"warm"})"},
      {"site/d1/event", R"({"kind":"toaster"})"},
  };
  for (const auto& [topic, payload] : bad) EXPECT_EQ(b.deliver(topic, payload), Outcome::taken);
  // Under its own number: the device goes on behind it.
  EXPECT_EQ(b.deliver("site/d1/event", R"({"boot":1,"n":1,"kind":"thermostat","temperature":null,"setpoint":[]})"),
            Outcome::taken);
  EXPECT_EQ(b.deliver("site/d1/event", R"({"boot":1,"n":2,"kind":"door"})"), Outcome::taken);
  EXPECT_EQ(b.deliver("site/d1/event", R"({"kind":"door"})", true), Outcome::repeat);  // retained
  b.settle();
  EXPECT_EQ(b.intake->counts().refused.value(), 7u);
  EXPECT_EQ(b.intake->counts().snapshots.value(), 1u);
  EXPECT_EQ(b.inlet.confirmed, R"(d1 {"boot":1,"through":2})");
  std::vector<std::string> reasons;
  for (const agent::Run& run : b.log->seen) {
    RunReader reader(run.events, run.base_time);
    for (EventView event; reader.next(event);)
      if (const auto at = event.value.find("\"reason\":\""); at != std::string_view::npos)
        reasons.emplace_back(event.value.substr(at + 10, event.value.find('"', at + 10) - at - 10));
  }
  EXPECT_EQ(reasons,
            (std::vector<std::string>{"not valid JSON", "not valid UTF-8", "too large", "no rule for this topic",
                                      "wrong type", "no rule for this payload", "wrong type"}));
}

// It is told where it stands, or it sends its oldest messages for ever.
TEST(Driver, ARingOfWhichNothingWasTakenYetIsConfirmed) {
  Bench b("edgelog-devices");
  EXPECT_EQ(b.deliver("site/d1/event", R"({"boot":1,"n":1,"kind":"toaster"})"), Outcome::taken);
  b.settle();
  EXPECT_EQ(b.inlet.confirmed, R"(d1 {"boot":1,"through":1})");
  EXPECT_EQ(b.intake->confirm_topic("d1"), "site/d1/event/confirm");
  EXPECT_EQ(b.deliver("site/d2/event", R"({"boot":7,"confirmed":2,"lost":9})"), Outcome::taken);
  b.settle();
  EXPECT_EQ(b.inlet.confirmed, R"(d2 {"boot":7,"through":9})");
  EXPECT_EQ(b.intake->confirm_topic("d2"), "site/d2/event/confirm");
}

TEST(Driver, ARingGoesOnBehindWhatNoDeadLetterIsMadeOf) {
  Config config;
  config.agent = "edge-1";
  Bench b("edgelog-devices", config);
  b.open("edgelog-devices", config, false, 43);
  EXPECT_EQ(b.deliver("site/d1/event", R"({"boot":1,"n":1,"kind":"toaster"})"), Outcome::taken);
  b.settle();
  EXPECT_EQ(b.inlet.confirmed, R"(d1 {"boot":1,"through":1})");
  config.event_bytes_max = 100;  // a dead letter is larger
  b.open("edgelog-devices", config, true, 44);
  EXPECT_EQ(b.deliver("site/d1/event", R"({"boot":1,"n":2,"kind":"toaster"})"), Outcome::taken);
  b.settle();
  EXPECT_EQ(b.inlet.confirmed, R"(d1 {"boot":1,"through":2})");
  EXPECT_EQ(b.driver->core().counts().events_taken, 0u);
}

TEST(DeadLetter, ADetailIsCutBetweenTwoCharacters) {
  std::string detail = "x";
  for (int i = 0; i < 50'000; ++i) detail += "\xc3\xa4";
  const std::string value = dead_letter_value({"edge-1", "site", "t", "no valid stream", detail, {}});
  EXPECT_TRUE(is_utf8(value));
  EXPECT_LT(value.size(), 400u);
  EXPECT_NE(value.find("\"detail\":\"x\xc3\xa4"), std::string::npos);
}

// tests/golden/edge-agent/mappings.txt: deliveries, and what each mapping that ships makes of them.
TEST(Golden, MappingsThatShip) {
  std::ifstream file("tests/golden/edge-agent/mappings.txt");
  ASSERT_TRUE(file);
  std::string line, mapping, topic, payload, expected, whole;
  int records = 0;
  const auto check = [&] {
    if (mapping.empty()) return;
    Bench b(mapping);
    b.deliver(topic, payload);
    b.settle();
    std::string made;
    const auto rows = b.log->store->read_all();
    for (const agent::Run& run : b.log->seen) {
      RunReader reader(run.events, run.base_time);
      for (EventView event; reader.next(event);) {
        std::string stream;
        for (const auto& row : rows->streams)
          if (row.id == run.stream) stream = row.topic;
        made += "stream " + stream + "\nkey " + std::string(event.key) + "\nvalue " + std::string(event.value) + "\n";
        for (const auto& h : event.headers) made += "header " + std::string(h.name) + " " + std::string(h.value) + "\n";
      }
    }
    EXPECT_EQ(made, expected) << mapping << " " << topic << " " << payload;
    ++records;
  };
  while (std::getline(file, line)) {
    if (line.starts_with("mapping ")) {
      check();
      mapping = line.substr(8);
      expected.clear();
    } else if (line.starts_with("topic ")) {
      topic = line.substr(6);
    } else if (line.starts_with("payload ")) {
      payload = line.substr(8);
    } else if (!line.empty() && line[0] != '#') {
      expected += line + "\n";
    }
  }
  check();
  EXPECT_GE(records, 7);
}

}  // namespace
}  // namespace edgelog::agent

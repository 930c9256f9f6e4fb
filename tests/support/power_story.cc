#include "tests/support/power_story.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <set>

#include "cloud-broker/partition/store.h"
#include "common/record/check.h"
#include "tests/support/batches.h"
#include "tests/support/store_world.h"
#include "tests/support/sync_sites.h"

namespace edgelog::testing {
namespace {

using broker::Appender;
using broker::Partition;
using broker::TopicSettings;

constexpr int compacted = 4, removed = 5, late = 6;

TopicSettings settings_of(int number) {
  TopicSettings out;
  out.segment_bytes = number == 3 ? 700 : number == compacted ? 1200 : 2500;
  if (number == 3) out.retention_bytes = 1200;
  out.cleanup_compact = number == compacted;
  out.cleanup_delete = number != compacted;
  return out;
}

struct LastBatch {
  BatchSpec spec;
  std::int64_t base = -1;
};

// What clients were told.
struct Books {
  std::map<int, std::int64_t> acknowledged, log_start;
  std::map<int, LastBatch> last;
  std::map<std::string, std::int64_t> keys;  // the compacted partition's: offset of the latest record
  std::set<int> gone;
};

class Story {
 public:
  explicit Story(const StoryOptions& options)
      : options_(options), random_(options.effect + 1), sites_(disk_, options.left_out) {
    config_.node = NodeId{1};
    config_.fresh[0] = std::byte{42};
    config_.free_bytes_min = 0;
    config_.direct_bytes = 1000;
    config_.journal_file_bytes = 64 << 10;
    config_.journal_files = 2;
    config_.maintenance_interval = seconds(1);
  }

  StoryResult run() {
    disk_.on_operation([this](std::string_view, std::string_view) {
      if (++effects_ == options_.effect) dead_ = true, disk_.freeze();
    });
    if (open()) live(0, 24);
    result_.ended = !dead_;
    disk_.on_operation(nullptr);
    crash(options_.crash);
    result_.calls = sites_.calls();
    return std::move(result_);
  }

 private:
  struct Pending {  // told once its offset is committed
    int number;
    std::int64_t end;
    LastBatch last;
  };

  void fail(std::string what) {
    if (result_.failure.empty()) result_.failure = std::move(what);
  }

  bool open() {
    broker::StoreEvents events;
    events.on_committed = [this](std::span<Partition* const>) { note(); };
    events.on_fatal = [this](const Error& error) {
      if (!dead_) fail("fatal: " + error.what);
    };
    auto opened = broker::Store::open(disk_, config_, std::move(events), now_);
    if (!opened) {
      if (!dead_) fail("the store does not open: " + opened.error().what);
      return false;
    }
    store_ = std::move(*opened);
    for (Partition* const p : store_->all()) p->set_settings(settings_of(number_of(*p)));
    return true;
  }
  static int number_of(const Partition& p) { return std::to_integer<int>(p.id().topic[15]); }
  Partition* find(int number) { return store_->find(partition_id(number)); }

  void live(int from, int to) {
    for (int number : {1, 2, 3, compacted, removed})
      if (find(number) == nullptr && (from == 0 || number != removed)) create(number);
    for (int i = from; i < to && !dead_; ++i) {
      if (i >= 9 && find(late) == nullptr) create(late);
      for (Partition* const p : store_->all())
        if ((i + number_of(*p)) % 3 != 0) append(number_of(*p), *p, i);
      if (i == 12 && find(removed) != nullptr) remove(removed);
      if (i == 13) cut_off(1);
      settle();
      if (i % 3 == 2 && i > 5) tick(seconds(40)), tick(seconds(3));
    }
  }
  void settle() {
    store_->end_of_turn();
    while (disk_.complete()) note();
    note();
  }
  void tick(Duration by) {
    now_ = now_ + by, wall_ = wall_ + by;
    store_->tick(now_, wall_);
    settle();
  }

  void create(int number) {
    sequence_[number] = 0;
    if (!store_->create(partition_id(number), settings_of(number))) return;  // dead already
    store_->when_durable([this, number] {
      if (!dead_) books_.acknowledged.try_emplace(number, 0);
    });
  }
  void append(int number, Partition& p, int i) {
    LastBatch batch;
    batch.spec.producer = ProducerId{number}, batch.spec.epoch = 0, batch.spec.sequence = sequence_[number]++;
    batch.spec.value_bytes = number == 2 && i % 4 == 0 ? 2000 : 150;
    batch.spec.timestamp = wall_.value();
    if (number == compacted) batch.spec.key = fmt::format("k{}", i % 3);
    Buffer bytes = make_batch(batch.spec);
    const auto answer = p.append(bytes, Appender::client, wall_);
    if (answer.error != 0) {
      if (!dead_) fail(fmt::format("p{}: append got error {}", number, answer.error));
      return;
    }
    batch.base = answer.base_offset.value();
    pending_.push_back({number, answer.commit_at.value(), std::move(batch)});
  }
  void remove(int number) {
    store_->remove(partition_id(number));
    std::erase_if(pending_, [&](const Pending& p) { return p.number == number; });
    books_.acknowledged.erase(number), books_.last.erase(number);
    store_->when_durable([this, number] {
      if (!dead_) books_.gone.insert(number);
    });
  }
  void cut_off(int number) {
    Partition* const p = find(number);
    if (p == nullptr || p->committed() <= p->log_start()) return;
    const std::int64_t to = p->committed().value() - 1;
    if (!p->delete_records(Offset{to})) return fail("delete_records refused");
    store_->when_durable([this, number, to] {
      if (!dead_) books_.log_start[number] = to;
    });
  }

  // Called whenever something may have been committed: the clients hear of it now.
  void note() {
    if (dead_ || !store_) return;
    std::erase_if(pending_, [this](Pending& pending) {
      Partition* const p = find(pending.number);
      if (p == nullptr || p->committed().value() < pending.end) return false;
      auto& count = books_.acknowledged[pending.number];
      count = std::max(count, pending.end);
      if (pending.number == compacted) books_.keys[pending.last.spec.key] = pending.last.base;
      books_.last[pending.number] = std::move(pending.last);
      return true;
    });
  }

  void crash(Crash kind) {
    stop(kind != Crash::kill && kind != Crash::kill_and_write, kind == Crash::mixed);
    if (kind == Crash::starts_die) starts_die();
    if (!open()) return;
    check("after the crash");
    if (kind == Crash::kill_and_write) live(16, 20);
    // What the start relied on is durable too, or the next one does not find it.
    stop(true, false);
    if (!open()) return;
    check("after the power cut that followed");
    live(20, 24);
    tick(seconds(3)), tick(seconds(3));
    stop(true, false);
    if (open()) check("at the end");
  }
  // What a start wrote and did not sync, the next one reads with holes. Half of them die with both copies of a manifest
  // written and the second one not synced.
  void starts_die() {
    for (int i = 0; i < 4 && result_.failure.empty(); ++i) {
      const bool copies = random_.chance(1, 2);
      std::int64_t left = copies ? random_.between(1, 5) : random_.between(1, 70);
      disk_.on_operation([&](std::string_view operation, std::string_view path) {
        if (copies && !(operation == "sync" && path.ends_with("manifest.1"))) return;
        if (--left == 0) dead_ = true, disk_.freeze();
      });
      open();
      disk_.on_operation(nullptr);
      stop(true, true);
    }
  }
  void stop(bool power, bool mixed) {
    store_.reset();
    pending_.clear();
    dead_ = false;
    power ? disk_.power_cut(random_, mixed ? Survival::mixed : Survival::nothing) : disk_.kill();
  }

  void check(const char* when) {
    for (const int number : books_.gone)
      if (find(number) != nullptr) fail(fmt::format("p{} was removed and is back {}", number, when));
    for (const auto& [number, count] : books_.acknowledged) {
      Partition* const p = find(number);
      if (p == nullptr) {
        if (number != removed) fail(fmt::format("p{} is gone {}", number, when));
        continue;
      }
      if (!p->damage().empty()) return fail(fmt::format("p{} is damaged {}: {}", number, when, p->damage()));
      if (p->committed().value() < count)
        return fail(
            fmt::format("p{} ends at {}, {} was acknowledged, {}", number, p->committed().value(), count, when));
      if (const auto start = books_.log_start.find(number);
          start != books_.log_start.end() && p->log_start().value() < start->second)
        fail(fmt::format("p{} begins at {} again {}", number, p->log_start().value(), when));
      check_records(number, *p, when);
      check_producer(number, *p, when);
    }
    for (Partition* const p : store_->all())
      sequence_[number_of(*p)] = static_cast<std::int32_t>(p->end().value());  // one record a batch
  }

  void check_records(int number, Partition& p, const char* when) {
    std::map<std::string, std::int64_t> latest;
    record::Scratch scratch;
    for (Offset at = p.log_start(); at < p.committed();) {
      const auto read = p.read(at, 1 << 16, true, p.committed());
      if (read.error != 0 || read.batches.empty())
        return fail(fmt::format("p{}: {} cannot be read {}: {}", number, at.value(), when, p.damage()));
      at = read.next;
      Bytes rest = read.batches;
      while (const auto batch = record::next_batch(rest)) {
        const auto header = *record::parse_header(*batch);
        auto reader = record::open_records(*batch, header, scratch, 1 << 20);
        record::RecordView view;
        while (reader && reader->next(view))
          if (view.key) latest[std::string(as_text(*view.key))] = header.base_offset.value();
      }
    }
    if (number != compacted) return;
    for (const auto& [key, offset] : books_.keys)
      if (!latest.contains(key) || latest[key] < offset)
        fail(fmt::format("p{}: the latest record of {} is gone {}", number, key, when));
  }

  // The last acknowledged batch is sent again.
  void check_producer(int number, Partition& p, const char* when) {
    const auto last = books_.last.find(number);
    if (last == books_.last.end()) return;
    Buffer bytes = make_batch(last->second.spec);
    const auto answer = p.append(bytes, Appender::client, wall_);
    if (answer.error != 0 || !answer.duplicate || answer.base_offset.value() != last->second.base)
      fail(fmt::format("p{}: a producer is forgotten {}: error {}", number, when, answer.error));
  }

  const StoryOptions& options_;
  Prng random_;
  StoryResult result_;
  SimDisk disk_;
  SyncSites sites_;
  broker::StoreConfig config_;
  std::unique_ptr<broker::Store> store_;
  Books books_;
  std::map<int, std::int32_t> sequence_;
  std::vector<Pending> pending_;
  std::uint64_t effects_ = 0;
  bool dead_ = false;
  Instant now_{1'000'000'000};
  WallMillis wall_{1'700'000'000'000};
};

}  // namespace

StoryResult run_power_story(const StoryOptions& options) { return Story(options).run(); }

}  // namespace edgelog::testing

#include "tests/support/store_sim.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "cloud-broker/partition/partition_log.h"
#include "cloud-broker/partition/store.h"
#include "cloud-broker/producers/producers.h"
#include "common/record/check.h"
#include "tests/support/batches.h"
#include "tests/support/sim_disk.h"
#include "tests/support/store_world.h"
#include "tests/support/sync_sites.h"
#include "tests/support/unchecked_bit.h"

namespace edgelog::testing {
namespace {

using broker::Partition;
using broker::ProducerBatch;
using broker::Producers;

// One batch as it was appended: what a reader must find at its offset.
struct ModelBatch {
  std::int64_t base = 0, end = 0, appended_ms = 0, bytes = 0, youngest = -1;
  std::uint32_t crc = 0;
  LeaderEpoch epoch;
  ProducerBatch producer;
  BatchSpec spec;
};

// Ids whose last batch lies below `before` were forgotten when the log ended at `at`.
struct Forgotten {
  std::int64_t at = 0, before = 0;
  broker::ProducerKind kind{};
  bool operator==(const Forgotten&) const = default;
};

struct ModelPartition {
  broker::TopicSettings settings;
  std::deque<ModelBatch> batches;        // all of them, from `forgotten` on; the last ones may be lost in a crash
  std::int64_t acknowledged = 0;         // committed as seen by clients
  std::int64_t acknowledged_before = 0;  // before the latest round: a flipped bit may pass for a torn tail there
  std::int64_t log_start = 0;
  bool create_durable = false, removing = false, damaged = false;
  std::map<std::int64_t, std::deque<BatchSpec>> sent;  // by producer id: latest last
  std::map<std::int64_t, std::int32_t> next_sequence;
  std::vector<Forgotten> forgotten;
  std::size_t forgotten_durably = 0;  // of them, the first ones
  std::int64_t end() const { return batches.empty() ? 0 : batches.back().end; }
};

// What this seed draws.
struct Weather {
  bool kills, power, within, slow, sync_fails, write_fails, fills, flips, jumps;
  Survival survival;
};

class StoreSim {
 public:
  StoreSim(std::uint64_t seed, const StoreTrace& trace, const StoreSimOptions& options)
      : random_(seed), trace_(trace), options_(options) {}
  StoreSimResult run();

 private:
  void say(std::string_view text) {
    if (trace_) trace_(now_, text);
  }
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... args) {
    if (trace_) trace_(now_, fmt::format(format, std::forward<T>(args)...));
  }
  void fail(std::string why) {
    if (!result_.failure.empty()) return;
    say("FAILED: {}", why);
    result_.failure = std::move(why);
  }
  bool expect(bool held, StoreCheck check, std::string_view what) {
    ++result_.checks[static_cast<std::size_t>(check)];
    if (!held) fail(std::string(what));
    return held;
  }
  void fault(StoreFault kind) { ++result_.faults[static_cast<std::size_t>(kind)]; }
  bool chance(std::uint64_t n, std::uint64_t of) { return random_.chance(n, of); }

  void draw();
  void open();
  void step();
  void append();
  void append_to(int number, ModelPartition& model, Partition& p);
  void complete_sync();
  BatchSpec next_batch(ModelPartition& model);
  void read_some();
  void remove_one();
  void create_one();
  void create(int number);
  void time_passes();
  void crash();
  void flip();
  void flip_at(const std::string& file, std::uint64_t byte, unsigned bit);
  void after_crash();
  void compare(int number, ModelPartition& model, Partition& p);
  void compare_producers(int number, ModelPartition& model, Partition& p);
  Producers replay(ModelPartition& model, std::span<const Forgotten> forgotten);
  void note_forgotten();
  void compare_youngest(int number, ModelPartition& model, Partition& p);
  void check_numbers();
  void check_retention(int number, const ModelPartition& model, std::int64_t start);
  void retention_ends();
  void liveness();
  std::optional<std::pair<int, Partition*>> pick();
  void on_committed(std::span<Partition* const> advanced);
  bool check_bytes(const ModelPartition& model, Bytes bytes, std::int64_t from, const char* where);

  Prng random_;
  const StoreTrace& trace_;
  const StoreSimOptions& options_;
  StoreSimResult result_;
  Weather weather_{};
  SimDisk disk_;
  std::optional<SyncSites> sites_;
  broker::StoreConfig config_;
  std::unique_ptr<broker::Store> store_;
  std::map<int, ModelPartition> model_;
  std::set<int> gone_;  // removed, durably
  int next_partition_ = 1;
  Instant now_{1'000'000'000};
  WallMillis wall_{1'700'000'000'000};
  bool fatal_ = false, frozen_ = false, full_ = false;
  std::uint64_t flips_ = 0, freeze_after_ = 0;
  bool flipped_now_ = false, journal_flipped_now_ = false;
};

void StoreSim::draw() {
  const auto draw = [&] { return chance(1, 2); };
  weather_ = {draw(),       draw(),       draw(),       draw(),       chance(1, 4),
              chance(1, 6), chance(1, 4), chance(1, 3), chance(1, 4), Survival::mixed};
  weather_.survival = static_cast<Survival>(random_.below(3));
  if (!options_.left_out.empty()) {
    weather_ = {.kills = chance(1, 2), .power = true, .within = chance(1, 2), .survival = Survival::nothing};
    sites_.emplace(disk_, options_.left_out);
  }
  config_.node = NodeId{1};
  config_.fresh[3] = std::byte{7};
  config_.journal_files = static_cast<std::uint32_t>(random_.between(2, 4));
  config_.journal_file_bytes = 64 << 10;
  config_.direct_bytes = static_cast<std::uint64_t>(random_.between(100, 30'000));
  config_.direct_partitions_max = static_cast<std::uint32_t>(random_.between(1, 3));
  config_.free_bytes_min = 256 << 10;
  config_.open_files_max = 64;
  config_.maintenance_interval = seconds(random_.between(1, 60));
  config_.checkpoint_idle = milliseconds(random_.between(100, 5000));
  if (options_.left_out.empty() && chance(1, 3))
    config_.producer_ids_max = static_cast<std::size_t>(random_.between(4, 30));
  disk_.on_operation([this](std::string_view, std::string_view) {
    if (freeze_after_ != 0 && --freeze_after_ == 0) {
      frozen_ = true;
      disk_.freeze();
    }
  });
}

void StoreSim::open() {
  fatal_ = false;
  broker::StoreEvents events;
  events.on_committed = [this](std::span<Partition* const> advanced) { on_committed(advanced); };
  events.on_fatal = [this](const Error& error) {
    say("fatal: {}", error.what);
    fatal_ = true;
  };
  auto opened = broker::Store::open(disk_, config_, std::move(events), now_);
  if (!opened) {
    say("open failed: {}", opened.error().what);
    // A full disk, a failed sync or write may refuse the start; nothing else may.
    const bool excused = full_ || frozen_ || opened.error().code == Code::io || opened.error().code == Code::full;
    if (!excused) fail("open: " + opened.error().what);
    store_.reset();
    return;
  }
  store_ = std::move(*opened);
  say("open: epoch {}", store_->identity().epoch.value());
}

void StoreSim::on_committed(std::span<Partition* const> advanced) {
  if (frozen_) return;  // the process is dead already
  for (auto& [number, model] : model_) model.acknowledged_before = model.acknowledged;
  for (Partition* const p : advanced) {
    const int number = std::to_integer<int>(p->id().topic[15]);
    auto& model = model_.at(number);
    expect(!fatal_, StoreCheck::acknowledged, "something was committed after the disk failed");
    expect(p->committed().value() > model.acknowledged, StoreCheck::monotonic, "committed did not advance");
    model.acknowledged = p->committed().value();
    say("p{} committed {}", number, model.acknowledged);
  }
}

std::optional<std::pair<int, Partition*>> StoreSim::pick() {
  std::vector<int> numbers;
  for (auto& [number, model] : model_)
    if (!model.removing && !model.damaged) numbers.push_back(number);
  if (numbers.empty()) return std::nullopt;
  const int number = numbers[random_.below(numbers.size())];
  Partition* const p = store_->find(partition_id(number));
  if (!p) {
    fail(fmt::format("p{} is not there", number));
    return std::nullopt;
  }
  return std::pair{number, p};
}

BatchSpec StoreSim::next_batch(ModelPartition& model) {
  BatchSpec spec;
  spec.records = static_cast<int>(random_.between(1, 8));
  spec.value_bytes =
      static_cast<std::size_t>(chance(1, 12) ? random_.between(5'000, 40'000) : random_.between(0, 300)) /
      static_cast<std::size_t>(spec.records);
  // Whatever a client says: retention goes by when it came.
  spec.timestamp = wall_.value() + (chance(1, 4) ? random_.between(-2'000'000'000, 2'000'000'000) : 0);
  spec.fill = static_cast<char>(random_.between('a', 'z'));
  if (chance(1, 3)) return spec;
  const std::int64_t number = random_.between(1, 6);
  const std::int64_t id = chance(1, 2) ? number : (std::int64_t{1} << 62) + number;
  spec.producer = ProducerId{id};
  spec.epoch = 0;
  spec.sequence = model.next_sequence[id];
  if (auto& sent = model.sent[id]; !sent.empty() && chance(1, 5)) spec = sent[random_.below(sent.size())];
  return spec;
}

void StoreSim::append() {
  const auto picked = pick();
  if (picked) append_to(picked->first, model_[picked->first], *picked->second);
}

void StoreSim::append_to(int number, ModelPartition& model, Partition& p) {
  const BatchSpec spec = next_batch(model);
  Buffer batch = make_batch(spec);
  const auto header = *record::parse_header(batch);
  const std::uint32_t crc = header.crc;
  const auto answer = p.append(batch, broker::Appender::client, wall_);
  say("p{} append {} records of {} at {} -> {} at {}{}", number, spec.records, spec.producer.value(), spec.sequence,
      answer.error, answer.base_offset.value(), answer.duplicate ? " again" : "");
  if (answer.error == 56 && !p.damage().empty()) {
    model.damaged = true;
    expect(flips_ > 0, StoreCheck::damage, "damage without a flipped bit: " + p.damage());
    return;
  }
  if (answer.error == 56 || answer.error == 7) return;
  const bool resent = spec.producer != no_producer && spec.sequence != model.next_sequence[spec.producer.value()];
  if (resent) {
    // One of the last five that the model has in the log; it may have been lost with a crash, then it is new again.
    expect(answer.error == 0 && answer.duplicate, StoreCheck::duplicate,
           fmt::format("p{}: a batch that came again got error {}", number, answer.error));
    const bool known = std::any_of(model.batches.begin(), model.batches.end(),
                                   [&](const auto& b) { return b.base == answer.base_offset.value() && b.crc == crc; });
    expect(known || answer.base_offset.value() < model.log_start, StoreCheck::duplicate,
           "a duplicate was answered with another batch's offset");
    expect(answer.commit_at.value() == answer.base_offset.value() + spec.records, StoreCheck::duplicate,
           "a duplicate waits for another commit than its own");
    return;
  }
  if (!expect(answer.error == 0 && !answer.duplicate, StoreCheck::order,
              fmt::format("p{}: append got error {}", number, answer.error)))
    return;
  expect(answer.base_offset.value() == model.end(), StoreCheck::order, "appended elsewhere than at the end");
  ModelBatch made;
  made.base = answer.base_offset.value();
  made.end = answer.commit_at.value();
  made.appended_ms = wall_.value();
  made.bytes = static_cast<std::int64_t>(batch.size());
  made.crc = crc;
  made.youngest = header.max_timestamp;
  made.epoch = store_->identity().epoch;
  made.producer = {spec.producer, ProducerEpoch{static_cast<std::int16_t>(spec.epoch)}, Sequence{spec.sequence},
                   spec.records, answer.base_offset};
  made.spec = spec;
  model.batches.push_back(made);
  if (spec.producer != no_producer) {
    auto& sent = model.sent[spec.producer.value()];
    sent.push_back(spec);
    if (sent.size() > Producers::window) sent.pop_front();
    model.next_sequence[spec.producer.value()] = (Sequence{spec.sequence} + spec.records).value();
  }
}

bool StoreSim::check_bytes(const ModelPartition& model, Bytes bytes, std::int64_t from, const char* where) {
  while (auto batch = record::next_batch(bytes)) {
    const auto header = *record::parse_header(*batch);
    const auto it = std::lower_bound(model.batches.begin(), model.batches.end(), header.base_offset.value(),
                                     [](const ModelBatch& b, std::int64_t base) { return b.base < base; });
    // An epoch that rose by a flipped bit a start may believe: docs/SIMULATION.md.
    const bool in_epoch = it != model.batches.end() &&
                          (it->epoch == header.leader_epoch || (flips_ > 0 && it->epoch < header.leader_epoch));
    const bool same = in_epoch && it->base == header.base_offset.value() && it->crc == header.crc &&
                      record::compute_crc(*batch) == header.crc && header.next_offset().value() == it->end;
    if (!expect(same, StoreCheck::content, fmt::format("{}: another batch at {}", where, header.base_offset.value())))
      return false;
    if (!expect(it->base <= from && from < it->end, StoreCheck::order,
                fmt::format("{}: {} does not follow", where, it->base)))
      return false;
    from = it->end;
  }
  return true;
}

void StoreSim::read_some() {
  const auto picked = pick();
  if (!picked) return;
  auto& [number, p] = *picked;
  ModelPartition& model = model_[number];
  if (p->committed() <= p->log_start()) return;
  const Offset from{random_.between(p->log_start().value(), p->committed().value() - 1)};
  const auto read = p->read(from, static_cast<std::size_t>(random_.between(1, 20'000)), true, p->committed());
  if (!p->damage().empty()) {
    model.damaged = true;
    expect(flips_ > 0, StoreCheck::damage, "damage without a flipped bit: " + p->damage());
    return;
  }
  if (!expect(
          read.error == 0 && !read.batches.empty(), StoreCheck::read,
          fmt::format("p{}: read at {}: error {}, {} bytes", number, from.value(), read.error, read.batches.size())))
    return;
  expect(read.next.value() <= model.acknowledged || frozen_, StoreCheck::read, "read beyond what was committed");
  check_bytes(model, read.batches, from.value(), "read");
}

void StoreSim::create_one() {
  if (model_.size() <= 6) create(next_partition_++);
}

void StoreSim::create(int number) {
  broker::TopicSettings settings;
  settings.segment_bytes = static_cast<std::int32_t>(random_.between(60'000, 200'000));
  if (chance(1, 2)) settings.segment_bytes = static_cast<std::int32_t>(random_.between(45'000, 60'000));
  if (chance(1, 3)) settings.retention_bytes = random_.between(10'000, 200'000);
  if (chance(1, 3)) settings.retention_ms = random_.between(10'000, 3'600'000);
  if (chance(1, 3)) settings.segment_ms = random_.between(1'000, 600'000);
  settings.cleanup_compact = chance(1, 4);  // of records without keys: all stay what they are
  settings.min_cleanable_dirty_percent = static_cast<std::int32_t>(random_.between(1, 50));
  auto made = store_->create(partition_id(number), settings);
  say("create p{}: {}", number, made ? "ok" : made.error().what);
  if (!made) return;
  gone_.erase(number);
  model_[number].settings = settings;
  store_->when_durable([this, number] {
    if (!frozen_ && model_.contains(number)) model_[number].create_durable = true;
  });
}

void StoreSim::remove_one() {
  const auto picked = pick();
  if (!picked || model_.size() < 2) return;
  const int number = picked->first;
  say("remove p{}", number);
  store_->remove(partition_id(number));
  model_[number].removing = true;
  store_->when_durable([this, number] {
    if (frozen_) return;
    model_.erase(number);
    gone_.insert(number);
  });
}

void StoreSim::time_passes() {
  const Duration step = milliseconds(random_.between(0, chance(1, 10) ? 600'000 : 3'000));
  now_ = now_ + step;
  wall_ = wall_ + step;
  result_.simulated = Duration{result_.simulated.value() + step.value()};
  if (weather_.jumps && chance(1, 50)) {
    fault(StoreFault::clock_jump);
    wall_ = wall_ + milliseconds(random_.between(-7'200'000, 7'200'000));
  }
  if (now_ < store_->deadline()) return;
  store_->tick(now_, wall_);
  note_forgotten();
}

// What the store lets go of it says itself; once that is durable it must stay so.
void StoreSim::note_forgotten() {
  if (frozen_ || fatal_) return;
  for (auto& [number, model] : model_) {
    Partition* const p = store_->find(partition_id(number));
    if (p == nullptr || model.removing || model.damaged) continue;
    const std::size_t before = model.forgotten.size();
    for (const auto& horizon : p->log().horizons) {
      const Forgotten told{horizon.at.value(), horizon.before.value(), static_cast<broker::ProducerKind>(horizon.kind)};
      if (std::ranges::find(model.forgotten, told) == model.forgotten.end()) model.forgotten.push_back(told);
    }
    if (model.forgotten.size() == before) continue;
    replay(model, model.forgotten);
    store_->when_durable([this, number, count = model.forgotten.size()] {
      if (!frozen_ && model_.contains(number)) model_[number].forgotten_durably = count;
    });
  }
}

void StoreSim::check_numbers() {
  if (frozen_ || !store_) return;
  for (auto& [number, model] : model_) {
    if (model.removing) continue;
    Partition* const p = store_->find(partition_id(number));
    if (!expect(p != nullptr, StoreCheck::monotonic, "a partition vanished")) return;
    if (!p->damage().empty()) {
      model.damaged = true;
      expect(flips_ > 0, StoreCheck::damage, "damage without a flipped bit: " + p->damage());
      continue;
    }
    expect(p->log_start().value() >= model.log_start, StoreCheck::monotonic,
           fmt::format("p{}: log start {} went back to {}", number, model.log_start, p->log_start().value()));
    if (p->log_start().value() > model.log_start) check_retention(number, model, p->log_start().value());
    model.log_start = p->log_start().value();
    expect(p->log_start() <= p->committed() && p->committed() <= p->flushed() && p->flushed() <= p->end(),
           StoreCheck::monotonic, "start <= committed <= flushed <= end");
    expect(p->committed().value() == model.acknowledged, StoreCheck::monotonic, "committed without being told");
    expect(p->end().value() == model.end(), StoreCheck::monotonic, "end is not where the model's is");
  }
}

// What went without being asked for was old enough, or there is enough without it. Where clocks have jumped nobody can
// tell.
void StoreSim::check_retention(int number, const ModelPartition& model, std::int64_t start) {
  if (result_.faults[static_cast<std::size_t>(StoreFault::clock_jump)] > 0) return;
  std::int64_t behind = 0;
  for (auto batch = model.batches.rbegin(); batch != model.batches.rend() && batch->end > model.log_start; ++batch) {
    const std::int64_t age = wall_.value() - batch->appended_ms;
    const bool old = model.settings.retention_ms >= 0 && age > model.settings.retention_ms;
    const bool enough = model.settings.retention_bytes >= 0 && behind >= model.settings.retention_bytes;
    const auto why = [&] {
      return fmt::format("p{}: retention took {} to {}, appended {} ms ago, {} bytes before the end", number,
                         batch->base, batch->end, age, behind);
    };
    if (batch->base < start && !expect(old || enough, StoreCheck::retention, why())) return;
    behind += batch->bytes;
  }
}

// On a slow disk what is synced in the background may wait while many rounds pass: then the journal fills up before a
// checkpoint has ended.
void StoreSim::complete_sync() {
  if (disk_.pending() == 0) return;
  const std::size_t of_round = disk_.first_of_round();
  if (!weather_.slow)
    disk_.complete(random_.below(disk_.pending()));
  else if (of_round < disk_.pending() && chance(31, 32))
    disk_.complete(of_round);
  else if (chance(1, 32))
    disk_.complete(random_.below(disk_.pending()));
  else
    fault(StoreFault::slow_sync);
}

void StoreSim::step() {
  const auto dice = random_.below(100);
  if (weather_.within && freeze_after_ == 0 && chance(1, 80))
    freeze_after_ = static_cast<std::uint64_t>(random_.between(1, 40));
  if (dice < 40)
    append();
  else if (!gone_.empty() && options_.left_out.empty() && chance(1, 16))
    create(*gone_.rbegin());  // of that id again; refused for as long as the journal tells of the other
  else if (dice < 52)
    store_->end_of_turn();
  else if (dice < 72) {
    complete_sync();
  } else if (dice < 82)
    read_some();
  else if (dice < 92)
    time_passes();
  else if (dice < 93)
    create_one();
  else if (dice < 94 && chance(1, 4))
    remove_one();
  else if (dice < 95) {
    if (const auto picked = pick(); picked && chance(1, 3) && !frozen_) {
      const Offset to{random_.between(picked->second->log_start().value(), picked->second->committed().value())};
      say("p{} delete records below {}", picked->first, to.value());
      expect(picked->second->delete_records(to), StoreCheck::monotonic, "delete_records refused");
      ModelPartition& model = model_[picked->first];
      model.log_start = std::max(model.log_start, to.value());
    }
  } else if (dice < 96) {
    if (weather_.sync_fails && chance(1, 10)) {
      fault(StoreFault::failed_sync);
      disk_.fail_next_sync();
    }
    if (weather_.write_fails && chance(1, 10)) {
      fault(StoreFault::failed_write);
      disk_.fail_next_write();
    }
  } else if (dice < 97) {
    if (weather_.fills && chance(1, 3)) {
      full_ = !full_;
      if (full_) fault(StoreFault::full_disk);
      say("disk {}", full_ ? "nearly full" : "has room");
      disk_.set_capacity(full_ ? disk_.used_bytes() + static_cast<std::uint64_t>(random_.between(0, 600'000))
                               : std::uint64_t{1} << 40);
    }
  } else if (dice < 99) {
    if ((weather_.kills || weather_.power) && chance(1, 4)) crash();
  }
  if (fatal_ || frozen_) crash();
}

void StoreSim::flip_at(const std::string& file, std::uint64_t byte, unsigned bit) {
  say("flip a bit of {} at {}", file, byte);
  disk_.flip_bit(file, byte, bit);
  fault(StoreFault::bit_flip);
  ++flips_;
  flipped_now_ = true;
  journal_flipped_now_ = file.starts_with("journal/");
}

void StoreSim::flip() {
  for (int tries = chance(1, 4) ? 20 : 0; tries > 0; --tries)
    if (const auto place = unchecked_bit(disk_, random_)) return flip_at(place->file, place->byte, place->bit);
  std::vector<std::string> files;
  for (auto& file : disk_.files()) {
    if (file.starts_with("partitions/") || file.starts_with("journal/") || file.starts_with("checkpoint"))
      files.push_back(file);
  }
  if (files.empty()) return;
  const std::string& file = files[random_.below(files.size())];
  const std::size_t size = disk_.contents(file)->size();
  if (size == 0) return;
  // Most of a journal file is of the past.
  flip_at(file, random_.below(size), static_cast<unsigned>(random_.below(8)));
}

void StoreSim::crash() {
  if (frozen_) fault(StoreFault::crash_within);
  const bool power = weather_.power && (!weather_.kills || chance(1, 2));
  if (!frozen_ && !fatal_ && options_.left_out.empty() && chance(1, 4)) {
    say("clean stop");
    store_->close([](Status) {});
    disk_.complete_all();
  }
  store_.reset();
  fault(power ? StoreFault::power_cut : StoreFault::kill);
  say("{}{}", power ? "power cut" : "kill", frozen_ ? ", between two effects" : "");
  freeze_after_ = 0;
  power ? disk_.power_cut(random_, weather_.survival) : disk_.kill();
  frozen_ = false;
  flipped_now_ = journal_flipped_now_ = false;
  if (weather_.flips && chance(1, 3)) flip();
  for (int tries = 0; tries < 20 && result_.failure.empty(); ++tries) {
    if (weather_.within && chance(1, 4)) freeze_after_ = static_cast<std::uint64_t>(random_.between(1, 60));
    open();
    freeze_after_ = 0;
    if (store_ && !frozen_) break;
    store_.reset();
    weather_.power&& chance(1, 2) ? disk_.power_cut(random_, weather_.survival) : disk_.kill();
    frozen_ = false;
    if (tries > 5 && full_) {
      full_ = false;
      disk_.set_capacity(std::uint64_t{1} << 40);
    }
  }
  if (!store_) return fail("the store does not open any more");
  after_crash();
}

// What was acknowledged must be there; of the rest, a beginning may be.
void StoreSim::after_crash() {
  for (auto it = model_.begin(); it != model_.end();) {
    auto& [number, model] = *it;
    Partition* const p = store_->find(partition_id(number));
    if (!p) {
      // The round that made it may be the latest one, where a flipped bit passes for a torn tail.
      const bool may = model.removing || !model.create_durable || flipped_now_;
      // Where its creation stands in the journal only, and that was flipped, nothing knows of it but its name, which a
      // power cut may have taken (seed 74580 of 7ecc951). A checkpoint would have told of it.
      const std::int64_t must = journal_flipped_now_ ? 0
                                : flipped_now_       ? model.acknowledged_before
                                                     : model.acknowledged;
      if (!expect(may && (model.removing || must == 0), StoreCheck::acknowledged, fmt::format("p{} is gone", number)))
        return;
      it = model_.erase(it);
      continue;
    }
    if (model.removing) {
      // Its removal was not durable yet, but checkpoints leave it out already. The server, whose metadata say that it
      // is gone, removes it again.
      store_->remove(partition_id(number));
      store_->when_durable([this, gone = number] {
        if (!frozen_) model_.erase(gone);
      });
      ++it;
      continue;
    }
    model.create_durable = true;
    p->set_settings(model.settings);
    if (!p->damage().empty()) {
      model.damaged = true;
      expect(flips_ > 0, StoreCheck::damage,
             fmt::format("p{} is damaged without a flipped bit: {}", number, p->damage()));
    }
    // What was found damaged while it ran is found again when it is read: until then it goes on.
    if (model.damaged) model.log_start = p->log_start().value();
    if (!model.damaged) compare(number, model, *p);
    ++it;
    if (!result_.failure.empty()) return;
  }
}

void StoreSim::compare(int number, ModelPartition& model, Partition& p) {
  const std::int64_t must = flipped_now_ ? model.acknowledged_before : model.acknowledged;
  if (!expect(p.end().value() >= must, StoreCheck::acknowledged,
              fmt::format("p{} ends at {}, {} was acknowledged", number, p.end().value(), must)))
    return;
  if (!expect(p.end().value() <= model.end(), StoreCheck::acknowledged,
              fmt::format("p{} ends at {}, only {} was appended", number, p.end().value(), model.end())))
    return;
  // Moved log start may have been lost with its round, or not.
  model.log_start = p.log_start().value();
  while (!model.batches.empty() && model.batches.back().base >= p.end().value()) model.batches.pop_back();
  expect(model.end() == p.end().value() || model.batches.empty(), StoreCheck::order,
         fmt::format("p{} ends at {}, within a batch that ends at {}", number, p.end().value(), model.end()));
  model.acknowledged = model.acknowledged_before = p.committed().value();
  std::int64_t at = p.log_start().value();
  while (at < p.committed().value()) {
    const auto read = p.read(Offset{at}, 1 << 16, true, p.committed());
    if (!p.damage().empty()) {
      model.damaged = true;
      expect(flips_ > 0, StoreCheck::damage, "damage without a flipped bit: " + p.damage());
      return;
    }
    if (!expect(read.error == 0 && !read.batches.empty(), StoreCheck::acknowledged,
                fmt::format("p{}: {} cannot be read: {}", number, at, read.error)))
      return;
    if (!check_bytes(model, read.batches, at, "after the crash")) return;
    at = read.next.value();
  }
  compare_producers(number, model, p);
  compare_youngest(number, model, p);
}

// What the log and what was forgotten leave of its producers; and what each of them may send now.
Producers StoreSim::replay(ModelPartition& model, std::span<const Forgotten> forgotten) {
  Producers replayed;
  model.sent.clear();
  model.next_sequence.clear();
  const auto forget = [&](std::int64_t up_to) {
    for (; !forgotten.empty() && forgotten.front().at <= up_to; forgotten = forgotten.subspan(1))
      replayed.forget(forgotten.front().kind, Offset{forgotten.front().before});
    const auto gone = [&](const auto& each) { return replayed.last_offset(ProducerId{each.first}) < Offset{0}; };
    std::erase_if(model.sent, gone);
    std::erase_if(model.next_sequence, gone);
  };
  for (const auto& batch : model.batches) {
    if (!forgotten.empty() && forgotten.front().at <= batch.base) forget(batch.base);
    if (batch.producer.id == no_producer) continue;
    replayed.apply(batch.producer);
    auto& sent = model.sent[batch.producer.id.value()];
    sent.push_back(batch.spec);
    if (sent.size() > Producers::window) sent.pop_front();
    model.next_sequence[batch.producer.id.value()] = (batch.producer.first + batch.producer.count).value();
  }
  forget(model.end());
  return replayed;
}

// Of what was not durably forgotten a crash may have left a beginning.
void StoreSim::compare_producers(int number, ModelPartition& model, Partition& p) {
  const Buffer found = p.log().producers.snapshot();
  for (auto& each : model.forgotten) {  // by a manifest that tells of batches which did not come to be
    each.at = std::min(each.at, model.end());
    each.before = std::min(each.before, each.at);
  }
  const std::size_t durably = flips_ > 0 ? 0 : model.forgotten_durably;
  bool same = false;
  for (std::size_t count = model.forgotten.size(); !same; --count) {
    same = replay(model, std::span(model.forgotten).first(count)).snapshot() == found;
    if (same) model.forgotten.resize(count);
    if (count <= durably) break;
  }
  model.forgotten_durably = std::min(model.forgotten_durably, model.forgotten.size());
  expect(same, StoreCheck::producers, fmt::format("p{}: producers are not those of the log", number));
}

void StoreSim::compare_youngest(int number, ModelPartition& model, Partition& p) {
  std::int64_t youngest = -1;
  for (auto batch = model.batches.rbegin(); batch != model.batches.rend() && batch->end > model.log_start; ++batch)
    if (batch->end <= p.committed().value()) youngest = std::max(youngest, batch->youngest);
  const auto told = p.max_timestamp(p.committed());
  if (!p.damage().empty()) {
    model.damaged = true;
    expect(flips_ > 0, StoreCheck::damage, "damage without a flipped bit: " + p.damage());
    return;
  }
  expect(told.error == 0 && told.timestamp == youngest, StoreCheck::read,
         fmt::format("p{}: {} of time {} is told to be the youngest, one has {}", number, told.offset.value(),
                     told.timestamp, youngest));
}

void StoreSim::liveness() {
  weather_ = {};
  freeze_after_ = 0;
  disk_.no_faults();
  disk_.set_capacity(std::uint64_t{1} << 40);
  full_ = false;
  for (int round = 0; round < 20; ++round) {
    now_ = now_ + seconds(70);
    wall_ = wall_ + seconds(70);
    store_->tick(now_, wall_);
    note_forgotten();
    disk_.complete_all();
    if (fatal_) crash();
    if (!result_.failure.empty()) return;
  }
  for (auto& [number, model] : model_) {
    Partition* const p = store_->find(partition_id(number));
    if (!p || model.removing || model.damaged) continue;
    append_to(number, model, *p);
  }
  store_->end_of_turn();
  disk_.complete_all();
  check_numbers();
  for (auto& [number, model] : model_) {
    Partition* const p = store_->find(partition_id(number));
    if (!p || model.removing || model.damaged) continue;
    expect(p->committed() == p->end(), StoreCheck::progress,
           fmt::format("p{} stands at {} of {}", number, p->committed().value(), p->end().value()));
    compare(number, model, *p);
  }
}

// Long after the last append only what settings keep is there.
void StoreSim::retention_ends() {
  static constexpr Duration long_after = seconds(4 * 3600);
  for (int i = 0; i < 4; ++i) {
    now_ = now_ + long_after;
    wall_ = wall_ + long_after;
    store_->tick(now_, wall_);
    note_forgotten();
    disk_.complete_all();
    check_numbers();
  }
  for (auto& [number, model] : model_) {
    Partition* const p = store_->find(partition_id(number));
    if (!p || model.removing || model.damaged || fatal_) continue;
    if (model.settings.retention_ms >= 0 && model.settings.retention_ms < to_millis(long_after))
      expect(p->log_start() == p->end(), StoreCheck::retention,
             fmt::format("p{}: {} to {} are still there when all is too old", number, p->log_start().value(),
                         p->end().value()));
    if (model.settings.retention_bytes < 0) continue;
    std::int64_t first = 0, kept = 0;  // without what is deleted and waits for a snapshot
    for (const auto& segment : p->log().segments) {
      if (segment.info.end <= p->log_start()) continue;
      kept += static_cast<std::int64_t>(segment.info.size);
      if (first == 0) first = kept;
    }
    expect(kept == first || kept - first < model.settings.retention_bytes, StoreCheck::retention,
           fmt::format("p{} keeps {} bytes, the oldest segment has {} of them", number, kept, first));
  }
}

StoreSimResult StoreSim::run() {
  draw();
  open();
  create_one();
  const int steps = static_cast<int>(random_.between(200, 800));
  for (int i = 0; i < steps && result_.failure.empty(); ++i) {
    step();
    if (result_.failure.empty()) check_numbers();
  }
  if (result_.failure.empty()) liveness();
  if (result_.failure.empty() && options_.left_out.empty()) retention_ends();
  store_.reset();
  disk_.on_operation(nullptr);
  if (sites_) result_.sync_calls = sites_->calls();
  return result_;
}

}  // namespace

StoreSimResult run_store_sim(std::uint64_t seed, const StoreTrace& trace, const StoreSimOptions& options) {
  return StoreSim(seed, trace, options).run();
}

}  // namespace edgelog::testing

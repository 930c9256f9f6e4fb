// The broker's process: how it starts, dies and stops; its disk; time.
#include <algorithm>

#include "cloud-broker/server/handlers/table.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using testing::Survival;

World::World(std::uint64_t seed, Trace& trace)
    : random_(seed), trace_(trace), model_([this](std::string why) { fail(std::move(why)); }) {}

void World::fail(std::string why) {
  if (failed()) return;
  say("FAILED: {}", why);
  failure_ = std::move(why);
}

void World::draw() {
  const auto draw = [&] { return chance(1, 2); };
  weather_ = {draw(),       draw(),       draw(),       draw(), chance(1, 4), chance(1, 6),
              chance(1, 4), chance(1, 3), chance(1, 4), draw(), draw(),       chance(1, 3)};
  weather_.survival = chance(1, 2) ? Survival::mixed : chance(3, 4) ? Survival::nothing : Survival::everything;
  careful_ = weather_.fills || weather_.write_fails;
  session_ = seconds(random_.between(6, 40));
  group_.session(session_);
  bulk_ = chance(1, 3);
  settings_.controller.offsets_partitions = static_cast<std::int32_t>(random_.between(1, 2));
  settings_.controller.producer_id_block = random_.between(1, 4);
  settings_.auto_create_topics = false;
  store_.journal_files = static_cast<std::uint32_t>(random_.between(2, 4));
  store_.journal_file_bytes = 64 << 10;
  store_.direct_bytes = static_cast<std::uint64_t>(random_.between(100, 20'000));
  store_.direct_partitions_max = static_cast<std::uint32_t>(random_.between(1, 3));
  heavy_ = chance(1, 8);
  if (heavy_) {
    weather_.slow = true;
    store_.direct_bytes = 1 << 20;
    store_.direct_partitions_max = 1;
  }
  store_.free_bytes_min = 256 << 10;
  store_.open_files_max = 64;
  store_.maintenance_interval = seconds(random_.between(1, 60));
  store_.checkpoint_idle = milliseconds(random_.between(100, 5000));
  disk_.on_operation([this](std::string_view, std::string_view) {
    if (freeze_after_ != 0 && --freeze_after_ == 0) {
      frozen_ = true;
      disk_.freeze();
    }
  });
  disk_.on_sync([this](const testing::SyncCall& call) {
    if (call.when == testing::SyncWhen::round && call.path.starts_with("journal/") && !call.path.ends_with('/'))
      model_.round_passes();
    return false;
  });
}

void World::start() {
  fatal_ = turn_ = false;
  was_full_ = full_;
  edgelog::broker::ShardPorts ports{disk_, *this, [this] { turn_ = true; },
                                    [this](const Error& error) {
                                      say("fatal: {}", error.what);
                                      fatal_ = true;
                                    }};
  auto made = edgelog::broker::Shard::start(std::move(ports), settings_, store_, edgelog::broker::handler_table(),
                                            1000 + starts_++, at_);
  if (made && disk_.sync_failed() && !frozen_ && !fatal_) fail("it started although a sync failed");
  if (made) {
    shard_ = std::move(*made);
    group_.restarted();
    say("started");
    return;
  }
  const Error& why = made.error();
  say("start failed: {}", why.what);
  shard_.reset();
  if (frozen_ || full_ || why.code == Code::full || why.code == Code::io) return;
  refused_ = true;
  model_.expect(model_.flips > 0, Check::damage, "it does not start without cause: " + why.what);
}

// What stands on the disk is not what was written: a bit, or a file is gone.
void World::flip() {
  fault(Fault::bit_flip);
  ++model_.flips;
  model_.soften();
  for (Producer& producer : producers_)  // its id may be handed out again
    if (producer.id >= 0 && !producer.edge && !model_.was_handed_out(producer.id)) renew(producer);
  if (chance(1, 5)) {
    std::vector<std::string> files;
    for (auto& file : disk_.files())
      if ((file.ends_with(".log") || file.ends_with(".producers")) && !disk_.contents(file)->empty())
        files.push_back(file);
    if (files.empty()) return;
    const std::string& file = any(files);
    say("{} is gone", file);
    fault(Fault::file_gone);
    return disk_.lose_file(file);
  }
  if (chance(1, 3)) {  // where it matters: what was written last
    std::vector<testing::SimDisk::Written> latest;
    for (const auto& each : disk_.latest_writes())
      if (const auto now = disk_.contents(each.path); now && each.at + each.bytes <= now->size())
        latest.push_back(each);
    if (!latest.empty()) {
      const auto& where = any(latest);
      const std::uint64_t byte = where.at + random_.below(std::min<std::uint64_t>(where.bytes, 400));
      say("flip a bit of {} at {}", where.path, byte);
      return disk_.flip_bit(where.path, byte, static_cast<unsigned>(random_.below(8)));
    }
  }
  std::vector<std::string> files;
  const auto which = random_.below(4);
  for (auto& file : disk_.files()) {
    const bool wanted =
        which == 0   ? file.ends_with(".producers")
        : which == 1 ? file.starts_with("journal/") || file.starts_with("partitions/") || file.starts_with("checkpoint")
                     : file.starts_with("journal/") || file.ends_with(".log");
    if (wanted && !disk_.contents(file)->empty()) files.push_back(file);
  }
  if (files.empty()) return;
  const std::string& file = any(files);
  const std::uint64_t byte = random_.below(disk_.contents(file)->size());
  say("flip a bit of {} at {}", file, byte);
  disk_.flip_bit(file, byte, static_cast<unsigned>(random_.below(8)));
}

void World::lose(bool power) {
  shard_.reset();
  freeze_after_ = 0;
  fault(power ? Fault::power_cut : Fault::kill);
  say("{}{}", power ? "power cut" : "kill", frozen_ ? ", between two effects" : "");
  power ? disk_.power_cut(random_, weather_.survival) : disk_.kill();
  frozen_ = fatal_ = false;
}

void World::crash() {
  draining_ = false;
  if (frozen_) fault(Fault::crash_within);
  lose(ending_ ? chance(1, 2) : weather_.power && (!weather_.kills || chance(1, 2)));
  for (auto& connection : connections_) drop(connection);
  if (weather_.flips && chance(1, 3)) flip();
  for (int tries = 0; tries < 20 && !failed() && !refused_; ++tries) {
    if (weather_.within && chance(1, 4)) freeze_after_ = static_cast<std::uint64_t>(random_.between(1, 60));
    if (weather_.sync_fails && chance(1, 20)) {
      fault(Fault::failed_sync);
      disk_.fail_next_sync();
    }
    start();
    freeze_after_ = 0;
    if (shard_ && !frozen_ && !fatal_) break;
    if (refused_ || failed()) return;
    lose(weather_.power && chance(1, 2));
    if (tries > 5 && full_) {
      full_ = false;
      disk_.set_capacity(std::uint64_t{1} << 40);
    }
  }
  if (failed() || refused_) return;
  if (!shard_) return fail("it does not start any more");
  audit();
}

void World::stop_cleanly() {
  if (frozen_ || fatal_ || full_) return;
  fault(Fault::clean_stop);
  say("clean stop");
  draining_ = true;
  shard_->drain();
  for (int i = 0; i < 10 && !shard_->idle(); ++i) {
    shard_->end_of_turn(at_);
    disk_.complete_all();
  }
  bool closed = false;
  shard_->close([&](Status status) { closed = static_cast<bool>(status); });
  disk_.complete_all();
  if (frozen_ || fatal_ || was_full_) return crash();
  model_.expect(closed, Check::progress, "a clean stop does not end");
  crash();
}

void World::complete_sync() {
  if (disk_.pending() == 0) return;
  if (weather_.slow && chance(1, 2)) return fault(Fault::slow_sync);
  disk_.complete(random_.below(disk_.pending()));
}

void World::time_passes(Duration by) {
  at_ = {at_.now + by, at_.wall + by};
  simulated_ = Duration{simulated_.value() + by.value()};
  if (weather_.jumps && chance(1, 50)) {
    fault(Fault::clock_jump);
    at_.wall = at_.wall + milliseconds(random_.between(-7'200'000, 7'200'000));
  }
  if (shard_->deadline() <= at_.now) shard_->wake(at_);
  nothing_overdue();
}

void World::faults_happen() {
  if (weather_.within && freeze_after_ == 0 && chance(1, 20))
    freeze_after_ = static_cast<std::uint64_t>(random_.between(1, 40));
  if (weather_.sync_fails && chance(1, 30)) {
    fault(Fault::failed_sync);
    disk_.fail_next_sync();
  }
  if (weather_.write_fails && chance(1, 30)) {
    fault(Fault::failed_write);
    was_full_ = true;  // a snapshot that cannot be written refuses the append, as a full disk does
    disk_.fail_next_write();
  }
  if (weather_.fills && chance(1, 8)) {
    full_ = !full_;
    if (full_) fault(Fault::full_disk);
    was_full_ |= full_;
    say("disk {}", full_ ? "nearly full" : "has room");
    disk_.set_capacity(full_ ? disk_.used_bytes() + static_cast<std::uint64_t>(random_.between(0, 600'000))
                             : std::uint64_t{1} << 40);
  }
  if (weather_.drops && chance(1, 2)) {
    Connection& connection = connections_[random_.below(connections_.size())];
    fault(Fault::dropped);
    say("connection {} is dropped", connection.id.value());
    drop(connection);
  }
  if (weather_.renews && chance(1, 8)) {
    fault(Fault::new_producer);
    renew(any(producers_));
  }
  if (weather_.stops && chance(1, 25)) return stop_cleanly();
  if ((weather_.kills || weather_.power) && chance(1, 8)) crash();
}

void World::step() {
  const auto dice = random_.below(100);
  if (dice < 30)
    clients_act();
  else if (dice < 48)
    at_some_connection(&World::deliver);
  else if (dice < 66) {
    if (turn_) {
      turn_ = false;
      shard_->end_of_turn(at_);
    }
  } else if (dice < 78)
    complete_sync();
  else if (dice < 90)
    at_some_connection(&World::answer);
  else if (dice < 96)
    time_passes(milliseconds(random_.between(0, chance(1, 10) ? 40'000 : 500)));
  else
    faults_happen();
  if (failed() || refused_) return;
  model_.expect(!disk_.sync_failed() || fatal_ || frozen_, Check::ended, "a sync failed and the process goes on");
  if (fatal_ || frozen_) crash();
}

SeedResult World::run() {
  draw();
  make_clients();
  start();
  const int steps = static_cast<int>(random_.between(800, chance(1, 8) ? 12'000 : 4000));
  for (int i = 0; i < steps && !failed() && !refused_; ++i) step();
  if (!failed() && !refused_) liveness();
  if (refused_) say("refused: an operator is needed");
  shard_.reset();
  disk_.on_operation(nullptr);
  disk_.on_sync(nullptr);
  SeedResult out;
  out.failure = failure_;
  out.simulated = simulated_;
  out.faults.assign(faults_.begin(), faults_.end());
  out.checks.assign(model_.checks.begin(), model_.checks.end());
  return out;
}

}  // namespace edgelog::sim::shard

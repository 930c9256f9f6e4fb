#include "cloud-broker/partition/store.h"

#include <algorithm>
#include <utility>

#include "cloud-broker/partition/store_state.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {

// A full disk has space again when the largest usual batch fits, and what is reserved with it: less would be full
// again with the next append, and say so only then.
constexpr std::uint64_t room_again = (1 << 20) + (256 << 10);

StoreState::StoreState(port::Disk& disk, StoreConfig config, StoreEvents events)
    : context(disk, std::move(config)), disk_(disk), events_(std::move(events)) {
  ASSERT(context.config.open_files_max >= 64);
  context.fail = [this](Error error) { fail(std::move(error)); };
}

StoreState::~StoreState() { *alive_ = false; }

Status StoreState::open(Instant now) {
  TRY(disk_.lock(disklog::lock_file));
  TRY(open_identity());
  TRY(recover());
  next_idle_check_ = now + context.config.checkpoint_idle;
  next_maintenance_ = now + context.config.maintenance_interval;
  std::size_t producers = 0;
  for (const auto& [id, partition] : partitions) producers += partition->log().producers.size();
  context.metrics.producer_ids.set(static_cast<std::int64_t>(producers));
  return Ok{};
}

Result<Partition*> StoreState::create(const PartitionId& id, const TopicSettings& settings) {
  const std::string path = disklog::partition_path(id);
  if (partitions.contains(id)) return Error{Code::exists, "create " + path + ": exists"};
  if (const auto gone = removed_.find(id); gone != removed_.end()) {
    if (!std::exchange(gone->second.asked, true)) when_durable([this] { begin_checkpoint(); });
    return Error{Code::exists, "create " + path + ": one of that id is being removed"};
  }
  if (!context.has_room(64 << 10)) return Error{Code::full, "create " + path + ": no space"};
  if (auto names = disk_.list(path); names && !names->empty())
    return Error{Code::exists, "create " + path + ": one of that id is being removed"};
  TRY(disk_.make_directory(path));
  auto log = std::make_unique<PartitionLog>(context, id);
  log->settings = settings;
  TRY(log->add_segment(Offset{0}, 0));
  context.change(id, disklog::MetaKind::created);
  auto& made = partitions[id] = std::make_unique<Partition>(std::move(log));
  context.metrics.partitions.set(static_cast<std::int64_t>(partitions.size()));
  return made.get();
}

Partition* StoreState::find(const PartitionId& id) {
  const auto it = partitions.find(id);
  return it == partitions.end() ? nullptr : it->second.get();
}

void StoreState::remove(const PartitionId& id) {
  const auto it = partitions.find(id);
  if (it == partitions.end()) return;
  PartitionLog& log = it->second->log();
  log.removed = true;
  context.pending_bytes -= log.pending_bytes;
  log.pending.clear();
  log.pending_bytes = 0;
  std::erase(context.dirty, &log);
  log.forget_files();
  context.change(id, disklog::MetaKind::removed);
  context.doomed.push_back(log.path() + "/");
  removed_[id] = {};
  when_durable([this, id] { removed_[id].round = durable_round_; });
  if (!log.why_damaged.empty()) context.metrics.damaged_partitions.set(context.metrics.damaged_partitions.value() - 1);
  graveyard_.push_back(std::move(it->second));  // a round or checkpoint under way may still name it
  partitions.erase(it);
  context.metrics.partitions.set(static_cast<std::int64_t>(partitions.size()));
}

void StoreState::sweep() {
  if (!round_ && !checkpoint_) graveyard_.clear();
}

void StoreState::fail(Error error) {
  if (failed_) return;
  failed_ = true;
  LOG(error, "the disk failed, nothing is acknowledged any more: {}", error.what);
  if (events_.on_fatal) events_.on_fatal(error);
}

void StoreState::trouble(const Error& error) {
  if (error.code != Code::full) return fail(error);
  if (!context.full) LOG(warning, "commits wait for space: {}", error.what);
  context.set_full(true);
}

void StoreState::maintain(WallMillis wall) {
  std::size_t producers = 0;
  PartitionLog* most = nullptr;
  bool trim_waits = false;
  for (auto& [id, partition] : partitions) {
    PartitionLog& log = partition->log();
    log.retain(wall);
    log.expire_producers(wall);
    trim_waits |= log.trim_waits;
    producers += log.producers.size();
    if (most == nullptr || log.producers.size() > most->producers.size()) most = &log;
    if (log.settings.cleanup_compact) {
      if (auto compacted = log.compact(wall); !compacted) trouble(compacted.error());
    }
  }
  // Of the partition with the most, a sixteenth of all at once, so that it does not happen with every id.
  if (producers > context.config.producer_ids_max) {
    most->evict_producers(producers - context.config.producer_ids_max + context.config.producer_ids_max / 16);
  }
  // Under a steady small load neither the journal nor idleness asks for one.
  if (trim_waits && !checkpoint_) begin_checkpoint();
  context.metrics.producer_ids.set(static_cast<std::int64_t>(producers));
  context.metrics.pending_bytes.set(static_cast<std::int64_t>(context.pending_bytes));
}

void StoreState::tick(Instant now, WallMillis wall) {
  if (failed_ || closing_) return;
  if (context.full && context.has_room(room_again)) {
    context.set_full(false);
    LOG(info, "there is space again");
  }
  if (now >= next_maintenance_) {
    next_maintenance_ = now + context.config.maintenance_interval;
    maintain(wall);
  }
  if (now >= next_idle_check_) {
    next_idle_check_ = now + context.config.checkpoint_idle;
    if (!checkpoint_ && context.metrics.rounds.value() == rounds_at_tick_ && anything_dirty()) begin_checkpoint();
    rounds_at_tick_ = context.metrics.rounds.value();
  }
  start_round();
}

Instant StoreState::deadline() const {
  if (failed_ || closing_) return never;
  const bool watch = context.full || anything_dirty();
  return watch ? std::min(next_idle_check_, next_maintenance_) : next_maintenance_;
}

Store::Store(std::unique_ptr<StoreState> state) : state_(std::move(state)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(port::Disk& disk, StoreConfig config, StoreEvents events, Instant now) {
  auto state = std::make_unique<StoreState>(disk, std::move(config), std::move(events));
  TRY(state->open(now));
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

const StoreIdentity& Store::identity() const { return state_->context.identity; }
Result<Partition*> Store::create(const PartitionId& id, const TopicSettings& settings) {
  return state_->create(id, settings);
}
Partition* Store::find(const PartitionId& id) { return state_->find(id); }
void Store::remove(const PartitionId& id) { state_->remove(id); }

std::vector<Partition*> Store::all() {
  std::vector<Partition*> out;
  for (auto& [id, partition] : state_->partitions) out.push_back(partition.get());
  return out;
}

void Store::end_of_turn() { state_->start_round(); }
void Store::tick(Instant now, WallMillis wall) { state_->tick(now, wall); }
Instant Store::deadline() const { return state_->deadline(); }
void Store::close(std::function<void(Status)> done) { state_->close(std::move(done)); }
void Store::when_durable(std::function<void()> done) { state_->when_durable(std::move(done)); }
bool Store::full() const { return state_->context.full; }
bool Store::failed() const { return state_->failed(); }
const StoreMetrics& Store::metrics() const { return state_->context.metrics; }

}  // namespace edgelog::broker

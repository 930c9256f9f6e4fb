#include "tests/sim/edge/agent_node.h"

#include <algorithm>
#include <utility>

namespace edgelog::sim::edge {

using namespace agent;

namespace {

constexpr std::size_t streams = 3;  // climate, doors, gaps
int branches = 0;                   // across agents of one seed: reset by the first agent

Config make_config(const Plan& plan, int index) {
  Config config;
  config.agent = "site-" + std::to_string(index);
  config.batch_bytes = 700;
  config.round_linger = plan.round_linger;
  config.defaults.linger = seconds(1);
  if (plan.small_bound) config.defaults.bytes_max = 4'000;
  if (plan.small_age) config.defaults.age_max = seconds(60);
  StreamSettings doors = config.defaults;
  doors.linger = milliseconds(20);
  doors.priority = 1;
  doors.when_full = plan.when_full;
  if (plan.small_log) config.log_bytes_max = 14'000;
  config.handed_max = plan.handed_max;
  if (plan.small_sources) {  // what a device may still send of earlier boots is known
    config.sources_max = static_cast<std::uint32_t>(plan.devices) + 4;
    config.incarnations_max = 4;
  }
  config.streams["doors"] = doors;
  StreamSettings gaps = config.defaults;
  gaps.bytes_max = 1 << 20;
  gaps.age_max = seconds(1'000'000);
  config.streams[std::string(uplink::gaps_topic)] = gaps;
  return config;
}

}  // namespace

AgentNode::AgentNode(Base& base, const Plan& plan, Cloud& cloud, Checker& checker, int index)
    : base_(base), plan_(plan), cloud_(cloud), checker_(checker), index_(index), config_(make_config(plan, index)) {
  name_ = config_.agent;
  if (index == 0) branches = 0;
  branch_ = ++branches;
  checker_.set_store(index_, &store_);
}

void AgentNode::start() {
  if (core_) return;
  base_.say("{}: starts, branch {}", name_, branch_);
  ++life_;
  armed_ = never;
  opened_ = base_.now;
  handed_ = 0;
  checker_.started(index_);
  Persisted rows = store_.read();
  rows.lost = lost_;
  core_ = std::make_unique<Agent>(config_, std::move(rows), base_.random.next(), moment(), !lost_.empty());
  arm();
  base_.after(base_.between(milliseconds(10), seconds(2)), [this, life = life_] {
    if (life == life_ && core_) connect();
  });
  dropped_ = dropped_durable_ = 0;
  if (plan_.small_log || plan_.small_age) tend();
  if (short_of_space_) step(Usage{store_.bytes(), true});
}

void AgentNode::tend() {
  base_.after(seconds(1), [this, life = life_] {
    if (life != life_ || !core_) return;
    if (plan_.small_age) checker_.judge_ages(index_, store_, opened_);
    if (plan_.small_log) tell_usage();
    if (life == life_) tend();
  });
}

// By the log's bound only what is over it goes, once.
void AgentNode::tell_usage() {
  const std::uint64_t before = core_->counts().events_dropped;
  step(Usage{store_.bytes(), short_of_space_});
  if (!core_ || core_->counts().events_dropped == before || plan_.small_bound || plan_.small_age) return;
  base_.check(Check::gaps_not_false, store_.bytes() > config_.log_bytes_max, [&] {
    return fmt::format("{}: dropped by the log's bound, and the log takes {} bytes only", name_, store_.bytes());
  });
  base_.check(Check::gaps_not_false, dropped_ == dropped_durable_,
              [&] { return name_ + ": dropped by the log's bound, before what was dropped before is durable"; });
  dropped_ += core_->counts().events_dropped - before;
}

void AgentNode::crash() {
  if (!core_) return;
  base_.say("{}: dies", name_);
  judge_accounts();
  base_.injected(Fault::agent_crash);
  core_.reset();
  ++life_;
  cloud_.disconnect(name_);
  connected_ = false;
  // Did the transaction that was under way reach the disk?
  if (under_way_ && base_.random.chance(1, 2)) {
    base_.injected(Fault::agent_crash_in_commit);
    apply(*under_way_, nullptr);
  }
  under_way_.reset();
  if (plan_.batch_damaged > 0 && base_.random.chance(plan_.batch_damaged, 100) && store_.damage_any(base_.random))
    base_.injected(Fault::batch_damaged);
  if (plan_.log_damaged > 0 && base_.forger.chance(plan_.log_damaged, 100))
    if (const auto lost = store_.lose_any(base_.forger)) {
      base_.injected(Fault::agent_log_damaged);
      lost_.push_back(*lost);
    }
  taken_.clear();
  unacknowledged_.clear();
  base_.after(base_.between(milliseconds(100), seconds(20)), [this, life = life_] {
    if (life == life_) start();
  });
}

void AgentNode::keep_image() {
  if (!lost_.empty()) return;  // what will be named is not yet
  // Rule 12: two lives that choose a partition from different counts may choose different ones.
  if (plan_.partitions_added.value() > 0 && !store_.all_placed(streams)) return;
  images_.push_back(store_);
  if (images_.size() > 6)
    images_.erase(images_.begin() + static_cast<std::ptrdiff_t>(base_.random.below(images_.size() - 1)));
}

void AgentNode::restore_image() {
  if (images_.empty()) return;
  if (core_) crash();
  base_.injected(Fault::image_restored);
  // Another life may go on from the same image later: it stays. The present one may come back too.
  const Store before = store_;
  store_ = images_[base_.random.below(images_.size())];
  checker_.restored(branch_, store_);
  const bool kept = lost_.empty() && (plan_.partitions_added.value() == 0 || before.all_placed(streams));
  if (kept && base_.random.chance(1, 3)) images_.push_back(before);
  lost_.clear();
  branch_ = ++branches;
  base_.say("{}: put back to an older image, branch {}", name_, branch_);
}

void AgentNode::connect() {
  if (connected_ || !core_) return;
  connected_ = true;
  handed_ = 0;
  ++session_;
  base_.say("{}: connected", name_);
  checker_.connected(index_);
  Cloud::AgentLink link;
  link.session = session_;
  link.answers = [this](const uplink::Answers& answers) {
    if (!core_) return;
    checker_.answered(index_, answers);
    checker_.told_time(index_, answers.gateway_time);
    step(answers);
  };
  link.topics = [this](const uplink::TopicList& list) {
    if (!core_) return;
    checker_.told_time(index_, list.gateway_time);
    step(list);
  };
  cloud_.connect(name_, std::move(link));
  step(Connected{});
}

void AgentNode::cut_uplink(Duration wait) {
  if (!core_ || !connected_) return;
  base_.injected(Fault::uplink_cut);
  base_.say("{}: uplink cut for {} ms", name_, to_millis(wait));
  cloud_.disconnect(name_);
  connected_ = false;
  ++session_;
  step(Disconnected{});
  base_.after(wait, [this, life = life_] {
    if (life == life_ && core_) connect();
  });
}

void AgentNode::set_short_of_space(bool is) {
  if (is) base_.injected(Fault::short_of_space);
  if (std::exchange(short_of_space_, is) == is || !core_) return;
  base_.say("{}: {}short of space", name_, is ? "" : "no longer ");
  step(Usage{store_.bytes(), is});
}

void AgentNode::jump_clock() {
  base_.injected(Fault::agent_clock_jump);
  // A little wrong, or so much that anybody sees it: what lies between an agent cannot know (SIMULATION.md).
  const std::int64_t little = std::max<std::int64_t>(plan_.rules.memory.value() / 16, 1);
  skew_ = base_.random.chance(1, 2) ? Duration{base_.random.between(-little, std::min(little, seconds(20'000).value()))}
                                    : seconds(base_.random.between(-20'000, 20'000));
  if (skew_ > seconds(0) && skew_ < seconds(2'000) && skew_.value() > little) skew_ = seconds(2'000);
  base_.say("{}: its clock is {} s off", name_, to_millis(skew_) / 1000);
}

void AgentNode::heal() {
  healed_ = true;
  set_short_of_space(false);
  skew_ = Duration{0};
}

bool AgentNode::take(const Taken& taken, const FactPtr& fact) {
  if (!core_) return false;
  Effects effects;
  const bool pending =
      std::any_of(taken_.begin(), taken_.end(), [&](const auto& entry) { return entry.second.fact->id == fact->id; });
  const auto before = plan_.small_bound ? accounts() : std::map<std::string, std::int64_t>{};
  const Taking taking = core_->step(moment(), taken, effects);
  judge_room(taken, taking.outcome, before);
  checker_.judged(index_, store_, *fact, taking.outcome, pending);
  if (taking.outcome == Outcome::taken || taking.outcome == Outcome::repeat || taking.outcome == Outcome::dropped)
    unacknowledged_.insert(taken.ticket);
  for (std::size_t i = 0; i < taking.events.size(); ++i) {
    const Assigned& a = taking.events[i];
    if (a.stream != taken.events[i].stream) base_.fail(name_ + ": an event went to another stream");
    taken_[{a.stream, a.index}] = {fact, a.timestamp, taken.events[i].bytes};
  }
  if (taking.outcome == Outcome::blocked || taking.outcome == Outcome::later || taking.outcome == Outcome::dropped)
    base_.injected(Fault::stream_full);
  base_.say("{}: message {} of device {} boot {} number {}: outcome {}", name_, fact->id, fact->device, fact->boot,
            fact->number, static_cast<int>(taking.outcome));
  perform(std::move(effects));
  arm();
  return true;
}

bool AgentNode::says(const DeviceSays& says) {
  if (!core_) return false;
  base_.say("{}: {} boot {} says confirmed {} lost {}", name_, says.source.device, says.incarnation,
            says.confirmed_through, says.lost_through);
  step(says);
  return true;
}

void AgentNode::step(const Input& input) {
  Effects effects;
  core_->step(moment(), input, effects);
  perform(std::move(effects));
  arm();
}

void AgentNode::arm() {
  if (!core_) return;
  const Instant deadline = core_->deadline();
  if (deadline == never) return;
  const Instant due = std::max(deadline, base_.now + microseconds(1));
  if (armed_ != never && armed_ > base_.now && armed_ <= due) return;
  armed_ = due;
  base_.at(due, [this, life = life_, due] {
    if (life != life_ || armed_ != due || !core_) return;
    armed_ = never;
    step(Tick{});
  });
}

void AgentNode::perform(Effects effects) {
  bool low = false;  // something of less priority was published in this step
  for (const Effect& effect : effects) {
    if (!core_ || !base_.failure.empty()) return;
    if (!healed_ && plan_.crash_per_effect > 0 && base_.random.chance(plan_.crash_per_effect, 100'000)) return crash();
    if (const auto* c = std::get_if<Commit>(&effect)) {
      commit(c->transaction);
    } else if (const auto* p = std::get_if<PublishBatch>(&effect)) {
      base_.check(Check::priority_first, p->topic != "doors" || !low, [&] { return name_ + ": doors behind others"; });
      low = low || p->topic != "doors";
      publish(*p);
    } else if (const auto* f = std::get_if<PublishFence>(&effect)) {
      checker_.fencing(index_, f->topic, f->id);
      base_.say("{}: {} fences {:08x}", name_, f->topic, short_id(f->id));
      auto content = std::make_shared<Content>();
      content->producer = f->id;
      content->epoch = uplink::fence_epoch;
      content->fence = true;
      content->bytes = 90;
      content->crc = static_cast<std::uint32_t>(++fence_count_);
      content->records.push_back({f->id, EventIndex{-1}, f->timestamp, false, nullptr});
      if (connected_) cloud_.publish_up({name_, f->topic, f->partition, content, std::nullopt, branch_, base_.now});
      handed_over();
    } else if (const auto* l = std::get_if<PublishLook>(&effect)) {
      if (!l->request.check_only) checker_.looking(index_, l->topic);
      base_.say("{}: {} looks ({}{}) from {}", name_, l->topic, l->request.look_id,
                l->request.check_only ? ", check" : "", l->request.from.value());
      if (connected_)
        cloud_.publish_up({name_, l->topic, l->request.partition, nullptr, l->request, branch_, base_.now});
      handed_over();
    } else if (const auto* d = std::get_if<ConfirmDevice>(&effect)) {
      confirm(*d);
    } else if (const auto* a = std::get_if<Acknowledge>(&effect)) {
      checker_.acknowledged(index_, store_, a->ticket);
      if (const auto one = unacknowledged_.find(a->ticket); one != unacknowledged_.end()) unacknowledged_.erase(one);
    }
  }
}

void AgentNode::handed_over() {
  if (!connected_) return;
  ++handed_;
  base_.after(base_.between(microseconds(300), milliseconds(30)), [this, session = session_, life = life_] {
    if (life != life_ || session != session_ || !core_) return;
    --handed_;
    step(HandedOver{});
  });
}

void AgentNode::publish(const PublishBatch& effect) {
  base_.check(Check::bound_is_kept, handed_ < config_.handed_max,
              [&] { return fmt::format("{}: {} are on their way to the MQTT server", name_, handed_ + 1); });
  const Store::StoredBatch* stored = store_.batch(effect.batch.stream, effect.batch.first);
  const bool same = stored != nullptr && stored->row.producer == effect.batch.producer &&
                    stored->row.sequence == effect.batch.sequence && stored->row.last == effect.batch.last;
  if (same) {
    base_.say("{}: {} publishes {:08x} sequence {} events {}..{}", name_, effect.topic, short_id(effect.batch.producer),
              effect.batch.sequence, effect.batch.first.value(), effect.batch.last.value());
    if (stored->row.damaged) return base_.fail(name_ + ": publishes a damaged batch");
    checker_.published(index_, branch_, store_, effect, *stored->content);
    if (connected_)
      cloud_.publish_up({name_, effect.topic, effect.partition, stored->content, std::nullopt, branch_, base_.now});
  }
  handed_over();
}

void AgentNode::commit(const Transaction& transaction) {
  under_way_ = transaction;
  Duration wait = base_.between(microseconds(100), milliseconds(3));
  if (plan_.slow_disk && base_.chance(100)) wait = base_.between(milliseconds(10), seconds(3));
  base_.after(wait, [this, life = life_] {
    if (life != life_ || !core_ || !under_way_) return;
    const Transaction now = *under_way_;
    under_way_.reset();
    if (!healed_ && base_.chance(plan_.commit_fails)) {
      base_.injected(Fault::commit_failed);
      return step(CommitFailed{now.id});
    }
    std::vector<std::int32_t> sizes;
    apply(now, &sizes);
    if (base_.failure.empty()) step(Committed{now.id, sizes});
    if (plan_.small_log && base_.failure.empty() && life == life_ && core_) tell_usage();
  });
}

void AgentNode::apply(const Transaction& transaction, std::vector<std::int32_t>* sizes) {
  Store::Applied result = store_.apply(transaction, taken_);
  base_.say("{}: transaction of {} rows durable", name_, transaction.ops.size());
  if (!result.broken.empty()) return base_.fail("transaction: " + result.broken);
  checker_.applied(index_, branch_, store_, result);
  dropped_durable_ += checker_.dropped(result);
  if (!std::exchange(lost_, {}).empty())
    base_.check(Check::leaves_log_only_if_durable_or_named,
                std::any_of(result.gaps.begin(), result.gaps.end(), [](const Gap& gap) { return gap.stream == "*"; }),
                [&] { return name_ + ": its log was damaged, and no gap says so"; });
  for (const Op& op : transaction.ops)
    if (std::holds_alternative<DeleteSource>(op))
      base_.injected(Fault::source_forgotten);
    else if (std::holds_alternative<DeleteProducer>(op))
      checker_.forgot_id();
  for (const Op& op : transaction.ops)
    if (const auto* insert = std::get_if<InsertEvents>(&op))
      for (EventIndex at = insert->first; at <= insert->last; at = at + 1) taken_.erase({insert->stream, at});
  if (sizes != nullptr) *sizes = std::move(result.sealed_bytes);
}

bool AgentNode::quiet() const {
  if (!core_ || !core_->all_acknowledged() || !unacknowledged_.empty()) return false;
  const auto all = core_->status();
  return std::all_of(all.begin(), all.end(), [](const StreamStatus& s) { return s.state.state == 0; });
}

std::string AgentNode::describe() const {
  if (!core_) return name_ + " is down";
  std::string out = name_ + (connected_ ? "" : " (not connected)");
  for (const StreamStatus& s : core_->status())
    out += fmt::format("; {}: state {} {} oldest {} newest {} bytes {} in flight {}", s.state.topic,
                       static_cast<int>(s.state.state), s.waits_for, s.state.oldest.value(), s.state.newest.value(),
                       s.state.bytes, s.in_flight);
  return out;
}

}  // namespace edgelog::sim::edge

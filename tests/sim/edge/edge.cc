#include "tests/sim/edge/edge.h"

#include "tests/sim/edge/devices.h"
#include "tests/sim/edge/gateway_node.h"

namespace edgelog::sim::edge {
namespace {

constexpr Duration liveness_max = seconds(3600);
constexpr Duration liveness_min = seconds(25);  // the list of topics is told every ten

class World {
 public:
  World(std::uint64_t seed, Trace& trace)
      : base_(seed, trace),
        plan_(draw_plan(base_.random, base_.forger)),
        checker_(base_, plan_),
        log_(base_, plan_.rules),
        cloud_(base_, plan_) {
    log_.on_committed = [this](const Landed& l) {
      checker_.committed(l.topic, l.partition, l.base, l.content, l.branch, l.published);
    };
    log_.on_put_back = [this](const std::string& t, std::int32_t p, Offset from) { checker_.put_back(t, p, from); };
    log_.on_leader = [this](const std::string& t) { checker_.another_leader(t); };
    log_.on_retention = [this](const std::string& t, std::int32_t p, Offset start) { checker_.retention(t, p, start); };
    for (const char* topic : {"climate", "doors", "edgelog.gaps"}) log_.create(topic, plan_.partitions);
    for (std::size_t i = 0; i < 2; ++i)
      gateways_.push_back(std::make_unique<GatewayNode>(base_, plan_, cloud_, log_, i));
    for (auto& gateway : gateways_) gateway->attendance_changed = [this] { share_out(); };
    for (int i = 0; i < (plan_.two_agents ? 2 : 1); ++i) {
      agents_.push_back(std::make_unique<AgentNode>(base_, plan_, cloud_, checker_, i));
      sites_.push_back(std::make_unique<Site>(base_, plan_, checker_, *agents_.back(), i));
    }
  }

  SeedResult run() {
    describe();
    for (auto& gateway : gateways_) gateway->start();
    share_out();
    tell_topics();
    for (auto& agent : agents_) agent->start();
    faults();
    const Instant end = Instant{} + plan_.safety;
    while (base_.step(end)) {
    }
    if (base_.failure.empty()) live();
    return {base_.failure, base_.now - Instant{}, base_.faults, base_.checks};
  }

 private:
  void describe() {
    base_.say("plan: {} devices, {} partitions, {} s, {} rules, memory {} s, retention {} s, bound {}, age {}",
              plan_.devices, plan_.partitions, to_millis(plan_.safety) / 1000,
              plan_.rules.kafka ? "Kafka's" : "cloud-broker's", to_millis(plan_.rules.memory) / 1000,
              to_millis(plan_.rules.retention) / 1000, plan_.small_bound, plan_.small_age);
  }

  // Runs `what` again and again, at random times with this mean, while faults are injected.
  void every(Duration mean, std::function<void()> what) {
    if (mean.value() == 0) return;
    base_.after(base_.between(Duration{1}, Duration{2 * mean.value()}), [this, mean, what = std::move(what)] {
      if (healed_) return;
      what();
      every(mean, what);
    });
  }

  AgentNode& any_agent() { return *agents_[base_.random.below(agents_.size())]; }
  Site& any_site() { return *sites_[base_.random.below(sites_.size())]; }
  GatewayNode& any_gateway() { return *gateways_[base_.random.below(gateways_.size())]; }

  void faults() {
    every(plan_.uplink_cut, [this] {
      const Duration wait =
          base_.random.chance(1, 5) ? seconds(base_.random.between(30, 400)) : seconds(base_.random.between(0, 20));
      any_agent().cut_uplink(wait);
    });
    every(plan_.site_killed, [this] { any_site().kill_mqtt(); });
    every(plan_.agent_crash, [this] { any_agent().crash(); });
    every(plan_.image, [this] { any_agent().keep_image(); });
    every(plan_.restore, [this] { any_agent().restore_image(); });
    every(plan_.clock_jump, [this] { any_agent().jump_clock(); });
    every(plan_.short_of_space, [this] {
      AgentNode& agent = any_agent();
      agent.set_short_of_space(true);
      base_.after(seconds(base_.random.between(1, 30)), [&agent] { agent.set_short_of_space(false); });
    });
    every(plan_.device_reboot, [this] { any_site().reboot_device(); });
    every(plan_.gateway_crash, [this] { crash_gateway(); });
    every(plan_.gateway_pause, [this] {
      base_.injected(Fault::gateway_paused);
      const std::size_t which = base_.random.below(gateways_.size());
      const Duration wait = seconds(base_.random.between(1, 120));
      base_.say("gateway {}: stopped for {} s", which, to_millis(wait) / 1000);
      gateways_[which]->pause(wait);
      base_.after(seconds(base_.random.between(1, 30)), [this] { share_out(); });
    });
    every(plan_.gateway_cut, [this] {
      GatewayNode& gateway = any_gateway();
      const Duration wait = seconds(base_.random.between(0, base_.random.chance(1, 3) ? 200 : 20));
      if (base_.random.chance(2, 3)) return gateway.cut(wait);
      gateway.refuse_subscriptions(true);
      base_.after(wait, [&gateway] { gateway.refuse_subscriptions(false); });
    });
    every(plan_.gateway_clock, [this] {
      base_.injected(Fault::gateway_clock_ahead);
      const std::size_t which = base_.random.below(gateways_.size());
      const std::int64_t most =
          std::min<std::int64_t>(20'000, (to_millis(plan_.rules.memory) / 2 - to_millis(copy_lives)) / 1000);
      gateways_[which]->set_clock(seconds(base_.random.between(std::min<std::int64_t>(100, most), most)));
      base_.say("gateway {}: its clock is ahead", which);
      base_.after(seconds(base_.random.between(1, 120)), [this, which] { gateways_[which]->set_clock(Duration{0}); });
    });
    every(plan_.shard_moves, [this] {
      base_.injected(Fault::shard_moved);
      share_out();
    });
    every(plan_.leader_change, [this] { log_.change_leader(plan_.lose_tails && base_.random.chance(1, 2)); });
    every(plan_.put_back, [this] { log_.put_back(); });
    every(plan_.unavailable, [this] {
      base_.injected(Fault::log_unavailable);
      log_.set_available(false);
      base_.after(seconds(base_.random.between(1, 60)), [this] { log_.set_available(true); });
    });
    every(plan_.unlisted, [this] {
      base_.injected(Fault::topic_unlisted);
      hidden_ = base_.random.chance(1, 2) ? "doors" : "climate";
      tell();
      base_.after(seconds(base_.random.between(1, 60)), [this] {
        hidden_.clear();
        tell();
      });
    });
    every(plan_.partitions_added, [this] {
      base_.injected(Fault::partitions_added);
      log_.add_partitions(base_.random.chance(1, 2) ? "doors" : "climate", 1);
      tell();
    });
    if (plan_.small_messages)
      every(seconds(100), [this] {
        log_.rules().message_bytes_max = base_.random.chance(1, 3) ? 95 : 150;  // not even one event; or a few
        base_.after(seconds(base_.random.between(10, 60)), [this] { log_.rules().message_bytes_max = 1 << 20; });
      });
    keep_time();
  }

  // What the log does on its own.
  void keep_time() {
    base_.after(seconds(10), [this] {
      log_.retain();
      log_.forget_producers();
      keep_time();
    });
  }

  void crash_gateway() {
    const std::size_t which = base_.random.below(gateways_.size());
    if (!gateways_[which]->up()) return;
    base_.injected(Fault::gateway_crash);
    base_.say("gateway {}: dies", which);
    gateways_[which]->crash();
    base_.after(seconds(base_.random.between(1, 20)), [this] { share_out(); });
    base_.after(seconds(base_.random.between(1, 60)), [this, which] {
      if (gateways_[which]->up()) return;
      gateways_[which]->start();
      share_out();
    });
  }

  // Shards go to gateways anew; for a while both may believe that they have one.
  void share_out() {
    for (auto& agent : agents_) {
      const std::uint32_t shard = uplink::shard_of(agent->name());
      owner_[shard] = base_.random.below(gateways_.size());
      if (!gateways_[owner_[shard]]->attends()) owner_[shard] = 1 - owner_[shard];
    }
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
      const Duration wait = healed_ ? Duration{0} : base_.between(Duration{0}, seconds(5));
      base_.after(wait, [this, i] {
        std::vector<std::uint32_t> shards;
        for (const auto& [shard, owner] : owner_)
          if (owner == i) shards.push_back(shard);
        if (gateways_[i]->up()) gateways_[i]->assign(shards);
      });
    }
  }

  void tell() {
    for (auto& gateway : gateways_)
      if (gateway->up()) gateway->tell_topics(hidden_);
  }
  void tell_topics() {
    base_.after(seconds(10), [this] {
      for (auto& gateway : gateways_) gateway->judge_attendance();
      tell();
      tell_topics();
    });
  }

  // All is healed: everything must arrive.
  void live() {
    base_.say("--- liveness");
    healed_ = cloud_.healed = true;
    hidden_.clear();
    log_.set_available(true);
    log_.rules().message_bytes_max = 1 << 20;
    log_.rules().lose_tails = false;
    for (auto& agent : agents_) agent->heal();
    for (auto& site : sites_) {
      site->heal();
      site->stop_making();
    }
    for (auto& gateway : gateways_)
      if (!gateway->up()) gateway->start();
    share_out();
    tell();
    // The other one has to serve all.
    if (plan_.gateway_cut.value() > 0) {
      GatewayNode& out = any_gateway();
      if (base_.random.chance(1, 2)) out.cut(liveness_max);
      if (base_.random.chance(1, 2)) out.refuse_subscriptions(true);
    }
    const Instant end = base_.now + liveness_max, least = base_.now + liveness_min;
    Instant looked = base_.now;
    bool done = false;
    while (!done && base_.step(end)) {
      if (base_.now - looked < seconds(1)) continue;
      looked = base_.now;
      done = base_.now >= least && quiet();
    }
    if (!base_.failure.empty()) return;
    base_.check(Check::all_arrived, done, [&] {
      std::string out;
      for (auto& agent : agents_) out += agent->describe() + "\n";
      for (auto& site : sites_) out += site->empty() ? "" : "a ring is not empty\n";
      return out;
    });
    for (auto& agent : agents_) agent->judge_accounts();
    for (std::size_t i = 0; i < agents_.size() && base_.failure.empty(); ++i)
      checker_.finish(static_cast<int>(i), agents_[i]->store());
  }

  bool quiet() const {
    for (const auto& agent : agents_)
      if (!agent->quiet()) return false;
    for (const auto& site : sites_)
      if (!site->empty()) return false;
    return true;
  }

  Base base_;
  Plan plan_;
  Checker checker_;
  LogModel log_;
  Cloud cloud_;
  std::vector<std::unique_ptr<GatewayNode>> gateways_;
  std::vector<std::unique_ptr<AgentNode>> agents_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::map<std::uint32_t, std::size_t> owner_;
  std::string hidden_;
  bool healed_ = false;
};

}  // namespace

Kind kind() {
  return {"edge", fault_names(), check_names(), [](std::uint64_t seed, Trace& trace) {
            World world(seed, trace);
            return world.run();
          }};
}

}  // namespace edgelog::sim::edge

#pragma once
// One agent process on one log: the real core, with a driver that performs effects one at a time and may die
// between any two.
#include "edge-agent/core/agent.h"
#include "tests/sim/edge/checker.h"
#include "tests/sim/edge/cloud.h"

namespace edgelog::sim::edge {

class AgentNode {
 public:
  AgentNode(Base& base, const Plan& plan, Cloud& cloud, Checker& checker, int index);

  void start();
  void crash();
  bool up() const { return core_ != nullptr; }
  void cut_uplink(Duration wait);
  void jump_clock();
  void set_short_of_space(bool is);
  void keep_image();
  void restore_image();
  void heal();  // liveness: nothing dies any more, the clock is right

  // From the site. False: nobody is there to take it.
  bool take(const agent::Taken& taken, const FactPtr& fact);
  bool says(const agent::DeviceSays& says);
  std::function<void(const agent::ConfirmDevice&)> confirm;

  bool quiet() const;  // nothing waits, and nothing is asked
  std::string describe() const;
  void judge_accounts();  // what its streams count is what its log holds
  const Store& store() const { return store_; }
  const std::string& name() const { return name_; }
  std::optional<agent::StreamId> stream(const std::string& topic) { return core_->stream(topic); }

 private:
  agent::Moment moment() const { return {base_.now, base_.wall() + skew_}; }
  void step(const agent::Input& input);
  void perform(agent::Effects effects);
  void arm();
  void connect();
  void tend();
  void tell_usage();
  std::map<std::string, std::int64_t> accounts() const;
  void judge_room(const agent::Taken& taken, agent::Outcome outcome, const std::map<std::string, std::int64_t>& before);
  void commit(const agent::Transaction& transaction);
  void apply(const agent::Transaction& transaction, std::vector<std::int32_t>* sizes);
  void handed_over();
  void publish(const agent::PublishBatch& effect);

  Base& base_;
  const Plan& plan_;
  Cloud& cloud_;
  Checker& checker_;
  int index_;
  std::string name_;
  agent::Config config_;
  std::unique_ptr<agent::Agent> core_;
  Store store_;
  Store::Payloads taken_;
  std::multiset<std::uint64_t> unacknowledged_;  // messages, by the input
  std::optional<agent::Transaction> under_way_;
  std::vector<Store> images_;
  int branch_ = 0;
  std::uint64_t life_ = 0, session_ = 0;
  bool connected_ = false, healed_ = false, short_of_space_ = false;
  Instant opened_{};
  std::vector<agent::Gap> lost_;  // of its log: known to the next start, until that is durable
  std::uint32_t handed_ = 0;      // publishes that the MQTT server has not taken
  Instant armed_ = never;
  Duration skew_{0};
  std::uint64_t fence_count_ = 0;
  std::uint64_t dropped_ = 0, dropped_durable_ = 0;  // by the log's bound, in this life
};

}  // namespace edgelog::sim::edge

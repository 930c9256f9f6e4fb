#pragma once
// One gateway process: the real core, with a driver over the model of the log.
#include <map>
#include <set>

#include "gateway/core/attendance.h"
#include "gateway/core/core.h"
#include "tests/sim/edge/cloud.h"

namespace edgelog::sim::edge {

class GatewayNode {
 public:
  GatewayNode(Base& base, const Plan& plan, Cloud& cloud, LogModel& log, std::size_t index);

  void start();
  void crash();
  void pause(Duration wait);  // SIGSTOP, SIGCONT
  // Its clock is ahead by so much, until it is said otherwise.
  void set_clock(Duration ahead) { ahead_ = ahead; }
  bool up() const { return core_ != nullptr; }
  // The session with the MQTT server is gone for so long.
  void cut(Duration wait);
  void refuse_subscriptions(bool refused);
  // Takes part in the group that shares the shards.
  bool attends() const { return core_ != nullptr && attends_; }
  std::function<void()> attendance_changed;  // called when that changes
  void judge_attendance();                   // who can serve takes part
  void assign(std::vector<std::uint32_t> shards);
  void receive(const UpMessage& message);
  // Topics as they stand; `hidden` is not listed.
  void tell_topics(const std::string& hidden);
  std::string hidden;

 private:
  void connect();
  void attend();
  void subscribe(std::uint32_t shard, bool on);
  WallMillis wall() const { return base_.wall() + (cloud_.healed ? Duration{0} : ahead_); }
  void feed(gateway::Input input);
  void perform(gateway::Effects effects);
  void arm();
  void produce(const gateway::Produce& effect);
  LeaderEpoch known_epoch(const gateway::Produce& effect);
  Duration way_to_log();
  void answer(const std::string& agent, const uplink::Answers& one);
  void send_answers(const std::string& agent);
  void ask_range(const gateway::AskRange& effect);
  gateway::BatchArrived arrived(const UpMessage& message);
  bool forge(const UpMessage& message);
  void forge_batch(const UpMessage& message);
  void forge_answer(const UpMessage& message);
  void forge_look(const UpMessage& message);
  void hold(gateway::Ticket ticket, const UpMessage& message, Instant came, bool forged);
  void read(const gateway::Read& effect);
  // Runs once awake, if this process still lives.
  void later(Duration wait, std::function<void()> what);
  void when_awake(std::uint64_t life, std::function<void()> what);

  Base& base_;
  const Plan& plan_;
  Cloud& cloud_;
  LogModel& log_;
  std::size_t index_;
  Duration ahead_{0};
  std::unique_ptr<gateway::Core> core_;
  std::uint64_t life_ = 0;
  std::uint64_t session_ = 0;
  Instant awake_at_{};
  Instant armed_ = never;
  std::optional<gateway::Attendance> attendance_;
  bool attends_ = false, connected_ = false, refused_ = false;
  Instant able_since_{};                // a session, and nothing refused
  std::set<std::uint32_t> subscribed_;  // as the core wants it
  std::vector<std::uint32_t> assigned_;
  std::uint64_t put_backs_ = 0;
  std::uint64_t last_ticket_ = 0;
  struct Payload {
    UpMessage message;
    Instant came, fed;    // to this machine, and into the core
    bool forged = false;  // it must not go on
  };
  std::map<gateway::Ticket, Payload> payloads_;
  std::map<std::string, uplink::Answers> waiting_;  // by agent: the client has no room, or sends at once
  std::map<std::uint32_t, Instant> lane_arrival_;
  std::map<std::pair<std::string, std::int32_t>, LeaderEpoch> metadata_;  // as of the last refresh, or failure
};

}  // namespace edgelog::sim::edge

#pragma once
// A site: devices of all kinds, and its MQTT server between them and the agent, which loses, redelivers, and forgets
// what it had acknowledged when it is killed.
#include <deque>
#include <memory>

#include "firmware-sim/core/outbox.h"
#include "tests/sim/edge/agent_node.h"

namespace edgelog::sim::edge {

class Device;

class Site {
 public:
  Site(Base& base, const Plan& plan, Checker& checker, AgentNode& agent, int index);
  ~Site();

  void kill_mqtt();
  void reboot_device();
  void confirm(const agent::ConfirmDevice& confirmation);
  void heal();
  void stop_making();  // but for one last message of each device: so that what is missing before it shows
  bool empty() const;

 private:
  friend class Device;
  struct ToAgent {
    FactPtr fact;
    std::optional<agent::DeviceSays> says;
    Device* from = nullptr;
  };
  void send(ToAgent message);
  void arrive(const ToAgent& message);
  void drain();
  void make(Device& device);

  Base& base_;
  const Plan& plan_;
  Checker& checker_;
  AgentNode& agent_;
  int index_;
  std::uint64_t life_ = 1;  // of the MQTT server
  Instant last_up_{}, last_down_{};
  std::deque<ToAgent> waiting_;  // the agent is down
  bool healed_ = false, making_ = true;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace edgelog::sim::edge

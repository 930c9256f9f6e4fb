#pragma once
// All devices of one process on a few MQTT connections: takes events from a source when they are due, keeps
// them in each device's outbox, publishes as the windows allow, listens to confirmations. Loop thread only.
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/io/mqtt_client.h"
#include "firmware-sim/adapters/ledger.h"
#include "firmware-sim/core/outbox.h"
#include "firmware-sim/core/source.h"

namespace edgelog::firmware {

struct BusConfig {
  io::MqttOptions mqtt;  // the client id gets "-0", "-1"...
  std::size_t connections = 2;
  std::string topic = "site/{device}/event";
  OutboxConfig outbox;
  bool with_boot = true;   // numbered: the payload has the incarnation
  std::uint64_t boot = 1;  // of all devices; a reboot counts on from there
  bool ring_survives_reboot = false;
  bool wait_when_full = true;  // hold the source back; otherwise the oldest is lost
  std::uint64_t seed = 1;
};

struct BusCounters {
  Counter made, confirmed, lost, published, resent, notices, reboots;
  Gauge devices, stored;
};

class Bus {
 public:
  // `finished` is called once: the source has ended and everything made is confirmed or lost.
  Bus(io::Loop& loop, BusConfig config, EventSource& source, Ledger& ledger, std::function<void()> finished);
  ~Bus();
  void start();
  const BusCounters& counters() const { return counters_; }
  std::uint64_t connections_ready() const;

 private:
  struct Device;
  struct Line;  // one connection

  void on_alarm();
  bool take_events();
  void pump(Line& line);
  void send(Line& line, Device& device, std::uint64_t number);
  void on_message(const io::MqttMessage& message);
  void on_connected(Line& line);
  void on_handed_over(Line& line, std::uint64_t ticket);
  void say_notice(Device& device, const Notice& notice);
  Device& device_of(const Made& made);
  void make(Device& device, const Made& made);
  void reboot(Device& device);
  void forget(Device& device, bool lost);  // payloads below the outbox's oldest
  void schedule(Device& device);
  void wake();
  Instant now() const;

  io::Loop& loop_;
  BusConfig config_;
  EventSource& source_;
  Ledger& ledger_;
  std::function<void()> finished_;
  BusCounters counters_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::map<std::string, std::unique_ptr<Device>> devices_;
  std::unordered_map<std::string, Device*> by_confirm_topic_;
  io::Alarm alarm_;
  log::RateLimit complaints_{5, seconds(10)};
  Instant begin_{};
  std::uint64_t turn_ = 0;  // orders devices that are due at one time
  std::size_t stored_ = 0;
  bool awaited_ = true;  // `finished` is still to be called
};

}  // namespace edgelog::firmware

#pragma once
// What the agent shows on its admin port: metrics, readiness and a page. The loop's thread refreshes it; the
// HTTP threads read copies.
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/io/admin_http.h"
#include "edge-agent/adapters/mqtt_input.h"
#include "edge-agent/adapters/mqtt_uplink.h"

namespace edgelog::agent {

class StatusBoard {
 public:
  StatusBoard(std::string agent, std::string version, Driver& driver, EventLog& log, MqttUplink& uplink);
  void add(const Intake& intake, const MqttInput* mqtt);  // `mqtt`: null for other inputs
  // Binds the admin port. Adding is over.
  Status start(const std::string& host, std::uint16_t port);
  std::uint16_t port() const { return http_->port(); }
  void refresh();

 private:
  struct Figure {
    explicit Figure(std::uint64_t (*from)(const StatusBoard&)) : read(from) {}
    Gauge value;
    std::uint64_t (*read)(const StatusBoard&);
  };
  struct Shown {
    const Intake* intake;
    const MqttInput* mqtt;
  };
  void counter(const char* name, const char* help, std::uint64_t (*read)(const StatusBoard&));
  void gauge(const char* name, const char* help, std::uint64_t (*read)(const StatusBoard&));
  void describe();
  void refresh_readiness(const std::vector<StreamStatus>& streams);
  std::string page(const std::vector<StreamStatus>& streams) const;

  std::string agent_, version_;
  Driver& driver_;
  EventLog& log_;
  MqttUplink& uplink_;
  std::deque<Figure> figures_;
  std::vector<Shown> inputs_;
  MetricList metrics_;
  io::Readiness ready_;
  io::Shared<std::string> page_;
  std::unique_ptr<io::AdminHttp> http_;
};

}  // namespace edgelog::agent

// edgelog-gateway: joins settings, adapters and the bridge.
#include <fmt/ranges.h>

#include <cstdlib>
#include <random>

#include "common/base/log.h"
#include "common/io/admin_http.h"
#include "common/io/tcp_client.h"
#include "gateway/adapters/metrics.h"
#include "gateway/adapters/mqtt_uplink.h"
#include "gateway/adapters/settings.h"

using namespace edgelog;

namespace {

std::uint64_t fresh_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

gateway::Bridge::Events to_readiness(io::Readiness& readiness) {
  gateway::Bridge::Events events;
  events.state = [&readiness](const std::string& subject, const std::string& reason) {
    if (reason.empty())
      readiness.clear(subject);
    else
      readiness.set(subject, reason);
  };
  events.findings = [&readiness](const std::vector<std::string>& findings) {
    readiness.note("settings", findings);
    for (const std::string& finding : findings) LOG(warning, "{}", finding);
  };
  return events;
}

}  // namespace

int main(int argc, char** argv) {
  gateway::GatewayConfig config;
  if (const auto code = gateway::read_config(argc, argv, config)) return *code;
  const std::uint64_t seed = fresh_seed();
  config.mqtt_options.client_id = fmt::format("gateway-{:016x}", seed);

  config.bridge.name = config.mqtt_options.client_id;
  config.bridge.group = config.group;

  io::Loop loop;
  io::Readiness readiness;
  io::TcpClient links(loop);
  client::ClientOptions options;
  options.bootstrap = config.bootstrap;
  options.link.client_id = "edgelog-gateway";
  client::Client* client_alarm = nullptr;
  gateway::Bridge* bridge_alarm = nullptr;
  io::LoopTimer client_timer(loop, [&] { client_alarm->on_alarm(); });
  io::LoopTimer bridge_timer(loop, [&] { bridge_alarm->on_alarm(); });
  client::Client client(options, links, client_timer, seed);
  gateway::MqttUplink uplink(loop, config.mqtt_options);
  gateway::Bridge bridge(config.bridge, {client, uplink, bridge_timer, [] { return io::wall_now(); }},
                         to_readiness(readiness), seed);
  client_alarm = &client;
  bridge_alarm = &bridge;

  MetricList metrics;
  gateway::list_metrics(bridge, client, metrics);
  io::AdminHttp admin(metrics, readiness);
  if (const auto status = admin.start(config.admin_endpoint.host, config.admin_endpoint.port); !status) {
    LOG(error, "{}", status.error().what);
    return EXIT_FAILURE;
  }
  loop.on_stop_signal([&] { bridge.stop([&] { loop.stop(); }); });
  bridge.start();
  uplink.start(bridge);
  LOG(info, "gateway {}: brokers {}, mqtt {}, admin port {}", config.mqtt_options.client_id,
      fmt::join(config.brokers, ","), config.mqtt, admin.port());
  loop.run();
  LOG(info, "stopping");
  uplink.stop();
  admin.stop();
  return EXIT_SUCCESS;
}

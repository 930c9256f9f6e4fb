#pragma once
// The gateway's settings: one table, from which flags, file, --help and the docs are made.
#include <string>
#include <vector>

#include "common/config/settings.h"
#include "common/io/mqtt_client.h"
#include "gateway/bridge/bridge.h"

namespace edgelog::gateway {

struct GatewayConfig {
  std::vector<std::string> brokers{"127.0.0.1:9092"};
  std::string mqtt = "127.0.0.1:9192";
  std::string user = "gateway";
  std::string password_file;
  std::string admin = "127.0.0.1:9392";
  std::vector<std::string> topics{"events.*"};
  std::string group = "edgelog-gateway";
  Duration retention = seconds(7 * 86'400);
  std::int64_t replication = replication_of_cluster;
  config::ByteSize batch_bytes_max{768 * 1024};
  config::ByteSize in_hand_bytes_max{64 << 20};

  // Made of the above by read_config(), once all is known to be good.
  std::vector<Address> bootstrap;
  config::Endpoint admin_endpoint;
  io::MqttOptions mqtt_options;
  BridgeConfig bridge;
};

// Gives the code to exit with where the program shall not run.
std::optional<int> read_config(int argc, const char* const* argv, GatewayConfig& config);

}  // namespace edgelog::gateway

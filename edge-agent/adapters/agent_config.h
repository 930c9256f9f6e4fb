#pragma once
// The agent's settings: one table for file, flags and docs, and the parts of the file that are lists.
#include <string>
#include <vector>

#include "common/config/quantity.h"
#include "common/config/settings.h"
#include "edge-agent/agent/mapping.h"
#include "edge-agent/core/config.h"

namespace edgelog::agent {

struct InputConfig {
  std::string name;
  std::string kind;  // mqtt, stdin, socket
  Mapping mapping;
  std::string host, user, password;
  std::uint16_t port = 0;
  std::vector<std::string> filters;
  std::string path;  // of a socket
};

struct AgentConfig {
  std::string id, site, data = "edgelog-agent-data", admin = "127.0.0.1:0";
  std::string uplink_host = "127.0.0.1", uplink_user, uplink_password, uplink_password_file;
  std::int64_t uplink_port = 1883;
  std::int64_t message_bytes_max = 512 << 10;
  bool dead_letters = true;
  std::string stdin_mapping;
  std::vector<InputConfig> inputs;
  Config core;
  config::Endpoint admin_endpoint;  // `admin`, read
};

// Adds all rows to `settings`; `config` and what it holds outlive it.
void describe_settings(config::Settings& settings, AgentConfig& config);
// A mapping by the name of one that ships, or by the path of a file.
Result<Mapping> find_mapping(const std::string& name_or_path);

}  // namespace edgelog::agent

// What an agent's configuration may not say, and that the complaint names the key.
#include <gtest/gtest.h>

#include "edge-agent/adapters/agent_config.h"

namespace edgelog::agent {
namespace {

// Reads it; what is complained of, or nothing.
std::string read(const std::string& text, AgentConfig& config) {
  const auto document = config::Document::from_text("id = \"edge-1\"\n" + text, "agent.toml");
  EXPECT_TRUE(document);
  config::Settings settings({"edgelog-agent", "Takes events.", {}});
  describe_settings(settings, config);
  const auto status = settings.read(*document, {});
  return status ? "" : status.error().what;
}
std::string complaint(const std::string& text) {
  AgentConfig config;
  return read(text, config);
}

TEST(AgentConfig, ALogsBoundThatLeavesNoRoomBesideTheWalIsRaised) {
  const std::pair<std::int64_t, std::int64_t> bounds[] = {
      {1 << 20, 64 << 20}, {8 << 20, 64 << 20}, {65 << 20, 65 << 20}};
  for (const auto& [set, taken] : bounds) {
    AgentConfig config;
    EXPECT_EQ(read("log_bytes_max = " + std::to_string(set) + "\n", config), "");
    EXPECT_EQ(config.core.log_bytes_max, taken);
  }
  EXPECT_NE(complaint("log_bytes_max = 1024\n").find("log_bytes_max"), std::string::npos);
}

TEST(AgentConfig, DeadLettersOfMqttDoNotBlock) {
  const std::string stream = "[stream.\"edgelog.dead-letters\"]\nwhen_full = \"block\"\n";
  EXPECT_EQ(complaint(stream), "");
  EXPECT_NE(complaint("[[input]]\nkind = \"mqtt\"\n" + stream).find("when_full"), std::string::npos);
}

}  // namespace
}  // namespace edgelog::agent

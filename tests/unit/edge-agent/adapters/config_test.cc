// What an agent's configuration may not say, and that the complaint names the key.
#include <gtest/gtest.h>

#include "edge-agent/adapters/agent_config.h"

namespace edgelog::agent {
namespace {

std::string complaint(const std::string& text) {
  const auto document = config::Document::from_text("id = \"edge-1\"\n" + text, "agent.toml");
  EXPECT_TRUE(document);
  AgentConfig config;
  config::Settings settings({"edgelog-agent", "Takes events.", {}});
  describe_settings(settings, config);
  const auto read = settings.read(*document, {});
  return read ? "" : read.error().what;
}

TEST(AgentConfig, TheLogsBoundLeavesRoomBesideTheWal) {
  EXPECT_EQ(complaint("log_bytes_max = 67108864\n"), "");
  EXPECT_NE(complaint("log_bytes_max = 8388608\n").find("log_bytes_max"), std::string::npos);
}

TEST(AgentConfig, DeadLettersOfMqttDoNotBlock) {
  const std::string stream = "[stream.\"edgelog.dead-letters\"]\nwhen_full = \"block\"\n";
  EXPECT_EQ(complaint(stream), "");
  EXPECT_NE(complaint("[[input]]\nkind = \"mqtt\"\n" + stream).find("when_full"), std::string::npos);
}

}  // namespace
}  // namespace edgelog::agent

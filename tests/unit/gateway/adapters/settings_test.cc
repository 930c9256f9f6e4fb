#include "gateway/adapters/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgelog::gateway {
namespace {

using ::testing::HasSubstr;

// What read_config says of these flags; nothing: it takes them.
std::string complaint(std::vector<const char*> flags) {
  flags.insert(flags.begin(), {"edgelog-gateway", "--brokers", "127.0.0.1:9092"});
  GatewayConfig config;
  ::testing::internal::CaptureStderr();
  const auto code = read_config(static_cast<int>(flags.size()), flags.data(), config);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(code.value_or(0), said.empty() ? 0 : config::exit_bad_config);
  return said;
}

TEST(GatewaySettingsTest, TakesWhatWorks) {
  EXPECT_EQ(complaint({"--topics", "doors:3,climate,site.*", "--retention", "2s", "--replication", "3"}), "");
  EXPECT_EQ(complaint({"--batch-bytes-max", "1MiB", "--in-hand-bytes-max", "1MiB"}), "");
}

TEST(GatewaySettingsTest, NamesWhatCannotWork) {
  EXPECT_THAT(complaint({"--topics", "doors:3,doors:4"}), HasSubstr("topics: \"doors:4\": expected each name once"));
  EXPECT_THAT(complaint({"--topics", "edgelog.gaps:6"}), HasSubstr("topics: \"edgelog.gaps:6\": expected an event"));
  EXPECT_THAT(complaint({"--batch-bytes-max", "2MiB", "--in-hand-bytes-max", "1MiB"}), HasSubstr("batch_bytes_max"));
  EXPECT_THAT(complaint({"--retention", "0s"}), HasSubstr("retention"));
  EXPECT_THAT(complaint({"--replication", "0"}), HasSubstr("replication"));
}

}  // namespace
}  // namespace edgelog::gateway

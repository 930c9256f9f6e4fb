#include "firmware-sim/adapters/profile.h"

#include <gtest/gtest.h>

#include "common/config/settings.h"

namespace edgelog::firmware {
namespace {

Status read(const std::string& text, Profile& profile) {
  config::Settings settings({"edgelog-firmware-sim", "", {}});
  describe(settings, profile);
  auto document = config::Document::from_text(text, "profile.toml");
  return document ? settings.read(*document, {}) : Status(document.error());
}

TEST(Profile, WhatIsPrintedIsAccepted) {
  Profile profile;
  config::Settings settings({"edgelog-firmware-sim", "", {}});
  describe(settings, profile);
  Profile again;
  const auto status = read(settings.sample(), again);
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(again.fleet.speed, 1);  // a model at its own pace
}

TEST(Profile, TheModelHasNoPaceBelowItsOwn) {
  Profile profile;
  const auto status = read("speed = 0.5\n", profile);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().what.find("speed"), std::string::npos);
}

}  // namespace
}  // namespace edgelog::firmware

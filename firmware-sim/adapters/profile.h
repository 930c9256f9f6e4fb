#pragma once
// The settings of edgelog-firmware-sim and their file. A profile is such a file.
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/settings.h"
#include "firmware-sim/adapters/bus.h"
#include "firmware-sim/adapters/replay.h"
#include "firmware-sim/core/fleet.h"

namespace edgelog::firmware {

struct Profile {
  std::string mqtt = "127.0.0.1:1883", user, password_file, client_id = "devices";
  std::int64_t connections = 2, in_flight_max = 1'000;
  std::string topic = "site/{device}/event";
  std::string kind = "ring";
  std::int64_t ring = 1'024, ring_in_flight = 32, boot = 0;
  bool with_boot = true, ring_survives_reboot = true;
  std::string when_full = "wait";
  Duration resend = seconds(2), resend_most = seconds(10);
  std::string ledger, admin;
  Duration drain = seconds(0);
  std::vector<std::string> input;
  std::string part = "0/1";
  std::int64_t seed = 1;
  double speed = 0;
  std::int64_t rate = 0, rows = 0;
  FleetConfig fleet;
  ReplayConfig replay;
};

void describe(config::Settings& settings, Profile& profile);
BusConfig bus_config(const Profile& profile, const std::string& password, std::uint64_t boot);

}  // namespace edgelog::firmware

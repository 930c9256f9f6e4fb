// edgelog-firmware-sim: plays thermostats and doors, or replays a recording, as devices on MQTT.
#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "common/io/admin_http.h"
#include "firmware-sim/adapters/profile.h"

namespace edgelog::firmware {
namespace {

constexpr int exit_failed = 1;

config::Program program() {
  return {
      "edgelog-firmware-sim",
      "Plays devices: thermostats and door readers of a seeded model, or a recording, over MQTT. Ends when all "
      "is made and done, and prints one line of JSON.",
      {"edgelog-firmware-sim --mqtt 127.0.0.1:1883 --speed 60 --duration 30s",
       "edgelog-firmware-sim --config firmware-sim/profiles/nordwijk.toml --input day1.tsv.gz --input day2.tsv.gz"}};
}

void name_metrics(MetricList& list, const BusCounters& c) {
  list.add("edgelog_devices_made_total", "Events that devices made.", c.made);
  list.add("edgelog_devices_confirmed_total", "Events that are done: confirmed, or for plain ones acknowledged.",
           c.confirmed);
  list.add("edgelog_devices_lost_total", "Events that a device had to forget.", c.lost);
  list.add("edgelog_devices_published_total", "MQTT messages published.", c.published);
  list.add("edgelog_devices_resent_total", "Of these, sent again.", c.resent);
  list.add("edgelog_devices_notices_total", "Notices of rings.", c.notices);
  list.add("edgelog_devices_reboots_total", "Restarts of devices.", c.reboots);
  list.add("edgelog_devices", "Devices that have made something.", c.devices);
  list.add("edgelog_devices_stored", "Events that are not done.", c.stored);
}

class Run {
 public:
  explicit Run(Profile& profile) : profile_(profile), drained_(loop_, [this] { end("drain time is over"); }) {}

  int go() {
    auto ledger = Ledger::open(profile_.ledger);
    if (!ledger) return fail(ledger.error());
    std::string password;
    if (!profile_.password_file.empty()) {
      auto secret = config::read_secret(profile_.password_file);
      if (!secret) return fail(secret.error());
      password = std::move(*secret);
    }
    if (const auto status = choose_source(); !status) return fail(status.error());
    const auto boot = static_cast<std::uint64_t>(profile_.boot > 0 ? profile_.boot : io::wall_now().value());
    bus_.emplace(loop_, bus_config(profile_, password, boot), *source_, *ledger, [this] { end({}); });
    if (const auto status = serve(); !status) return fail(status.error());
    loop_.on_stop_signal([this] { end("stopped"); });
    if (profile_.drain.value() > 0) drained_.wake_at(io::boottime_now() + profile_.fleet.duration + profile_.drain);
    bus_->start();
    loop_.run();
    return report(*ledger);
  }

 private:
  Status choose_source() {
    if (profile_.input.empty()) {
      source_ = std::make_unique<Fleet>(profile_.fleet);
      return Ok{};
    }
    auto replay = Replay::open(profile_.replay);
    if (!replay) return std::move(replay).error();
    replay_ = replay->get();
    source_ = std::move(*replay);
    return Ok{};
  }

  Status serve() {
    if (profile_.admin.empty()) return Ok{};
    name_metrics(metrics_, bus_->counters());
    const auto endpoint = config::parse_endpoint(profile_.admin);
    if (!endpoint) return endpoint.error();
    http_.emplace(metrics_, readiness_);
    return http_->start(endpoint->host, endpoint->port);
  }

  void end(std::string why) {
    why_ = std::move(why);
    loop_.stop();
  }

  int report(Ledger& ledger) {
    const auto& c = bus_->counters();
    const auto open = c.made.value() - c.confirmed.value() - c.lost.value();
    fmt::print(
        "{{\"made\":{},\"confirmed\":{},\"lost\":{},\"open\":{},\"published\":{},\"resent\":{},\"notices\":{}}}\n",
        c.made.value(), c.confirmed.value(), c.lost.value(), open, c.published.value(), c.resent.value(),
        c.notices.value());
    std::fflush(stdout);
    http_.reset();
    if (const auto status = ledger.flush(); !status) return fail(status.error());
    if (replay_ != nullptr && replay_->failure()) return fail(*replay_->failure());
    if (!why_.empty()) LOG(warning, "{}: {} events are not confirmed", why_, open);
    bus_.reset();
    return open == 0 || why_ == "stopped" ? 0 : exit_failed;
  }

  static int fail(const Error& error) {
    LOG(error, "{}", error.what);
    return exit_failed;
  }

  Profile& profile_;
  io::Loop loop_;
  std::unique_ptr<EventSource> source_;
  const Replay* replay_ = nullptr;
  std::optional<Bus> bus_;
  MetricList metrics_;
  io::Readiness readiness_;
  std::optional<io::AdminHttp> http_;
  io::Alarm drained_;
  std::string why_;
};

}  // namespace
}  // namespace edgelog::firmware

int main(int argc, char** argv) {
  using namespace edgelog;
  firmware::Profile profile;
  config::Settings settings(firmware::program());
  firmware::describe(settings, profile);
  if (const auto code = settings.start(argc, argv)) return *code;
  firmware::Run run(profile);
  return run.go();
}

// edgelog-agent: takes events at the edge, keeps them in a durable log, and carries them to the cloud's log
// exactly once. This file joins settings, core, log, uplink and inputs; it decides nothing.
#include <malloc.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <random>

#include "common/base/log.h"
#include "edge-agent/adapters/agent_config.h"
#include "edge-agent/adapters/data_folder.h"
#include "edge-agent/adapters/json_parser.h"
#include "edge-agent/adapters/mqtt_input.h"
#include "edge-agent/adapters/socket_input.h"
#include "edge-agent/adapters/sqlite_log.h"
#include "edge-agent/adapters/status_board.h"
#include "edge-agent/adapters/stdin_input.h"

namespace edgelog::agent {
namespace {

constexpr const char* version = "0.1.0";
constexpr int exit_log_failed = 70;  // the log could not be read or written: what is on disk decides, after a restart
constexpr int exit_in_use = 75;      // EX_TEMPFAIL: another process has the data folder
constexpr std::int64_t log_reserve_bytes = std::int64_t{8} << 20;  // more than the WAL and a round take
constexpr Duration refresh_period = seconds(1), heartbeat_period = seconds(10), stop_patience = seconds(5);

Moment moment_now() { return {io::boottime_now(), io::wall_now()}; }

std::uint64_t system_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

// Rounds of half a megabyte come and go: what is freed goes back at once, and threads share their heaps.
void keep_memory_small() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  mallopt(M_TRIM_THRESHOLD, 128 << 10);
}

class AgentProcess {
 public:
  explicit AgentProcess(AgentConfig config)
      : config_(std::move(config)), parser_(static_cast<std::size_t>(config_.message_bytes_max)) {}

  int run() {
    if (auto status = open(); !status) {
      LOG(error, "{}", status.error().what);
      const Code code = status.error().code;
      if (log_failed_) return exit_log_failed;
      return code == Code::invalid ? config::exit_bad_config : code == Code::locked ? exit_in_use : EXIT_FAILURE;
    }
    loop_.on_stop_signal([this] { stop(); });
    uplink_->start(*driver_);
    for (auto& input : mqtt_inputs_) input->start();
    if (stdin_input_) stdin_input_->start();
    for (auto& input : socket_inputs_)
      if (auto status = input->start(); !status) {
        LOG(error, "{}", status.error().what);
        return EXIT_FAILURE;
      }
    tick();
    driver_->settle();
    loop_.run();
    return EXIT_SUCCESS;
  }

 private:
  Status open() {
    auto folder = DataFolder::open(config_.data);
    if (!folder) return std::move(folder).error();
    folder_ = std::make_unique<DataFolder>(std::move(*folder));
    LogOptions options;
    options.path = config_.data + "/agent.db";
    options.agent = config_.id;
    options.reserve_bytes = log_reserve_bytes;
    auto opened = SqliteLog::open(
        options, [this](std::function<void()> work) { loop_.post(std::move(work)); },
        [](const Error& error) {
          LOG(error, "the log cannot go on: {}", error.what);
          std::_Exit(exit_log_failed);
        });
    if (!opened) {
      log_failed_ = opened.error().code == Code::io;
      return std::move(opened).error();
    }
    log_ = std::move(opened->log);
    if (auto named = folder_->sync_names(); !named) {
      log_failed_ = true;
      return named;
    }
    io::MqttOptions uplink;
    uplink.host = config_.uplink_host;
    uplink.port = static_cast<std::uint16_t>(config_.uplink_port);
    uplink.user = config_.uplink_user;
    uplink.password = config_.uplink_password;
    uplink_ = std::make_unique<MqttUplink>(loop_, uplink, config_.id);
    wake_ = std::make_unique<io::Alarm>(loop_, [this] { driver_->wake(); });
    driver_ =
        std::make_unique<Driver>(config_.core, std::move(opened->persisted), system_seed(), opened->lost, version,
                                 DriverPorts{*log_, *uplink_, moment_now, [this](Instant at) { wake_->wake_at(at); }});
    board_ = std::make_unique<StatusBoard>(config_.id, version, *driver_, *log_, *uplink_);
    for (InputConfig& input : config_.inputs) open_input(input);
    const config::Endpoint& admin = config_.admin_endpoint;
    if (auto status = board_->start(admin.host, admin.port); !status) return status;
    LOG(info, "agent {} is up; http://{}:{}/", config_.id, admin.host, board_->port());
    return Ok{};
  }

  void open_input(InputConfig& input) {
    Intake& intake = intakes_.emplace_back(
        IntakeOptions{input.name, config_.site, config_.id, static_cast<std::size_t>(config_.message_bytes_max),
                      config_.dead_letters, input.kind != "mqtt"},
        std::move(input.mapping), *driver_,
        [this](Bytes document, JsonObject& out) { return parser_.parse(document, out); });
    const MqttInput* mqtt = nullptr;
    if (input.kind == "mqtt") {
      io::MqttOptions options;
      options.host = input.host;
      options.port = input.port;
      options.user = input.user;
      options.password = input.password;
      options.client_id = config_.id + "-" + input.name;
      mqtt =
          mqtt_inputs_.emplace_back(std::make_unique<MqttInput>(loop_, options, input.filters, intake, *driver_)).get();
    } else if (input.kind == "stdin") {
      stdin_input_ = std::make_unique<StdinInput>(loop_, intake, *driver_, [this] {
        if (config_.inputs.size() == 1) stop();
      });
    }
    if (input.kind == "socket")
      socket_inputs_.push_back(std::make_unique<SocketInput>(loop_, input.path, intake, *driver_));
    board_->add(intake, mqtt);
  }

  void tick() {
    driver_->tend();
    board_->refresh();
    const Instant now = io::boottime_now();
    if (now >= next_heartbeat_) {
      driver_->publish_heartbeat();
      next_heartbeat_ = now + heartbeat_period;
    }
    if (stopping_ && (driver_->core().all_durable() || now >= give_up_)) return loop_.stop();
    ticker_.wake_at(now + (stopping_ ? milliseconds(20) : refresh_period));
  }

  // Takes nothing more, and leaves once what was taken is durable.
  void stop() {
    if (stopping_) return;
    stopping_ = true;
    give_up_ = io::boottime_now() + stop_patience;
    for (auto& input : mqtt_inputs_) input->stop();
    for (auto& input : socket_inputs_) input->stop();
    uplink_->say_goodbye();
    ticker_.wake_at(io::boottime_now());
  }

  AgentConfig config_;
  io::Loop loop_;
  std::unique_ptr<DataFolder> folder_;
  JsonParser parser_;
  std::unique_ptr<SqliteLog> log_;
  std::unique_ptr<MqttUplink> uplink_;
  std::unique_ptr<io::Alarm> wake_;
  std::unique_ptr<Driver> driver_;
  std::deque<Intake> intakes_;
  std::vector<std::unique_ptr<MqttInput>> mqtt_inputs_;
  std::unique_ptr<StdinInput> stdin_input_;
  std::vector<std::unique_ptr<SocketInput>> socket_inputs_;
  std::unique_ptr<StatusBoard> board_;  // its thread reads the counters of all above: it goes first
  io::Alarm ticker_{loop_, [this] { tick(); }};
  Instant next_heartbeat_{}, give_up_ = never;
  bool stopping_ = false, log_failed_ = false;
};

}  // namespace
}  // namespace edgelog::agent

int main(int argc, char** argv) {
  using namespace edgelog;
  agent::keep_memory_small();
  agent::AgentConfig config;
  config::Settings settings(
      {"edgelog-agent",
       "Takes events from devices, keeps them in a durable log, and carries them to the cloud's log "
       "exactly once.",
       {"edgelog-agent --config agent.toml", "edgelog-agent --id edge-1 --stdin plain-json < events.jsonl"}});
  agent::describe_settings(settings, config);
  if (const auto code = settings.start(argc, argv)) return *code;
  return agent::AgentProcess(std::move(config)).run();
}

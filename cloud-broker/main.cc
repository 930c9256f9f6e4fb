// edgelog-broker: joins configuration, disk, loop, shard and admin page to a process.
#include <unistd.h>
#include <cstdio>
#include <random>
#include <string>

#include "cloud-broker/adapters/metrics.h"
#include "cloud-broker/adapters/shard_loop.h"
#include "cloud-broker/server/handlers/table.h"
#include "common/base/log.h"
#include "common/config/settings.h"
#include "common/io/admin_http.h"
#include "common/io/posix_disk.h"

using namespace edgelog;

namespace {

constexpr int exit_failed = 1;
constexpr int exit_locked = 75;       // another process has the data directory
constexpr int exit_sync_failed = 70;  // a failed fsync: what is on disk is not what we think
constexpr Duration stop_patience = seconds(5);

struct Config {
  std::string data = "edgelog-data", listen = "127.0.0.1:9092", advertised, admin = "127.0.0.1:9292";
  std::int64_t node = 1, default_partitions = 1, offsets_partitions = 8, connections_max = 4000;
  bool auto_create_topics = true;
  config::ByteSize request_bytes_max{100 << 20}, memory_max{256 << 20}, disk_reserve{32 << 20};
  Duration idle_max = seconds(600);
  Duration rebalance_delay = milliseconds(500), session_timeout_min = seconds(6), session_timeout_max = seconds(1800);
  Duration offsets_retention = seconds(7 * 86'400);
};

void describe(config::Settings& settings, Config& config) {
  settings
      .add("data", config.data, "directory of the log; made if it is missing",
           "beside the caller, so that a try needs no root")
      .required = true;
  settings.add("listen", config.listen, "host:port of Kafka's protocol", "loopback: nobody is authenticated yet")
      .required = true;
  settings.add("advertised", config.advertised, "host:port that clients are told; empty: as `listen`", "one machine");
  settings
      .add("admin", config.admin, "host:port of /healthz, /readyz and /metrics", "loopback: it is not authenticated")
      .required = true;
  settings.add("node", config.node, "id of this broker, for ever", "Kafka's first").range = {0, 1'000'000};
  settings.add("auto_create_topics", config.auto_create_topics, "a topic is made when a client first asks for it",
               "as Kafka");
  settings
      .add("default_partitions", config.default_partitions, "partitions of a topic that says nothing else", "as Kafka")
      .range = {1, 1000};
  settings.add("connections_max", config.connections_max, "open connections; more are closed", "64 KiB each at worst")
      .range = {1, 100'000};
  settings
      .add("request_bytes_max", config.request_bytes_max, "one request; a larger one closes its connection", "as Kafka")
      .range = {1024, 1 << 30};
  settings
      .add("memory_max", config.memory_max,
           "half-received requests and unsent responses of all connections; at it, large requests wait, and a quarter "
           "above it, who has held memory for longest is closed",
           "two of the largest requests")
      .range = {1 << 20, 1LL << 40};
  settings.add("idle_max", config.idle_max, "a connection without traffic is closed after it", "as Kafka");
  settings
      .add("disk_reserve", config.disk_reserve, "bytes kept free on the disk; below, appends are refused",
           "room to delete in")
      .range = {1 << 20, 1LL << 40};
  settings.add("group.rebalance_delay", config.rebalance_delay, "an empty group waits so long for more members",
               "enough for members that start together; Kafka waits 3 s");
  settings.add("group.session_timeout_min", config.session_timeout_min, "shortest session that a member may ask for",
               "as Kafka");
  settings.add("group.session_timeout_max", config.session_timeout_max, "longest session that a member may ask for",
               "as Kafka");
  settings.add("group.offsets_retention", config.offsets_retention, "offsets of an empty group are kept so long",
               "as Kafka");
  settings
      .add("group.partitions", config.offsets_partitions, "partitions of __consumer_offsets, when it is made",
           "spreads groups over a few brokers; Kafka's 50 are for many")
      .range = {1, 50};
}

struct Endpoints {
  config::Endpoint listen, advertised, admin;
};

Result<Endpoints> endpoints(const Config& config) {
  auto listen = config::parse_endpoint(config.listen);
  if (!listen) return Error{Code::invalid, "listen: " + listen.error().what};
  auto advertised = config::parse_endpoint(config.advertised.empty() ? config.listen : config.advertised);
  if (!advertised) return Error{Code::invalid, "advertised: " + advertised.error().what};
  auto admin = config::parse_endpoint(config.admin);
  if (!admin) return Error{Code::invalid, "admin: " + admin.error().what};
  return Endpoints{*listen, *advertised, *admin};
}

broker::BrokerSettings broker_settings(const Config& config, const Endpoints& where) {
  broker::BrokerSettings made;
  made.node = NodeId{static_cast<std::int32_t>(config.node)};
  made.advertised_host = where.advertised.host;
  made.advertised_port = where.advertised.port;
  made.auto_create_topics = config.auto_create_topics;
  made.controller.default_partitions = static_cast<std::int32_t>(config.default_partitions);
  made.controller.offsets_partitions = static_cast<std::int32_t>(config.offsets_partitions);
  made.groups.initial_rebalance_delay = config.rebalance_delay;
  made.groups.session_timeout_min = config.session_timeout_min;
  made.groups.session_timeout_max = config.session_timeout_max;
  made.groups.offsets_retention = config.offsets_retention;
  return made;
}

io::TcpServerOptions server_options(const Config& config, const config::Endpoint& listen) {
  io::TcpServerOptions options;
  options.host = listen.host;
  options.port = listen.port;
  options.connections_max = static_cast<std::size_t>(config.connections_max);
  options.frame_bytes_max = static_cast<std::size_t>(config.request_bytes_max.value());
  options.memory_bytes_max = static_cast<std::size_t>(config.memory_max.value());
  options.idle_max = config.idle_max;
  return options;
}

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

int fail(const char* what, const Error& error) {
  LOG(error, "{}: {}", what, error.what);
  return error.code == Code::locked ? exit_locked : exit_failed;
}

int serve(const Config& config, const Endpoints& where) {
  io::Loop loop;
  auto disk = io::PosixDisk::open(config.data, [&loop](std::function<void()> work) { loop.post(std::move(work)); });
  if (!disk) return fail("data directory", disk.error());
  broker::ShardLoop node(loop, server_options(config, where.listen));
  broker::StoreConfig store;
  store.free_bytes_min = static_cast<std::uint64_t>(config.disk_reserve.value());
  const Status recovered = node.recover(**disk, broker_settings(config, where), store, broker::handler_table(),
                                        random_seed(), [](const Error& error) {
                                          LOG(error, "the disk failed, so this process ends: {}", error.what);
                                          _exit(exit_sync_failed);
                                        });
  if (!recovered) {
    const int code = fail("start", recovered.error());
    return (*disk)->sync_failed() ? exit_sync_failed : code;
  }

  io::Readiness readiness;
  MetricList metrics;
  broker::list_metrics(metrics, node, (*disk)->syncs());
  io::AdminHttp admin(metrics, readiness);
  node.on_turn([&] { broker::watch_readiness(node.shard(), readiness); });
  if (Status listening = node.listen(); !listening) return fail("start", listening.error());
  if (Status started = admin.start(where.admin.host, where.admin.port); !started) return fail("admin", started.error());
  LOG(info, "node {} of cluster {}: Kafka on {}:{}, admin on {}:{}, data in {}", config.node,
      node.shard().store().identity().cluster_id, where.listen.host, node.port(), where.admin.host, admin.port(),
      config.data);

  int code = 0;
  loop.on_stop_signal([&] {
    LOG(info, "stopping");
    node.stop(stop_patience, [&](Status closed) {
      if (!closed) code = fail("stop", closed.error());
      loop.stop();
    });
  });
  loop.run();
  admin.stop();
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Config config;
  config::Settings settings(
      {"edgelog-broker",
       "Keeps topics as durable logs and serves them over Kafka's protocol.",
       {"edgelog-broker --data /var/lib/edgelog --listen 0.0.0.0:9092 --advertised log.example:9092"}});
  describe(settings, config);
  settings.check([&config]() -> Status {
    auto checked = endpoints(config);
    if (!checked) return std::move(checked).error();
    return Ok{};
  });
  if (const auto code = settings.start(argc, argv)) return *code;
  return serve(config, *endpoints(config));
}

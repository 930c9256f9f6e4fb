#include "cloud-broker/server/shard.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/wire/api_versions.h"
#include "common/wire/header.h"

namespace edgelog::broker {

namespace {
constexpr std::size_t waits_max = 100'000;
}

struct Shard::State {
  State(ShardPorts with, BrokerSettings given, std::span<const Route> served, std::uint64_t seed)
      : ports(std::move(with)),
        settings(std::move(given)),
        routes(served),
        prng(seed),
        controller(settings.controller) {}

  // What needs the store comes once it is open.
  void assemble() {
    metadata.emplace(
        *store, waits, log, controller, prng,
        [this](const Topic& topic) {
          for (std::int32_t index = 0; index < topic.partitions; ++index)
            fetches.removed({topic.id, PartitionIndex{index}});
          groups->topic_removed(at, topic.name);
        },
        [this](const std::string& name) { return groups->remains_of(name); });
    groups.emplace(*store, waits, log, controller, *metadata, metrics, prng, settings.groups);
    world.emplace(World{settings, authorizer, routes, *store, controller, *metadata, *groups, waits, produces, fetches,
                        replies, metrics, scratch, compressor});
  }

  ShardPorts ports;
  BrokerSettings settings;
  const std::span<const Route> routes;
  Prng prng;
  At at{};  // of the present call
  AllowAll authorizer;
  BrokerMetrics metrics;
  CommitWaits waits;
  Replies replies{ports.clients, metrics};
  Produces produces{waits, replies};
  Fetches fetches;
  InternalLog log;
  record::Scratch scratch;
  record::Compressor compressor;
  Controller controller;
  std::map<ConnectionId, std::string> hosts;  // of open connections, as Kafka writes them
  std::unique_ptr<Store> store;
  std::optional<MetadataLog> metadata;
  std::optional<GroupService> groups;
  std::optional<World> world;
};

Shard::Shard(ShardPorts ports, BrokerSettings settings, std::span<const Route> routes, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(ports), std::move(settings), routes, seed)) {}

Shard::~Shard() = default;

Result<std::unique_ptr<Shard>> Shard::start(ShardPorts ports, BrokerSettings settings, StoreConfig config,
                                            std::span<const Route> routes, std::uint64_t seed, At at) {
  std::unique_ptr<Shard> shard(new Shard(std::move(ports), std::move(settings), routes, seed));
  State& state = *shard->state_;
  state.at = at;
  config.node = state.settings.node;
  store_big(config.fresh.data(), state.prng.next());
  store_big(config.fresh.data() + sizeof(std::uint64_t), state.prng.next());
  StoreEvents events{[raw = shard.get()](std::span<Partition* const> partitions) { raw->committed(partitions); },
                     [&state](const Error& error) { state.ports.fatal(error); }};
  auto store = Store::open(state.ports.disk, config, std::move(events), at.now);
  if (!store) return std::move(store).error();
  state.store = std::move(*store);
  state.assemble();
  TRY(state.metadata->start(at.wall));
  TRY(state.groups->start(at));
  state.metrics.topics.set(static_cast<std::int64_t>(state.controller.topics().size()));
  state.ports.turn_soon();
  return shard;
}

void Shard::opened(ConnectionId connection, const std::string& peer_host) {
  state_->hosts[connection] = "/" + peer_host;
}

void Shard::closed(ConnectionId connection) {
  state_->hosts.erase(connection);
  state_->fetches.closed(connection);
}

void Shard::refuse(const Context& context, const char* why) {
  LOG(debug, "connection {}: closed: {}", context.connection.value(), why);
  state_->ports.clients.close(context.connection);
}

void Shard::request(At at, ConnectionId connection, Ticket ticket, MutableBytes frame) {
  State& state = *state_;
  state.at = at;
  Context context;
  context.connection = connection;
  context.ticket = ticket;
  context.at = at;
  context.frame = frame;
  if (const auto host = state.hosts.find(connection); host != state.hosts.end()) context.client_host = host->second;

  // Where the disk stands still: what answers hold is bounded, whoever asks.
  if (state.waits.waiting() >= waits_max) return refuse(context, "too many answers wait for the disk");
  Bytes body = frame;
  wire::RequestHeader header;
  const wire::HeaderStatus status = wire::take_request_header(body, header);
  if (status == wire::HeaderStatus::malformed) {
    state.metrics.malformed.add();
    return refuse(context, "malformed request header");
  }
  const auto route = std::find_if(state.routes.begin(), state.routes.end(),
                                  [&](const Route& each) { return each.api->key == header.api_key; });
  const bool versions = header.api_key == wire::api_versions_api.key;
  if (status == wire::HeaderStatus::unknown_api || route == state.routes.end() ||
      (status == wire::HeaderStatus::unknown_version && !versions)) {
    state.metrics.unsupported.add();
    return refuse(context, "API or version that is not served");
  }
  context.api = route->api;
  context.version = header.api_version;
  context.correlation_id = header.correlation_id;
  context.client_id = std::move(header.client_id).value_or("");
  state.metrics.requests[static_cast<std::size_t>(header.api_key)].add();
  route->handle(*state.world, context, body);
  state.ports.turn_soon();
}

void Shard::committed(std::span<Partition* const> partitions) {
  State& state = *state_;
  if (!state.world) return;  // still recovering
  for (const Partition* partition : partitions) {
    state.waits.advanced(*partition);
    state.fetches.advanced(*partition);
  }
  state.ports.turn_soon();
}

void Shard::end_of_turn(At at) {
  State& state = *state_;
  state.at = at;
  state.metadata->end_of_turn(at.wall);
  state.store->end_of_turn();
  state.metrics.topics.set(static_cast<std::int64_t>(state.controller.topics().size()));
  state.groups->count();
  state.metrics.parked_fetches.set(static_cast<std::int64_t>(state.fetches.waiting()));
  state.metrics.waiting_produces.set(static_cast<std::int64_t>(state.produces.waiting()));
}

void Shard::wake(At at) {
  State& state = *state_;
  state.at = at;
  if (state.store->deadline() <= at.now) state.store->tick(at.now, at.wall);
  if (state.groups->deadline() <= at.now) state.groups->tick(at);
  state.produces.tick(at.now);
  state.fetches.tick(at.now);
  state.ports.turn_soon();
}

Instant Shard::deadline() const {
  const State& state = *state_;
  return std::min(
      {state.store->deadline(), state.groups->deadline(), state.produces.deadline(), state.fetches.deadline()});
}

void Shard::bound_to(std::uint16_t port) {
  if (state_->settings.advertised_port == 0) state_->settings.advertised_port = port;
}

void Shard::drain() { state_->fetches.answer_all(); }
bool Shard::idle() const { return state_->waits.waiting() == 0; }
void Shard::close(std::function<void(Status)> done) { state_->store->close(std::move(done)); }
Store& Shard::store() { return *state_->store; }
const BrokerMetrics& Shard::metrics() const { return state_->metrics; }

}  // namespace edgelog::broker

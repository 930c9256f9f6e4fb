#pragma once
// One thread's world of the broker: store, controller, group coordinators, and what waits for them. It is
// driven from outside: requests in, time as an argument, responses out through Clients; so the simulator
// runs the same object as the server does. After every call that may have changed something, turn_soon is
// called, and the driver then calls end_of_turn() once the events at hand are dealt with; wake() when
// deadline() has come.
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "cloud-broker/server/world.h"

namespace edgelog::broker {

struct ShardPorts {
  port::Disk& disk;
  Clients& clients;
  std::function<void()> turn_soon;          // asks for end_of_turn(); may be called many times a turn
  std::function<void(const Error&)> fatal;  // a sync failed: the process must end, answering nobody
};

class Shard {
 public:
  // Recovers the data directory, the metadata and the groups. `seed`: of ids.
  static Result<std::unique_ptr<Shard>> start(ShardPorts ports, BrokerSettings settings, StoreConfig store,
                                              std::span<const Route> routes, std::uint64_t seed, At at);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void opened(ConnectionId connection, const std::string& peer_host);
  void request(At at, ConnectionId connection, Ticket ticket, MutableBytes frame);
  void closed(ConnectionId connection);
  // Sends what was decided to the disk: one round for all that this turn appended.
  void end_of_turn(At at);
  void wake(At at);
  Instant deadline() const;

  // Where port 0 is advertised, clients are told this one.
  void bound_to(std::uint16_t port);

  // Answers parked fetches; afterwards only commits are waited for.
  void drain();
  bool idle() const;  // nobody waits for a commit
  // Makes everything durable, so that the next start has nothing to recover. No request may follow.
  void close(std::function<void(Status)> done);

  Store& store();
  const BrokerMetrics& metrics() const;

 private:
  Shard(ShardPorts ports, BrokerSettings settings, std::span<const Route> routes, std::uint64_t seed);
  void committed(std::span<Partition* const> partitions);
  void refuse(const Context& context, const char* why);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edgelog::broker

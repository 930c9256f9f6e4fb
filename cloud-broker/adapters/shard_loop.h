#pragma once
// A shard on its event loop: connections bring requests, a turn ends after the events at hand, an alarm
// wakes it, the clocks are read here. Loop thread only.
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "cloud-broker/adapters/timed_clients.h"
#include "cloud-broker/server/shard.h"
#include "common/io/loop.h"
#include "common/io/tcp_server.h"

namespace edgelog::broker {

class ShardLoop final : public Service {
 public:
  ShardLoop(io::Loop& loop, io::TcpServerOptions options);
  ~ShardLoop() override;

  // Recovers. Nobody is served before listen().
  Status recover(port::Disk& disk, BrokerSettings settings, const StoreConfig& store, std::span<const Route> routes,
                 std::uint64_t seed, std::function<void(const Error&)> fatal);
  // Where the advertised port is 0, clients are told the one that was bound.
  Status listen();
  std::uint16_t port() const { return server_.port(); }
  // After every turn, on the loop's thread.
  void on_turn(std::function<void()> watch) { watch_ = std::move(watch); }

  // Takes no more requests, answers what is in flight, at most `patience` long, then makes everything
  // durable and calls `done`.
  void stop(Duration patience, std::function<void(Status)> done);

  Shard& shard() { return *shard_; }
  const io::TcpServerMetrics& connections() const { return server_.metrics(); }
  const TimedClients& times() const { return clients_; }

  void opened(ConnectionId connection, const std::string& peer_host) override;
  void request(ConnectionId connection, Ticket ticket, MutableBytes request) override;
  void closed(ConnectionId connection) override;

 private:
  static At now() { return {io::boottime_now(), io::wall_now()}; }
  void turn_soon();
  void turn();
  void wake_when_due();
  void stop_when_quiet();

  io::Loop& loop_;
  io::TcpServer server_;
  TimedClients clients_;
  std::unique_ptr<Shard> shard_;
  io::Alarm alarm_, stopping_;
  Instant alarm_at_ = never, stop_by_ = never;
  bool turn_scheduled_ = false;
  std::function<void()> watch_;
  std::function<void(Status)> stopped_;
};

}  // namespace edgelog::broker

#include "cloud-broker/adapters/shard_loop.h"

#include <utility>

#include "common/base/assert.h"

namespace edgelog::broker {

namespace {
constexpr Duration quiet_check = milliseconds(5);
}  // namespace

ShardLoop::ShardLoop(io::Loop& loop, io::TcpServerOptions options)
    : loop_(loop),
      server_(loop, *this, std::move(options)),
      clients_(server_),
      alarm_(loop,
             [this] {
               alarm_at_ = never;
               shard_->wake(now());
               turn_soon();
             }),
      stopping_(loop, [this] { stop_when_quiet(); }) {}

ShardLoop::~ShardLoop() = default;

Status ShardLoop::recover(port::Disk& disk, BrokerSettings settings, const StoreConfig& store,
                          std::span<const Route> routes, std::uint64_t seed, std::function<void(const Error&)> fatal) {
  ShardPorts ports{disk, clients_, [this] { turn_soon(); }, std::move(fatal)};
  auto started = Shard::start(std::move(ports), std::move(settings), store, routes, seed, now());
  if (!started) return std::move(started).error();
  shard_ = std::move(*started);
  return Ok{};
}

Status ShardLoop::listen() {
  TRY(server_.start());
  shard_->bound_to(server_.port());
  return Ok{};
}

void ShardLoop::opened(ConnectionId connection, const std::string& peer_host) { shard_->opened(connection, peer_host); }

void ShardLoop::request(ConnectionId connection, Ticket ticket, MutableBytes request) {
  const At at = now();
  clients_.request(at.now, connection, ticket, request);
  shard_->request(at, connection, ticket, request);
}

void ShardLoop::closed(ConnectionId connection) {
  clients_.closed(connection);
  shard_->closed(connection);
}

void ShardLoop::turn_soon() {
  if (turn_scheduled_) return;
  turn_scheduled_ = true;
  loop_.post([this] { turn(); });
}

void ShardLoop::turn() {
  turn_scheduled_ = false;
  if (shard_ == nullptr) return;
  shard_->end_of_turn(now());
  wake_when_due();
  if (watch_) watch_();
}

// An alarm that rings too early costs less than one that is set anew in every turn.
void ShardLoop::wake_when_due() {
  const Instant due = shard_->deadline();
  if (due >= alarm_at_) return;
  alarm_at_ = due;
  alarm_.wake_at(due);
}

void ShardLoop::stop(Duration patience, std::function<void(Status)> done) {
  stopped_ = std::move(done);
  stop_by_ = io::boottime_now() + patience;
  server_.stop_accepting();
  shard_->drain();
  turn_soon();
  stopping_.wake_at(io::boottime_now() + quiet_check);
}

void ShardLoop::stop_when_quiet() {
  const Instant at = io::boottime_now();
  if (at < stop_by_ && !(shard_->idle() && server_.quiet())) return stopping_.wake_at(at + quiet_check);
  server_.close_all();
  shard_->close(stopped_);
}

}  // namespace edgelog::broker

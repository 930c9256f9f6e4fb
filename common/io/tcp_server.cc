#include "common/io/tcp_server.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/io/connection.h"
#include "common/io/tcp_stream.h"

namespace edgelog::io {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr std::size_t scratch_bytes = 64 << 10;
constexpr Duration sweep_period = seconds(5);
constexpr Duration accept_pause = milliseconds(100);  // after "too many open files"

std::string host_text(const tcp::socket& socket) {
  error_code error;
  auto address = socket.remote_endpoint(error).address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return error ? std::string() : address.to_string();
}
}  // namespace

struct TcpServer::State final : ConnectionHost, std::enable_shared_from_this<State> {
  State(Loop& on, Service& served, TcpServerOptions with)
      : loop(on),
        service_(served),
        options_(std::move(with)),
        acceptor(on.context()),
        scratch_(scratch_bytes),
        sweep(on, [this] { check_idle(); }),
        accept_again(on, [this] { accept(); }) {}

  const TcpServerOptions& options() const override { return options_; }
  TcpServerMetrics& metrics() override { return metrics_; }
  Service& service() override { return service_; }
  MutableBytes scratch() override { return scratch_; }
  bool stopping() const override { return stopping_; }
  Instant now() const override { return boottime_now(); }

  void flush_soon(ConnectionId id) override {
    dirty.push_back(id);
    if (dirty.size() > 1) return;
    loop.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->flush_dirty();
    });
  }
  void flush_dirty() {
    std::vector<ConnectionId> ids;
    ids.swap(dirty);
    for (const ConnectionId id : ids) {
      if (const auto connection = find(id)) connection->flush();
    }
  }

  void forget(ConnectionId id) override {
    const auto at = connections.find(id);
    if (at == connections.end()) return;
    loop.post([dropped = at->second] {});  // it may still be on the stack
    connections.erase(at);
    metrics_.connections.set(static_cast<std::int64_t>(connections.size()));
  }

  bool reserve(ConnectionId id, std::size_t bytes) override {
    // One frame always goes when nothing else is held, or a frame above the limit would wait for ever.
    if (memory > 0 && memory + bytes > options_.memory_bytes_max) {
      waiting.push_back(id);
      return false;
    }
    add_memory(bytes);
    return true;
  }
  void add_memory(std::size_t bytes) override {
    memory += bytes;
    count_memory();
  }
  void count_beginnings(std::size_t before, std::size_t after) override {
    ASSERT(before <= beginnings);
    beginnings += after;
    beginnings -= before;
    count_memory();
  }
  bool too_much() const { return memory + beginnings > options_.memory_bytes_max + options_.memory_bytes_max / 4; }
  void count_memory() {
    metrics_.memory_bytes.set(static_cast<std::int64_t>(memory + beginnings));
    if (shedding || !too_much()) return;
    shedding = true;
    loop.post([weak = weak_from_this()] {  // behind what may be on its way out; and the caller may be the one
      if (const auto self = weak.lock()) self->shed();
    });
  }
  // Who has held memory for longest goes, until there is room: a slow reader, a frame that does not end.
  void shed() {
    shedding = false;
    while (too_much()) {
      std::shared_ptr<Connection> longest;
      for (const auto& [id, connection] : connections) {
        const auto since = connection->burden_since();
        if (since && (!longest || *since < *longest->burden_since())) longest = connection;
      }
      if (!longest) return;
      metrics_.shed.add();
      longest->close();
    }
  }
  void release(std::size_t bytes) override {
    if (bytes == 0) return;
    ASSERT(bytes <= memory);
    memory -= bytes;
    count_memory();
    if (waiting.empty() || resuming) return;
    resuming = true;
    loop.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->resume_waiting();
    });
  }
  void resume_waiting() {
    resuming = false;
    std::deque<ConnectionId> ids;
    ids.swap(waiting);
    for (const ConnectionId id : ids) {
      if (const auto connection = find(id)) connection->resume();
    }
  }

  std::shared_ptr<Connection> find(ConnectionId id) const {
    const auto at = connections.find(id);
    return at == connections.end() ? nullptr : at->second;
  }

  void accept() {
    acceptor.async_accept([weak = weak_from_this()](const error_code& error, tcp::socket socket) {
      const auto self = weak.lock();
      if (!self || self->stopping_ || error == asio::error::operation_aborted) return;
      if (error) {
        LOG(warning, "accept: {}", error.message());
        self->accept_again.wake_at(self->now() + accept_pause);
        return;
      }
      self->take(std::move(socket));
      self->accept();
    });
  }

  void take(tcp::socket socket) {
    metrics_.accepted.add();
    if (connections.size() >= options_.connections_max) {
      metrics_.refused.add();
      return;  // closes it
    }
    const ConnectionId id{next_id++};
    const std::string host = host_text(socket);
    const auto connection = std::make_shared<Connection>(*this, id, std::make_unique<TcpStream>(std::move(socket)));
    connections.emplace(id, connection);
    metrics_.connections.set(static_cast<std::int64_t>(connections.size()));
    service_.opened(id, host);
    connection->start();
    if (!sweeping) {
      sweeping = true;
      sweep.wake_at(now() + std::min(sweep_period, options_.frame_grace));
    }
  }

  void check_idle() {
    const Instant at = now();
    for (const auto& connection : all()) {
      if (!waiting.empty() && connection->dawdles(at)) {
        metrics_.shed.add();
        connection->close();
      }
      connection->check_idle(at);
    }
    sweeping = !connections.empty();  // a server without clients does not wake up
    if (sweeping) sweep.wake_at(at + std::min(sweep_period, options_.frame_grace));
  }

  std::vector<std::shared_ptr<Connection>> all() const {
    std::vector<std::shared_ptr<Connection>> list;
    list.reserve(connections.size());
    for (const auto& [id, connection] : connections) list.push_back(connection);
    return list;
  }

  Loop& loop;
  Service& service_;
  const TcpServerOptions options_;
  tcp::acceptor acceptor;
  Buffer scratch_;
  TcpServerMetrics metrics_;
  std::map<ConnectionId, std::shared_ptr<Connection>> connections;
  std::vector<ConnectionId> dirty;
  std::deque<ConnectionId> waiting;
  std::size_t memory = 0, beginnings = 0;
  std::uint64_t next_id = 1;
  bool stopping_ = false, resuming = false, sweeping = false, shedding = false;
  Alarm sweep, accept_again;
};

TcpServer::TcpServer(Loop& loop, Service& service, TcpServerOptions options)
    : state_(std::make_shared<State>(loop, service, std::move(options))) {}

TcpServer::~TcpServer() {
  stop_accepting();
  close_all();
}

Status TcpServer::start() {
  const auto& options = state_->options_;
  const std::string where = "listen on " + options.host + ":" + std::to_string(options.port);
  error_code error;
  tcp::resolver resolver(state_->loop.context());
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) return Error{Code::invalid, where + ": " + error.message()};
  const tcp::endpoint endpoint = found.begin()->endpoint();
  auto& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return Error{Code::io, where + ": " + error.message()};
  state_->accept();
  return Ok{};
}

std::uint16_t TcpServer::port() const {
  error_code ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

void TcpServer::stop_accepting() {
  state_->stopping_ = true;
  error_code ignored;
  state_->acceptor.close(ignored);
}

bool TcpServer::quiet() const {
  return std::all_of(state_->connections.begin(), state_->connections.end(),
                     [](const auto& entry) { return entry.second->quiet(); });
}

void TcpServer::close_all() {
  for (const auto& connection : state_->all()) connection->close();
}

void TcpServer::respond(ConnectionId connection, Ticket request, Reply reply) {
  if (const auto found = state_->find(connection)) found->respond(request, std::move(reply));
}

void TcpServer::no_response(ConnectionId connection, Ticket request) {
  if (const auto found = state_->find(connection)) found->respond(request, std::nullopt);
}

void TcpServer::close(ConnectionId connection) {
  if (const auto found = state_->find(connection)) found->close();
}

std::size_t TcpServer::room() const {
  const std::size_t max = state_->options_.memory_bytes_max;
  return state_->memory < max ? max - state_->memory : 0;
}

const TcpServerMetrics& TcpServer::metrics() const { return state_->metrics_; }

}  // namespace edgelog::io

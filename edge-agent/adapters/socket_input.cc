#include "edge-agent/adapters/socket_input.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <map>

#include "common/base/log.h"

namespace edgelog::agent {
namespace {

namespace asio = boost::asio;
using local = asio::local::stream_protocol;

constexpr std::size_t connections_max = 256;
constexpr std::size_t chunk_bytes = 16 << 10;
constexpr Duration accept_pause = milliseconds(500);
constexpr int ticket_bits = 40;  // of lines; above them the connection's number

}  // namespace

struct SocketInput::State : std::enable_shared_from_this<SocketInput::State> {
  struct Connection {
    Connection(std::uint64_t n, local::socket s, Intake& intake) : number(n), socket(std::move(s)), feed(intake) {}
    std::uint64_t number;
    local::socket socket;
    LineFeed feed;
    std::array<char, chunk_bytes> chunk;
    bool reading = false, ended = false, writing = false;
    std::uint64_t asked = 0, durable = 0;  // lines
    std::string waiting, leaving;          // the newest answer, and what is being written
  };
  using Ref = std::shared_ptr<Connection>;

  State(io::Loop& loop, std::string p, Intake& i, Driver& d)
      : path(std::move(p)), intake(i), driver(d), acceptor(loop.context()), again(loop, [this] { accept(); }) {}

  std::string path;
  Intake& intake;
  Driver& driver;
  SocketInput* owner = nullptr;
  local::acceptor acceptor;
  io::Alarm again;  // where none can be accepted: no descriptor is left
  std::uint64_t next_number = 1;
  std::map<std::uint64_t, Ref> connections;

  void accept();
  void read(const Ref& c);
  void advance(const Ref& c);
  void answer(const Ref& c, std::string_view line);
  void write(const Ref& c);
  void close(const Ref& c);
  void close_if_done(const Ref& c);
};

void SocketInput::State::accept() {
  acceptor.async_accept([self = shared_from_this()](boost::system::error_code error, local::socket socket) {
    if (error == asio::error::operation_aborted || !self->acceptor.is_open()) return;
    if (!error && self->connections.size() < connections_max) {
      auto c = std::make_shared<Connection>(self->next_number++, std::move(socket), self->intake);
      self->connections.emplace(c->number, c);
      self->read(c);
    }
    if (error) return self->again.wake_at(io::boottime_now() + accept_pause);
    self->accept();
  });
}

void SocketInput::State::read(const Ref& c) {
  if (c->reading || c->ended) return;
  c->reading = true;
  c->socket.async_read_some(asio::buffer(c->chunk),
                            [self = shared_from_this(), c](boost::system::error_code error, std::size_t bytes) {
                              c->reading = false;
                              if (self->owner == nullptr || !self->connections.contains(c->number)) return;
                              c->ended = static_cast<bool>(error);
                              c->feed.feed({c->chunk.data(), error ? 0 : bytes});
                              self->advance(c);
                            });
}

// What was fed is delivered as far as the driver takes it; the next bytes are read when all of it is.
void SocketInput::State::advance(const Ref& c) {
  const bool done = c->ended ? c->feed.finish() : c->feed.go_on();
  driver.settle();
  if (c->feed.lines() > c->asked) {
    c->asked = c->feed.lines();
    driver.when_durable(*owner, c->number << ticket_bits | c->asked);
  }
  if (done) read(c);
  close_if_done(c);
}

// The end came, the last of its lines is durable, and the other side was told.
void SocketInput::State::close_if_done(const Ref& c) {
  if (c->ended && c->feed.idle() && c->durable == c->feed.lines() && !c->writing && c->waiting.empty()) close(c);
}

// The newest says all that those before it say: a reader that is slow misses those.
void SocketInput::State::answer(const Ref& c, std::string_view line) {
  c->waiting = line;
  write(c);
}

void SocketInput::State::write(const Ref& c) {
  if (c->writing || c->waiting.empty()) return;
  c->writing = true;
  c->leaving.clear();
  std::swap(c->leaving, c->waiting);
  asio::async_write(c->socket, asio::buffer(c->leaving),
                    [self = shared_from_this(), c](boost::system::error_code error, std::size_t) {
                      c->writing = false;
                      if (error) return self->close(c);
                      self->write(c);
                      self->close_if_done(c);
                    });
}

void SocketInput::State::close(const Ref& c) {
  boost::system::error_code ignored;
  c->socket.close(ignored);
  connections.erase(c->number);
}

SocketInput::SocketInput(io::Loop& loop, std::string path, Intake& intake, Driver& driver)
    : state_(std::make_shared<State>(loop, std::move(path), intake, driver)) {
  state_->owner = this;
  driver.add_input(intake.options().input, *this);
}

SocketInput::~SocketInput() {
  state_->driver.remove_input(state_->intake.options().input);
  stop();
  state_->owner = nullptr;
}

Status SocketInput::start() {
  State& s = *state_;
  boost::system::error_code error;
  const local::endpoint place(s.path);
  local::socket probe(s.acceptor.get_executor());
  probe.connect(place, error);
  if (!error) return Error{Code::exists, fmt::format("{}: somebody listens there already", s.path)};
  struct stat about{};
  if (lstat(s.path.c_str(), &about) == 0 && S_ISSOCK(about.st_mode)) unlink(s.path.c_str());
  s.acceptor.open(place.protocol(), error);
  if (!error) s.acceptor.bind(place, error);
  if (!error) s.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Error{Code::io, fmt::format("listen on {}: {}", s.path, error.message())};
  // Whoever may write events may do so as this user or its group.
  if (chmod(s.path.c_str(), 0660) != 0) LOG(warning, "{}: its mode could not be set", s.path);
  s.accept();
  return Ok{};
}

void SocketInput::stop() {
  boost::system::error_code ignored;
  if (!state_->acceptor.is_open()) return;
  state_->acceptor.close(ignored);
  state_->again.wake_at(never);
  unlink(state_->path.c_str());
  for (const auto& [number, c] : state_->connections) c->socket.close(ignored);
  state_->connections.clear();
}

void SocketInput::durable(std::uint64_t ticket) {
  const auto found = state_->connections.find(ticket >> ticket_bits);
  if (found == state_->connections.end()) return;
  const auto lines = ticket & ((std::uint64_t{1} << ticket_bits) - 1);
  found->second->durable = lines;
  state_->answer(found->second, fmt::format("{{\"durable\":{}}}\n", lines));
}

void SocketInput::resume() {
  std::vector<State::Ref> all;
  for (const auto& [number, c] : state_->connections)
    if (!c->reading) all.push_back(c);
  for (const auto& c : all)
    if (state_->connections.contains(c->number)) state_->advance(c);
}

}  // namespace edgelog::agent

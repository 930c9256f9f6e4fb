#include "common/io/tcp_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/io/tcp_stream.h"

namespace edgelog::io {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr std::size_t length_bytes = 4;
constexpr std::size_t scratch_bytes = 256 << 10;
constexpr std::size_t pieces_max = 64;
constexpr std::size_t failed_max = 1024;  // names

struct Link : std::enable_shared_from_this<Link> {
  Link(asio::io_context& context, LinkId number, Address dialled, LinkEvents& called)
      : id(number), name(std::move(dialled)), events(called), resolver(context), socket(context), patience(context) {}
  const LinkId id;
  const Address name;
  LinkEvents& events;
  tcp::resolver resolver;
  tcp::socket socket;  // until it is connected
  std::vector<tcp::endpoint> addresses;
  std::size_t tried = 0;           // of these
  asio::steady_timer patience;     // with the one that is being tried
  std::unique_ptr<Stream> stream;  // from then on
  bool gone = false;
  Buffer pending;  // the beginning of a frame
  std::deque<Buffer> out;
  std::size_t out_sent = 0;  // of out.front()
  std::size_t unsent = 0;
  bool writing = false, flush_posted = false;
};
using LinkPtr = std::shared_ptr<Link>;
}  // namespace

struct TcpClient::State : std::enable_shared_from_this<TcpClient::State> {
  State(asio::io_context& io, TcpClientOptions limits) : context(io), options(limits), scratch(scratch_bytes) {}

  void resolve(const LinkPtr& link);
  void begin(const LinkPtr& link);
  void try_next(const LinkPtr& link);
  void be_patient(const LinkPtr& link);
  void note_failed(const Link& link);
  void connected(const LinkPtr& link);
  void wait_to_read(const LinkPtr& link);
  void on_readable(const LinkPtr& link);
  bool read_once(const LinkPtr& link);
  std::optional<std::size_t> take_frames(const LinkPtr& link, Bytes data);
  void flush(const LinkPtr& link);
  void drop_sent(Link& link, std::size_t bytes);
  void forget(const LinkPtr& link);
  void fail(const LinkPtr& link, const std::string& reason);

  asio::io_context& context;
  const TcpClientOptions options;
  Buffer scratch;
  std::unordered_map<LinkId, LinkPtr> links;
  std::map<Address, tcp::endpoint> failed;  // by name: the last address that was tried in vain
  std::uint64_t last_id = 0;
};

void TcpClient::State::resolve(const LinkPtr& link) {
  if (options.resolve) {
    for (const Address& one : options.resolve(link->name))
      link->addresses.emplace_back(asio::ip::make_address(one.host), one.port);
    return asio::post(context, [weak = weak_from_this(), link] {
      if (const auto self = weak.lock()) self->begin(link);
    });
  }
  const auto flags = tcp::resolver::numeric_service;
  link->resolver.async_resolve(
      link->name.host, std::to_string(link->name.port), flags,
      [weak = weak_from_this(), link](const error_code& error, const tcp::resolver::results_type& found) {
        const auto self = weak.lock();
        if (!self || link->gone) return;
        if (error) return self->fail(link, "resolve: " + error.message());
        for (const auto& one : found) link->addresses.push_back(one.endpoint());
        self->begin(link);
      });
}

// The caller's patience may end before all were tried: the next dial goes on behind the one that was last.
void TcpClient::State::begin(const LinkPtr& link) {
  auto& all = link->addresses;
  if (const auto last = failed.find(link->name); last != failed.end())
    if (const auto at = std::find(all.begin(), all.end(), last->second); at != all.end())
      std::rotate(all.begin(), at + 1, all.end());
  try_next(link);
}

// One address that does not answer must not hide the next: the system would try it for minutes.
void TcpClient::State::try_next(const LinkPtr& link) {
  if (link->gone) return;
  if (link->tried == link->addresses.size()) return fail(link, "connect: no address");
  const tcp::endpoint address = link->addresses[link->tried++];
  link->socket = tcp::socket(context);
  be_patient(link);
  link->socket.async_connect(address, [weak = weak_from_this(), link](const error_code& error) {
    const auto self = weak.lock();
    if (!self || link->gone) return;
    if (!error && link->socket.is_open()) return self->connected(link);
    self->note_failed(*link);
    if (link->tried < link->addresses.size()) return self->try_next(link);
    const bool late = error == asio::error::operation_aborted || !error;
    self->fail(link, late ? "connect: timed out" : "connect: " + error.message());
  });
}

// An alarm that is on its way while the next address is tried already is not the next one's.
void TcpClient::State::be_patient(const LinkPtr& link) {
  if (link->addresses.size() < 2) return;
  link->patience.expires_after(std::chrono::nanoseconds(options.address_timeout.value()));
  link->patience.async_wait([link, number = link->tried](const error_code& error) {
    error_code ignored;
    if (!error && !link->gone && !link->stream && link->tried == number) link->socket.close(ignored);
  });
}

void TcpClient::State::note_failed(const Link& link) {
  if (link.stream || link.tried == 0) return;
  if (failed.size() >= failed_max) failed.clear();
  failed[link.name] = link.addresses[link.tried - 1];
}

void TcpClient::State::connected(const LinkPtr& link) {
  link->patience.cancel();
  failed.erase(link->name);
  link->stream = std::make_unique<TcpStream>(std::move(link->socket));
  link->events.opened(link->id);
  if (link->gone) return;
  wait_to_read(link);
  flush(link);
}

void TcpClient::State::wait_to_read(const LinkPtr& link) {
  if (link->gone) return;
  link->stream->wait_readable([weak = weak_from_this(), weak_link = std::weak_ptr<Link>(link)] {
    const auto self = weak.lock();
    const auto locked = weak_link.lock();
    if (self && locked && !locked->gone) self->on_readable(locked);
  });
}

void TcpClient::State::on_readable(const LinkPtr& link) {
  for (int round = 0; round < 8 && read_once(link); ++round) {
  }
  wait_to_read(link);
}

// True if more may be there at once.
bool TcpClient::State::read_once(const LinkPtr& link) {
  const Moved moved = link->stream->read(scratch);
  if (moved.bytes > 0) {
    const Bytes fresh = Bytes(scratch).first(moved.bytes);
    Buffer whole;  // not `pending` itself: an event may close the link
    if (!link->pending.empty()) {
      whole = std::move(link->pending);
      append(whole, fresh);
    }
    const Bytes data = whole.empty() ? fresh : Bytes(whole);
    const auto used = take_frames(link, data);
    if (link->gone) return false;
    if (!used) return fail(link, "frame too long"), false;
    if (*used == 0 && !whole.empty()) {
      link->pending = std::move(whole);
    } else {
      link->pending.assign(data.begin() + static_cast<std::ptrdiff_t>(*used), data.end());
    }
  }
  if (moved.went == Went::ended) return fail(link, "closed by the peer"), false;
  return moved.went == Went::on && moved.bytes == scratch.size();
}

// Bytes of whole frames at the beginning of `data`; nothing for a length that is out of bounds.
std::optional<std::size_t> TcpClient::State::take_frames(const LinkPtr& link, Bytes data) {
  std::size_t used = 0;
  while (!link->gone && data.size() - used >= length_bytes) {
    const auto length = load_big<std::int32_t>(data.data() + used);
    if (length < 0 || static_cast<std::size_t>(length) > options.frame_bytes_max) return std::nullopt;
    const auto size = static_cast<std::size_t>(length);
    if (data.size() - used - length_bytes < size) break;
    link->events.received(link->id, data.subspan(used + length_bytes, size));
    used += length_bytes + size;
  }
  return used;
}

void TcpClient::State::flush(const LinkPtr& link) {
  link->flush_posted = false;
  if (link->gone || !link->stream || link->writing) return;
  while (!link->out.empty()) {
    std::array<Bytes, pieces_max> pieces;
    std::size_t count = 0;
    for (auto at = link->out.begin(); at != link->out.end() && count < pieces.size(); ++at) pieces[count++] = *at;
    pieces[0] = pieces[0].subspan(link->out_sent);
    const Moved moved = link->stream->write(std::span<const Bytes>(pieces.data(), count));
    if (moved.went == Went::ended) return fail(link, "write: connection broken");
    drop_sent(*link, moved.bytes);
    if (moved.went != Went::would_block) continue;
    link->writing = true;
    link->stream->wait_writable([weak = weak_from_this(), weak_link = std::weak_ptr<Link>(link)] {
      const auto self = weak.lock();
      const auto locked = weak_link.lock();
      if (!self || !locked || locked->gone) return;
      locked->writing = false;
      self->flush(locked);
    });
    return;
  }
}

void TcpClient::State::drop_sent(Link& link, std::size_t bytes) {
  ASSERT(bytes <= link.unsent);
  link.unsent -= bytes;
  for (link.out_sent += bytes; !link.out.empty() && link.out_sent >= link.out.front().size(); link.out.pop_front())
    link.out_sent -= link.out.front().size();
}

void TcpClient::State::forget(const LinkPtr& link) {
  link->gone = true;
  link->resolver.cancel();
  link->patience.cancel();
  error_code ignored;
  if (link->stream)
    link->stream.reset();
  else
    link->socket.close(ignored);
  links.erase(link->id);
}

void TcpClient::State::fail(const LinkPtr& link, const std::string& reason) {
  if (link->gone) return;
  forget(link);
  link->events.closed(link->id, reason);
}

TcpClient::TcpClient(Loop& loop, TcpClientOptions options) : state_(std::make_shared<State>(loop.context(), options)) {}

TcpClient::~TcpClient() {
  while (!state_->links.empty()) state_->forget(LinkPtr(state_->links.begin()->second));
}

LinkId TcpClient::dial(const Address& address, LinkEvents& events) {
  const LinkId id{++state_->last_id};
  const auto link = std::make_shared<Link>(state_->context, id, address, events);
  state_->links.emplace(id, link);
  state_->resolve(link);
  return id;
}

void TcpClient::send(LinkId id, Buffer frame) {
  const auto found = state_->links.find(id);
  if (found == state_->links.end()) return;
  const LinkPtr link = found->second;
  ASSERT(frame.size() >= length_bytes && load_big<std::int32_t>(frame.data()) + length_bytes == frame.size());
  link->unsent += frame.size();
  link->out.push_back(std::move(frame));
  if (link->flush_posted) return;
  link->flush_posted = true;  // what else is sent in this turn goes out with it
  asio::post(state_->context, [weak = std::weak_ptr<State>(state_), link] {
    if (const auto state = weak.lock()) state->flush(link);
  });
}

std::size_t TcpClient::unsent(LinkId id) const {
  const auto found = state_->links.find(id);
  return found == state_->links.end() ? 0 : found->second->unsent;
}

void TcpClient::close(LinkId id) {
  const auto found = state_->links.find(id);
  if (found == state_->links.end()) return;
  const LinkPtr link = found->second;
  state_->note_failed(*link);
  state_->forget(link);
}

}  // namespace edgelog::io

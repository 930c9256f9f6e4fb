// What a stranger may send to a broker's port, served by a whole shard on a disk in memory: raw frames, and requests
// of every API in every version whose fields the input chooses. In between time passes, connections close, and the
// process is killed or closes and starts again on what it has accepted. Nothing may end it, and a request is answered
// once at most.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

#include "cloud-broker/server/handlers/table.h"
#include "cloud-broker/server/shard.h"
#include "common/base/assert.h"
#include "common/wire/all.h"
#include "common/wire/header.h"
#include "tests/fuzz/plausible.h"
#include "tests/support/sim_disk.h"

namespace {

using namespace edgelog;

// Takes names and numbers out of what the shard answered.
class Reader {
 public:
  Reader(wire::Version version, fuzz::Known& known) : version_(version), known_(known) {}
  template <class T>
  void field(T& f, wire::Versions in = wire::always, wire::Nullable = wire::never_null) {
    if (in.has(version_)) read(f);
  }
  template <class... T>
  void tags(wire::Tagged<T>...) {}

 private:
  template <class T>
  void read(T& f) {
    if constexpr (std::is_same_v<T, ProducerId> || std::is_same_v<T, Offset>) {
      fuzz::Known::note(known_.numbers, static_cast<std::int64_t>(f.value()));
    } else if constexpr (std::is_same_v<T, Uuid>) {
      if (f != Uuid{}) fuzz::Known::note(known_.ids, f);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!f.empty() && f.size() < 100) fuzz::Known::note(known_.words, f);
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T> || wire::detail::is_strong<T> ||
                         std::is_same_v<T, Bytes>) {
    } else if constexpr (wire::detail::is_vector<T>) {
      for (std::size_t i = 0; i < std::min<std::size_t>(f.size(), 3); ++i) read(f[i]);
    } else if constexpr (wire::detail::is_optional<T>) {
      if (f) read(*f);
    } else {
      T::describe(*this, f);
    }
  }

  wire::Version version_;
  fuzz::Known& known_;
};

class World final : public Clients {
 public:
  World() {
    settings_.controller.partitions_max = 20;
    settings_.groups.initial_rebalance_delay = Duration{0};
    settings_.plain_bytes_max = 1 << 20;
    start();
  }

  void play(fuzz::Input& input) {
    for (int steps = 0; !input.ended() && steps < 200; ++steps) {
      const std::uint8_t what = input.byte();
      if (what % 4 == 0)
        send(input.take(input.raw(2)));
      else if (what % 4 == 3)
        world_goes_on(what / 4, input);
      else
        plausible(input);
      settle();
    }
    later(seconds(700));
    restart(true);
    restart(false);
  }

  // Clients
  void respond(ConnectionId connection, Ticket ticket, Reply reply) override {
    if (connection != connection_ || closed_) return;
    const auto sent = asked_.find(ticket.value());
    ASSERT(sent != asked_.end());  // once
    const auto [key, version] = sent->second;
    asked_.erase(sent);
    Buffer whole;
    for (const Buffer& part : reply.parts) append(whole, part);
    wire::for_each_api([&]<class Request, class Response>() {
      if (Response::api.key == key && Response::api.serves(version)) learn<Response>(whole, version);
    });
  }
  void no_response(ConnectionId connection, Ticket ticket) override {
    ASSERT(connection != connection_ || closed_ || asked_.erase(ticket.value()) == 1);
  }
  void close(ConnectionId connection) override {
    if (connection == connection_) closed_ = true;
    shard_->closed(connection);
  }
  std::size_t room() const override { return 1 << 20; }

 private:
  void start() {
    auto made = broker::Shard::start({disk_, *this, [] {}, [](const Error&) { std::abort(); }}, settings_, {},
                                     broker::handler_table(), seed_++, at_);
    ASSERT(made);
    shard_ = std::move(*made);
    connect();
  }
  void connect() {
    connection_ = ConnectionId{connection_.value() + 1};
    closed_ = false;
    asked_.clear();
    shard_->opened(connection_, "127.0.0.1");
  }
  void restart(bool cleanly) {
    if (cleanly) {
      shard_->drain();
      settle();
      bool done = false;
      shard_->close([&](Status status) { done = static_cast<bool>(status); });
      disk_.complete_all();
      ASSERT(done);
    }
    shard_.reset();
    disk_.kill();
    start();
  }

  template <class Response>
  void learn(Bytes frame, wire::Version version) {
    std::int32_t correlation = 0;
    Response response;
    ASSERT(wire::take_response_header(frame, Response::api, version, correlation));
    ASSERT(wire::decode(frame, version, response));
    Reader reader(version, known_);
    Response::describe(reader, response);
  }

  void send(Bytes bytes) {
    Buffer frame(bytes.begin(), bytes.end());
    const Ticket ticket{ticket_++};
    std::pair<std::int16_t, wire::Version> what{-1, 0};
    if (frame.size() >= 4) what = {load_big<std::int16_t>(frame.data()), load_big<std::int16_t>(frame.data() + 2)};
    asked_.emplace(ticket.value(), what);
    shard_->request(at_, connection_, ticket, frame);
  }

  void plausible(fuzz::Input& input) {
    const std::uint8_t which = input.byte(), chosen = input.byte();
    int number = 0;
    wire::for_each_api([&]<class Request, class Response>() {
      constexpr int apis = 28;
      if (number++ != which % apis) return;
      const auto versions = Request::api.last - Request::api.first + 1;
      const auto version = static_cast<wire::Version>(Request::api.first + chosen % versions);
      fuzz::Plausible plausible(version, input, known_);
      Request request;
      Request::describe(plausible, request);
      Buffer frame;
      wire::encode_request({Request::api.key, version, 7, "kcat"}, request, frame);
      send(Bytes(frame).subspan(wire::frame_size_bytes));
    });
  }

  void world_goes_on(int what, fuzz::Input& input) {
    switch (what % 4) {
      case 0: return later(milliseconds(static_cast<std::int64_t>(input.raw(2))));
      case 1: shard_->closed(connection_); return connect();
      case 2: return restart(true);
      default: return restart(false);
    }
  }

  void later(Duration by) {
    at_ = {at_.now + by, at_.wall + by};
    for (int round = 0; round < 4 && shard_->deadline() <= at_.now; ++round) {
      shard_->wake(at_);
      settle();
    }
  }
  void settle() {
    for (int round = 0; round < 3; ++round) {
      shard_->end_of_turn(at_);
      disk_.complete_all();
    }
    if (closed_) connect();
  }

  testing::SimDisk disk_;
  broker::BrokerSettings settings_;
  std::unique_ptr<broker::Shard> shard_;
  broker::At at_{Instant{1'000'000'000}, WallMillis{1'700'000'000'000}};
  ConnectionId connection_{0};
  bool closed_ = false;
  std::uint64_t ticket_ = 0, seed_ = 1;
  std::map<std::uint64_t, std::pair<std::int16_t, wire::Version>> asked_;
  fuzz::Known known_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  fuzz::Input input(Bytes(reinterpret_cast<const std::byte*>(data), size));
  world.play(input);
  return 0;
}

// What a stranger may send to a broker's port: frames, each with two bytes of length in front, served by a
// whole shard on a disk in memory. Nothing may end the process.
#include <algorithm>
#include <cstdlib>

#include "cloud-broker/server/handlers/table.h"
#include "cloud-broker/server/shard.h"
#include "common/base/assert.h"
#include "tests/support/sim_disk.h"

namespace {

using namespace edgelog;

class Deaf final : public Clients {
 public:
  broker::Shard* shard = nullptr;
  void respond(ConnectionId, Ticket, Reply) override {}
  void no_response(ConnectionId, Ticket) override {}
  void close(ConnectionId connection) override { shard->closed(connection); }
  std::size_t room() const override { return 1 << 20; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::SimDisk disk;
  Deaf clients;
  broker::BrokerSettings settings;
  settings.controller.partitions_max = 20;
  settings.groups.initial_rebalance_delay = Duration{0};
  broker::At at{Instant{1'000'000'000}, WallMillis{1'700'000'000'000}};
  auto shard = broker::Shard::start({disk, clients, [] {}, [](const Error&) { std::abort(); }}, settings, {},
                                    broker::handler_table(), 1, at);
  ASSERT(shard);
  clients.shard = shard->get();
  const ConnectionId connection{1};
  (*shard)->opened(connection, "127.0.0.1");
  std::uint64_t ticket = 0;
  for (Bytes rest(reinterpret_cast<const std::byte*>(data), size); rest.size() > 2;) {
    const std::size_t length = std::min<std::size_t>(load_big<std::uint16_t>(rest.data()), rest.size() - 2);
    const Bytes view = rest.subspan(2, length);
    Buffer frame(view.begin(), view.end());
    rest = rest.subspan(2 + length);
    (*shard)->request(at, connection, Ticket{ticket++}, frame);
    (*shard)->end_of_turn(at);
    disk.complete_all();
    at = {at.now + milliseconds(200), at.wall + milliseconds(200)};
    if ((*shard)->deadline() <= at.now) (*shard)->wake(at);
  }
  return 0;
}

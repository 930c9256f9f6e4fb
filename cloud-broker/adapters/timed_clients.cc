#include "cloud-broker/adapters/timed_clients.h"

#include "common/io/loop.h"
#include "common/wire/fetch.h"
#include "common/wire/produce.h"

namespace edgelog::broker {

void TimedClients::request(Instant now, ConnectionId connection, Ticket ticket, Bytes frame) {
  if (frame.size() < sizeof(std::int16_t)) return;
  const auto key = load_big<std::int16_t>(frame.data());
  Durations* const of = key == wire::produce_api.key ? &produces_ : key == wire::fetch_api.key ? &fetches_ : nullptr;
  if (of != nullptr) begun_[{connection, ticket}] = {of, now};
}

void TimedClients::ended(ConnectionId connection, Ticket request) {
  const auto at = begun_.find({connection, request});
  if (at == begun_.end()) return;
  at->second.of->observe(io::boottime_now() - at->second.at);
  begun_.erase(at);
}

void TimedClients::respond(ConnectionId connection, Ticket request, Reply reply) {
  ended(connection, request);
  clients_.respond(connection, request, std::move(reply));
}

void TimedClients::no_response(ConnectionId connection, Ticket request) {
  ended(connection, request);
  clients_.no_response(connection, request);
}

void TimedClients::closed(ConnectionId connection) {
  begun_.erase(begun_.lower_bound({connection, Ticket{0}}),
               begun_.lower_bound({ConnectionId{connection.value() + 1}, Ticket{0}}));
}

}  // namespace edgelog::broker

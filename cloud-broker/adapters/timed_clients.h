#pragma once
// The shard's clients, with a watch: how long Produce and Fetch requests take from their last byte to their answer.
// Loop thread only; the durations may be read on any.
#include <map>
#include <utility>

#include "common/base/durations.h"
#include "common/port/clients.h"

namespace edgelog::broker {

class TimedClients final : public Clients {
 public:
  explicit TimedClients(Clients& clients) : clients_(clients) {}

  void request(Instant now, ConnectionId connection, Ticket ticket, Bytes frame);
  void closed(ConnectionId connection);

  void respond(ConnectionId connection, Ticket request, Reply reply) override;
  void no_response(ConnectionId connection, Ticket request) override;
  void close(ConnectionId connection) override { clients_.close(connection); }
  std::size_t room() const override { return clients_.room(); }

  const Durations& produces() const { return produces_; }
  const Durations& fetches() const { return fetches_; }

 private:
  struct Begun {
    Durations* of;
    Instant at;
  };
  void ended(ConnectionId connection, Ticket request);

  Clients& clients_;
  std::map<std::pair<ConnectionId, Ticket>, Begun> begun_;  // as many as connections may have in flight
  Durations produces_, fetches_;
};

}  // namespace edgelog::broker

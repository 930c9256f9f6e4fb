#pragma once
// Sends responses: header, body, throttle time. What a handler answers goes through here, once per request.
#include <utility>
#include <vector>

#include "cloud-broker/server/context.h"
#include "cloud-broker/server/metrics.h"
#include "common/port/clients.h"
#include "common/wire/codec.h"

namespace edgelog::broker {

class Replies {
 public:
  Replies(Clients& clients, BrokerMetrics& metrics) : clients_(clients), metrics_(metrics) {}

  template <class Response>
  void send(const Context& to, Response& response) {
    response.throttle_time_ms = throttle(to);
    Buffer out = header(to);
    wire::encode(response, to.version, out);
    Reply reply;
    reply.parts.push_back(std::move(out));
    clients_.respond(to.connection, to.ticket, std::move(reply));
  }
  // As send(), but large byte fields, each of which is one of `owners`, are moved and not copied.
  template <class Response>
  void send(const Context& to, Response& response, std::vector<Buffer> owners) {
    response.throttle_time_ms = throttle(to);
    Buffer out = header(to);
    std::vector<wire::Splice> splices;
    wire::encode_spliced(response, to.version, out, splices);
    clients_.respond(to.connection, to.ticket, spliced(std::move(out), splices, std::move(owners)));
  }
  void nothing(const Context& to) { clients_.no_response(to.connection, to.ticket); }
  void close(const Context& to) { clients_.close(to.connection); }

  // Bytes that a response may have now, without the process growing beyond its bounds.
  std::size_t room() const { return clients_.room(); }
  BrokerMetrics& metrics() { return metrics_; }

 private:
  // KIP-219: no quotas yet, so nobody is throttled.
  static wire::Millis throttle(const Context&) { return wire::Millis{0}; }
  static Buffer header(const Context& to);
  static Reply spliced(Buffer out, const std::vector<wire::Splice>& splices, std::vector<Buffer> owners);

  Clients& clients_;
  BrokerMetrics& metrics_;
};

}  // namespace edgelog::broker

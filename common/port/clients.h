#pragma once
// The edge of the world where clients are: whole requests come in, whole responses go out. Two
// implementations: common/io/tcp_server in production, an event queue in the simulator. Every call
// is on the shard's thread.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/strong.h"

namespace edgelog {

using ConnectionId = Strong<struct ConnectionIdTag, std::uint64_t>;  // never used twice in a process
using Ticket = Strong<struct TicketTag, std::uint64_t>;              // a request of a connection, from 0

// A response in pieces that are written one after the other, so that a large piece (the records of a
// Fetch) is moved here and never copied. Without the frame's length, which the adapter puts in front.
struct Reply {
  std::vector<Buffer> parts;
  std::size_t size() const {
    std::size_t sum = 0;
    for (const auto& part : parts) sum += part.size();
    return sum;
  }
};

// What a shard may ask of its clients' connections. An unknown or closed connection is ignored:
// the other side may go at any time.
class Clients {
 public:
  virtual ~Clients() = default;
  // Answers a request, in any order: the connection sends replies in the order of its requests.
  virtual void respond(ConnectionId connection, Ticket request, Reply reply) = 0;
  // This request has no response (Produce with acks=0).
  virtual void no_response(ConnectionId connection, Ticket request) = 0;
  // Closes at once, without sending what is queued. Calls closed() before it returns.
  virtual void close(ConnectionId connection) = 0;
  // Bytes that replies may take now without the process growing beyond its limit.
  virtual std::size_t room() const = 0;
};

// Who serves: a shard. `request` is a frame without its length, valid during the call only; the shard may
// write into it, since a record batch is stamped where it lies.
class Service {
 public:
  virtual ~Service() = default;
  virtual void opened(ConnectionId connection, const std::string& peer_host) = 0;
  virtual void request(ConnectionId connection, Ticket ticket, MutableBytes request) = 0;
  virtual void closed(ConnectionId connection) = 0;
};

}  // namespace edgelog

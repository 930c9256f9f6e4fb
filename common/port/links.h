#pragma once
// Connections that we open, as a client of somebody's protocol of length-prefixed frames sees them. Two
// implementations: common/io/tcp_client in production, an event queue in the simulator. Owner's thread only.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/bytes.h"
#include "common/base/strong.h"

namespace edgelog {

using LinkId = Strong<struct LinkIdTag, std::uint64_t>;  // never used twice in a process

struct Address {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const Address&) const = default;
};

class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual void opened(LinkId link) = 0;
  // A frame without its length; valid during the call only.
  virtual void received(LinkId link, Bytes frame) = 0;
  // Once, for a link that could not be opened, was ended by the other side, or sent what is no frame. Not
  // after close().
  virtual void closed(LinkId link, const std::string& reason) = 0;
};

class Links {
 public:
  virtual ~Links() = default;
  // Begins to connect; opened() or closed() follows, never before dial() has returned. `events` outlives
  // the link.
  virtual LinkId dial(const Address& address, LinkEvents& events) = 0;
  // Queues a whole frame, its length in front, behind those queued before. How much is queued is the
  // caller's to bound: see unsent(). Ignored for a link that is gone.
  virtual void send(LinkId link, Buffer frame) = 0;
  // Bytes that were queued and that the system has not taken yet.
  virtual std::size_t unsent(LinkId link) const = 0;
  // At once; nothing is called for this link any more.
  virtual void close(LinkId link) = 0;
};

}  // namespace edgelog

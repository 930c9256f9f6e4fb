#pragma once
// Paho has no setting for TCP_NODELAY. Without it Nagle's algorithm (RFC 896) keeps a batch back while the four bytes
// of a PUBACK before it wait for their delayed TCP ACK (RFC 1122 4.2.3.2): 40 ms on Linux, for every second batch.
#include <cstdint>

namespace edgelog::io {

// Turns Nagle's algorithm off on this process's TCP connections to a peer's `port`. Any thread; what fails is left
// as it is. Returns the count of connections that it was turned off for.
int no_delay(std::uint16_t port);

}  // namespace edgelog::io

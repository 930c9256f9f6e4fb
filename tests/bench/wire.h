#pragma once
// Counts what a TCP port's traffic on the loopback device would take on a network of 1,500-byte frames:
// payload, and an IPv4 and TCP header (with the timestamps option) per segment of at most 1,448 bytes. Bare
// acknowledgements count as seen. Needs CAP_NET_RAW. One thread.
#include <cstdint>

#include "common/base/result.h"
#include "common/base/time.h"

namespace edgelog::bench {

struct WireCount {
  std::uint64_t payload_bytes = 0, wire_bytes = 0, segments = 0;
  std::uint64_t missed = 0;  // packets that the kernel could not hand over: the figures are too low
};

Result<WireCount> count_wire(std::uint16_t port, Duration how_long, const bool& stop);

}  // namespace edgelog::bench

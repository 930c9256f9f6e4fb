#pragma once
// The way to the cloud's MQTT server as the driver uses it. Driver's thread.
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace edgelog::agent {

class Uplink {
 public:
  virtual ~Uplink() = default;
  virtual bool connected() const = 0;
  // QoS 1. `partition`: the user property p of a batch. Gives the ticket that handed_over() will name.
  // Code::full: no place in the send window; Code::closed: no connection.
  virtual Result<std::uint64_t> publish(const std::string& topic, Bytes payload, std::optional<std::int32_t> partition,
                                        bool retain) = 0;
};

}  // namespace edgelog::agent

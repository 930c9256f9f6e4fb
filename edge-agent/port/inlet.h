#pragma once
// An input as the driver sees it: where the answers for what it delivered go. Driver's thread.
#include <cstdint>
#include <string_view>

namespace edgelog::agent {

class Inlet {
 public:
  virtual ~Inlet() = default;
  // Everything that was delivered before this ticket was given is durable.
  virtual void durable(std::uint64_t ticket) = 0;
  // To a device with a ring: all numbers of this incarnation through `through` are durable.
  virtual void confirm(std::string_view device, std::string_view incarnation, std::int64_t through) = 0;
  // What was blocked may be offered again.
  virtual void resume() = 0;
};

}  // namespace edgelog::agent

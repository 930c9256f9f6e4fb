#pragma once
// A bit of a broker's log that no checksum covers.
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/prng.h"
#include "tests/support/sim_disk.h"

namespace edgelog::testing {

struct BitPlace {
  std::string file;
  std::uint64_t byte = 0;
  unsigned bit = 0;
};

// Of the first 16 bytes of some batch in a closed segment (its offset, length and leader epoch, which a batch's CRC
// leaves out), but for the last batch; one that is set, so that the value becomes less. Nothing where the chosen one
// is not set, or no segment is closed.
std::optional<BitPlace> unchecked_bit(const SimDisk& disk, Prng& random);

}  // namespace edgelog::testing

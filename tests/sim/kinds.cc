#include "tests/sim/broker/broker.h"
#include "tests/sim/edge/edge.h"
#include "tests/sim/kind.h"

namespace edgelog::sim {

// Every simulator, by name.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{edge::kind(), broker::kind()};
  return all;
}

}  // namespace edgelog::sim

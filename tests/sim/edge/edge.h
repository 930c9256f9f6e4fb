#pragma once
// The world of the edge: devices, a site's MQTT, the real agent core over a log in memory, the cloud's MQTT, two
// gateways with the real core, and a model of the log with Kafka's rules. docs/SIMULATION.md.
#include "tests/sim/kind.h"

namespace edgelog::sim::edge {

Kind kind();

}  // namespace edgelog::sim::edge

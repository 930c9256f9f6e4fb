#pragma once
// Every API that this broker serves. What is not here is not offered, and closes the connection.
#include <span>

#include "cloud-broker/server/world.h"

namespace edgelog::broker {

std::span<const Route> handler_table();

}  // namespace edgelog::broker

#pragma once
// Kafka's error codes as the gateway judges them.
#include <cstdint>

#include "common/wire/errors.h"

namespace edgelog::gateway {

using wire::code;
using wire::ErrorCode;

// The same question may succeed a moment later; whether it has taken effect already is not known.
bool is_retriable(std::int16_t error);

}  // namespace edgelog::gateway

#pragma once
// What every message header needs. A message is a plain struct with `api` and one describe(); requests and
// responses decode to views of the frame for byte fields (Bytes) and copies for strings.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/wire/codec.h"
#include "common/wire/errors.h"

namespace edgelog::wire {

// Authorized operations that were not asked for (KIP-430).
inline constexpr std::int32_t not_asked = INT32_MIN;

}  // namespace edgelog::wire

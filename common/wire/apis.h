#pragma once
// The APIs of which we know the messages, by key. What a broker offers of them is what it has handlers for.
#include <span>

#include "common/wire/codec.h"

namespace edgelog::wire {

std::span<const Api> apis();            // ascending by key
const Api* find_api(std::int16_t key);  // null: none of ours

}  // namespace edgelog::wire

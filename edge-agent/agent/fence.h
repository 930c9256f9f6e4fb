#pragma once
// The marker that closes a producer id for ever (rule 7): one record as (id, epoch 32767, sequence 0).
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace edgelog::agent {

Buffer fence_batch(ProducerId id, WallMillis timestamp);

}  // namespace edgelog::agent

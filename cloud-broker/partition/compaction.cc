#include "cloud-broker/partition/partition_log.h"

namespace edgelog::broker {

Status PartitionLog::compact(WallMillis) { return Ok{}; }

}  // namespace edgelog::broker

#pragma once
// What /metrics and /readyz say of a broker.
#include "cloud-broker/adapters/shard_loop.h"
#include "common/base/metrics.h"
#include "common/io/admin_http.h"

namespace edgelog::broker {

// `node` and `syncs` outlive the list. Names begin with edgelog_broker_.
void list_metrics(MetricList& list, ShardLoop& node, const Durations& syncs);
// Loop thread, after each turn: subjects "disk" and "partitions".
void watch_readiness(Shard& shard, io::Readiness& readiness);

}  // namespace edgelog::broker

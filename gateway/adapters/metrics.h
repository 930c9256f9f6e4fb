#pragma once
// The gateway's figures by name. No metric carries an agent's name.
#include "common/base/metrics.h"
#include "common/client/client.h"
#include "gateway/bridge/bridge.h"

namespace edgelog::gateway {

void list_metrics(const Bridge& bridge, const client::Client& client, MetricList& list);

}  // namespace edgelog::gateway

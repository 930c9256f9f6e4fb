#pragma once
// The shard's own counts, read by /metrics on another thread.
#include <array>
#include <cstdint>

#include "common/base/metrics.h"

namespace edgelog::broker {

struct BrokerMetrics {
  static constexpr std::size_t api_keys = 96;  // above the largest key that is offered
  std::array<Counter, api_keys> requests;
  Counter malformed, unsupported, error_responses;
  Counter produced_batches, produced_records, produced_bytes, produce_errors, fetched_bytes, fetch_errors;
  Counter group_steps, offset_commits, rebalances;
  Gauge topics, groups, members, parked_fetches, waiting_produces;
};

}  // namespace edgelog::broker

#pragma once
// What a shard is told by its configuration. main.cc has the table with units and reasons.
#include <cstdint>
#include <string>

#include "cloud-broker/controller/controller.h"
#include "cloud-broker/group/types.h"
#include "common/base/ids.h"

namespace edgelog::broker {

struct BrokerSettings {
  NodeId node{1};
  std::string advertised_host = "127.0.0.1";
  std::int32_t advertised_port = 9092;
  bool auto_create_topics = true;
  std::int32_t fetch_bytes_max = 57'671'680;   // of one Fetch response: Kafka's fetch.max.bytes on the broker
  std::int32_t produce_waiting_max = 100'000;  // unanswered Produce requests of all clients
  std::int32_t fetch_waiting_max = 100'000;    // parked Fetch requests
  std::size_t plain_bytes_max = 256u << 20;    // of one batch once decompressed
  std::int64_t agent_producer_memory_ms = 7'776'000'000;  // how long the store remembers an agent's id: 90 days
  ControllerSettings controller;
  group::Settings groups;
};

}  // namespace edgelog::broker

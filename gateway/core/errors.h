#pragma once
// Kafka's error codes as the gateway judges them.
#include <cstdint>

namespace edgelog::gateway {

enum KafkaError : std::int16_t {
  none = 0,
  offset_out_of_range = 1,
  corrupt_message = 2,
  unknown_topic_or_partition = 3,
  leader_not_available = 5,
  request_timed_out = 7,
  message_too_large = 10,
  network_exception = 13,
  topic_authorization_failed = 29,
  cluster_authorization_failed = 31,
  invalid_request = 42,
  out_of_order_sequence_number = 45,
  invalid_record = 87,
};

// The same question may succeed a moment later, and whether it has taken effect already is not known.
bool is_retriable(std::int16_t error);

}  // namespace edgelog::gateway

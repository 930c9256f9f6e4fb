#include "gateway/core/errors.h"

namespace edgelog::gateway {

bool is_retriable(std::int16_t error) {
  switch (error) {
    case unknown_topic_or_partition:  // while metadata travels, or a broker starts
    case leader_not_available:
    case 6:  // NOT_LEADER_OR_FOLLOWER
    case request_timed_out:
    case 8:  // BROKER_NOT_AVAILABLE
    case 9:  // REPLICA_NOT_AVAILABLE
    case network_exception:
    case 14:  // COORDINATOR_LOAD_IN_PROGRESS
    case 15:  // COORDINATOR_NOT_AVAILABLE
    case 16:  // NOT_COORDINATOR
    case 19:  // NOT_ENOUGH_REPLICAS
    case 20:  // NOT_ENOUGH_REPLICAS_AFTER_APPEND
    case 41:  // NOT_CONTROLLER
    case 56:  // KAFKA_STORAGE_ERROR
    case 74:  // FENCED_LEADER_EPOCH
    case 75:  // UNKNOWN_LEADER_EPOCH
    case 78:  // OFFSET_NOT_AVAILABLE
    case 89:  // THROTTLING_QUOTA_EXCEEDED
      return true;
    default:
      return false;
  }
}

}  // namespace edgelog::gateway

#include "gateway/core/errors.h"

namespace edgelog::gateway {

bool is_retriable(std::int16_t error) {
  switch (static_cast<ErrorCode>(error)) {
    case ErrorCode::unknown_topic_or_partition:  // while metadata travels, or a broker starts
    case ErrorCode::leader_not_available:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::request_timed_out:
    case ErrorCode::network_exception:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::not_enough_replicas_after_append:
    case ErrorCode::not_controller:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::unknown_leader_epoch:
    case ErrorCode::offset_not_available: return true;
    default: return error == 8 || error == 9 || error == 89;  // broker or replica not available, throttled
  }
}

}  // namespace edgelog::gateway

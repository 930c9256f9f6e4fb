#include "gateway/core/errors.h"

namespace edgelog::gateway {

bool is_retriable(std::int16_t error) {
  const auto known = static_cast<ErrorCode>(error);
  // An unknown topic passes while metadata travels, or a broker starts.
  return known == ErrorCode::unknown_topic_or_partition || wire::may_pass(known);
}

}  // namespace edgelog::gateway

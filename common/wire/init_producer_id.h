#pragma once
// InitProducerId: a producer id for an idempotent or transactional producer (KIP-98, KIP-360).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api init_producer_id_api{.key = 22, .name = "InitProducerId", .first = 0, .last = 4, .flexible = 2};

struct InitProducerIdRequest {
  static constexpr const Api& api = init_producer_id_api;
  std::optional<std::string> transactional_id;
  Millis transaction_timeout_ms;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};
  static void describe(auto& v, auto& m) {
    v.field(m.transactional_id, always, nullable(always));
    v.field(m.transaction_timeout_ms);
    v.field(m.producer_id, since(3));
    v.field(m.producer_epoch, since(3));
    v.tags();
  }
};

struct InitProducerIdResponse {
  static constexpr const Api& api = init_producer_id_api;
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.error_code);
    v.field(m.producer_id);
    v.field(m.producer_epoch);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, InitProducerIdRequest&);
extern template void encode(const InitProducerIdRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, InitProducerIdResponse&);
extern template void encode(const InitProducerIdResponse&, Version, Buffer&);

}  // namespace edgelog::wire

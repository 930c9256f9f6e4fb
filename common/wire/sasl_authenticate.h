#pragma once
// SaslAuthenticate: one round of the chosen mechanism (KIP-152, KIP-368).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api sasl_authenticate_api{.key = 36, .name = "SaslAuthenticate", .first = 0, .last = 2, .flexible = 2};

struct SaslAuthenticateRequest {
  static constexpr const Api& api = sasl_authenticate_api;
  Bytes auth_bytes;
  static void describe(auto& v, auto& m) {
    v.field(m.auth_bytes);
    v.tags();
  }
};

struct SaslAuthenticateResponse {
  static constexpr const Api& api = sasl_authenticate_api;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message;
  Bytes auth_bytes;
  std::int64_t session_lifetime_ms = 0;
  static void describe(auto& v, auto& m) {
    v.field(m.error_code);
    v.field(m.error_message, always, nullable(always));
    v.field(m.auth_bytes);
    v.field(m.session_lifetime_ms, since(1));
    v.tags();
  }
};

extern template bool decode(Bytes, Version, SaslAuthenticateRequest&);
extern template void encode(const SaslAuthenticateRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, SaslAuthenticateResponse&);
extern template void encode(const SaslAuthenticateResponse&, Version, Buffer&);

}  // namespace edgelog::wire

#pragma once
// SaslHandshake: chooses a mechanism; from version 1 on SaslAuthenticate carries it (KIP-43, KIP-152).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api sasl_handshake_api{
    .key = 17, .name = "SaslHandshake", .first = 0, .last = 1, .flexible = not_flexible};

struct SaslHandshakeRequest {
  static constexpr const Api& api = sasl_handshake_api;
  std::string mechanism;
  static void describe(auto& v, auto& m) { v.field(m.mechanism); }
};

struct SaslHandshakeResponse {
  static constexpr const Api& api = sasl_handshake_api;
  ErrorCode error_code = ErrorCode::none;
  std::vector<std::string> mechanisms;
  static void describe(auto& v, auto& m) {
    v.field(m.error_code);
    v.field(m.mechanisms);
  }
};

extern template bool decode(Bytes, Version, SaslHandshakeRequest&);
extern template void encode(const SaslHandshakeRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, SaslHandshakeResponse&);
extern template void encode(const SaslHandshakeResponse&, Version, Buffer&);

}  // namespace edgelog::wire

#pragma once
// Requests as Kafka's brokers read them: what lies behind one is not looked at, and clients rely on it (librdkafka
// 2.8 sends three bytes more than Metadata 12 has when it asks for all topics).
#include "common/wire/codec.h"

namespace edgelog::wire {

// False: `in` does not begin with a message of that version; `m` is then in no particular state.
template <class M>
bool decode_request(Bytes in, Version v, M& m) {
  Decoder d(in, v, v >= M::api.flexible);
  M::describe(d, m);
  return d.ok();
}

}  // namespace edgelog::wire

// What agents and gateways read from each other over MQTT: first byte which message, then its payload.
#include "common/base/assert.h"
#include "common/uplink/messages.h"

namespace {

using namespace edgelog;

template <class M>
void decode_and_back(Bytes payload) {
  M read, again;
  if (!uplink::decode(payload, read)) return;
  const Buffer first = uplink::encode(read);
  ASSERT(uplink::decode(first, again));
  ASSERT(uplink::encode(again) == first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Bytes payload(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: decode_and_back<uplink::LookRequest>(payload); break;
    case 1: decode_and_back<uplink::Answers>(payload); break;
    case 2: decode_and_back<uplink::TopicList>(payload); break;
    case 3: decode_and_back<uplink::Heartbeat>(payload); break;
  }
  return 0;
}

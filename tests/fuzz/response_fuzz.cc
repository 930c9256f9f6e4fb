// A response as the own client reads it: api key and version (which the client knows from its request) in
// the first two bytes, then the frame without its size.
#include "common/base/assert.h"
#include "common/wire/all.h"
#include "common/wire/header.h"

namespace {

using namespace edgelog;

template <class M>
void decode_and_back(Bytes frame, wire::Version version) {
  std::int32_t correlation_id = 0;
  if (!wire::take_response_header(frame, M::api, version, correlation_id)) return;
  M read, again;
  if (!wire::decode(frame, version, read)) return;
  Buffer first, second;
  wire::encode(read, version, first);
  ASSERT(wire::decode(Bytes(first), version, again));
  wire::encode(again, version, second);
  ASSERT(first == second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Bytes frame(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  const auto version = static_cast<wire::Version>(data[1]);
  wire::for_each_api([&]<class Request, class Response>() {
    if (Response::api.key == data[0] && Response::api.serves(version)) decode_and_back<Response>(frame, version);
  });
  return 0;
}

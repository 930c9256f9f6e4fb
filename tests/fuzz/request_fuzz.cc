// A frame as it comes from a client's socket, without its size: header, then the request that it names.
// Whatever decodes must encode, and what it encodes to must decode to the same.
#include "common/base/assert.h"
#include "common/wire/all.h"
#include "common/wire/header.h"
#include "common/wire/print.h"

namespace {

using namespace edgelog;

template <class M>
void decode_and_back(Bytes body, wire::Version version) {
  M read, again;
  if (!wire::decode(body, version, read)) return;
  Buffer first, second;
  wire::encode(read, version, first);
  ASSERT(wire::decode(Bytes(first), version, again));
  wire::encode(again, version, second);
  ASSERT(first == second);
  ASSERT(wire::to_text(read, version) == wire::to_text(again, version));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes frame(reinterpret_cast<const std::byte*>(data), size);
  wire::RequestHeader header;
  if (wire::take_request_header(frame, header) != wire::HeaderStatus::good) return 0;
  wire::for_each_api([&]<class Request, class Response>() {
    if (Request::api.key == header.api_key) decode_and_back<Request>(frame, header.api_version);
  });
  return 0;
}

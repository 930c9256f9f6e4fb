#include "common/wire/header.h"

#include "common/base/assert.h"

namespace edgelog::wire {
namespace {

constexpr std::int16_t api_versions_key = 18;

}  // namespace

HeaderStatus take_request_header(Bytes& frame, RequestHeader& out) {
  Decoder fixed(frame, 0, false);
  fixed.field(out.api_key);
  fixed.field(out.api_version);
  fixed.field(out.correlation_id);
  if (!fixed.ok()) return HeaderStatus::malformed;
  const Api* api = find_api(out.api_key);
  if (api == nullptr) return HeaderStatus::unknown_api;
  // The client id keeps its classic encoding in version 2 of the header too, so that a broker can read it
  // of any request (KIP-482).
  fixed.field(out.client_id, always, nullable(always));
  if (!fixed.ok()) return HeaderStatus::malformed;
  Decoder tags(fixed.rest(), 0, out.api_version >= api->flexible);
  tags.tags();
  if (!tags.ok()) return HeaderStatus::malformed;
  frame = tags.rest();
  return api->serves(out.api_version) ? HeaderStatus::good : HeaderStatus::unknown_version;
}

bool take_response_header(Bytes& frame, const Api& api, Version version, std::int32_t& correlation_id) {
  Decoder decoder(frame, 0, version >= api.flexible && api.key != api_versions_key);
  decoder.field(correlation_id);
  decoder.tags();
  if (!decoder.ok()) return false;
  frame = decoder.rest();
  return true;
}

std::size_t begin_request(const RequestHeader& header, Buffer& out) {
  const Api* api = find_api(header.api_key);
  ASSERT(api != nullptr);
  const std::size_t start = out.size();
  Encoder fixed(out, 0, false);
  fixed.field(std::int32_t{0});
  fixed.field(header.api_key);
  fixed.field(header.api_version);
  fixed.field(header.correlation_id);
  fixed.field(header.client_id, always, nullable(always));
  Encoder(out, 0, header.api_version >= api->flexible).tags();
  return start;
}

std::size_t begin_response(const Api& api, Version version, std::int32_t correlation_id, Buffer& out) {
  const std::size_t start = out.size();
  Encoder encoder(out, 0, version >= api.flexible && api.key != api_versions_key);
  encoder.field(std::int32_t{0});
  encoder.field(correlation_id);
  encoder.tags();
  return start;
}

void finish_frame(std::size_t start, Buffer& out) {
  const std::size_t size = out.size() - start - frame_size_bytes;
  ASSERT(size <= INT32_MAX);
  store_big(out.data() + start, static_cast<std::int32_t>(size));
}

}  // namespace edgelog::wire

#pragma once
// What stands in front of a message: frame size, then request header (v1, or v2 with tags where the message
// is flexible) or response header (v0, or v1; of ApiVersions always v0).
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/wire/apis.h"
#include "common/wire/codec.h"

namespace edgelog::wire {

inline constexpr std::size_t frame_size_bytes = 4;  // int32, does not count itself

struct RequestHeader {
  std::int16_t api_key = 0;
  Version api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id;
};

enum class HeaderStatus : unsigned char {
  good,
  malformed,        // close the connection
  unknown_api,      // key is none of ours: close, as Kafka does
  unknown_version,  // close, unless it is ApiVersions: answer that with error 35 in version 0
};
// Takes the header off `frame` (without its size), so that the message is left. Unless malformed or
// unknown_api, `out` is filled; versions that are offered but not served are unknown too.
HeaderStatus take_request_header(Bytes& frame, RequestHeader& out);
// Takes the header off a response's frame. The caller compares the correlation id with its oldest request.
bool take_response_header(Bytes& frame, const Api& api, Version version, std::int32_t& correlation_id);

// The parts of a frame: begin_*() appends size (to be) and header, the message follows, finish_frame() puts
// the size in. `start` is where in `out` the frame begins.
std::size_t begin_request(const RequestHeader& header, Buffer& out);
std::size_t begin_response(const Api& api, Version version, std::int32_t correlation_id, Buffer& out);
void finish_frame(std::size_t start, Buffer& out);

// Whole frames, appended to `out`.
template <class Request>
void encode_request(const RequestHeader& header, const Request& request, Buffer& out) {
  const std::size_t start = begin_request(header, out);
  encode(request, header.api_version, out);
  finish_frame(start, out);
}
template <class Response>
void encode_response(Version version, std::int32_t correlation_id, const Response& response, Buffer& out) {
  const std::size_t start = begin_response(Response::api, version, correlation_id, out);
  encode(response, version, out);
  finish_frame(start, out);
}

}  // namespace edgelog::wire

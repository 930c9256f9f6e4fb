#pragma once
// Quantities as people write them in configuration: "250ms", "90d", "64KiB". One grammar for files and flags.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/strong.h"
#include "common/base/time.h"

namespace edgelog::config {

using ByteSize = Strong<struct ByteSizeTag, std::int64_t>;

// A whole number and a unit: ns, us, ms, s, m, h, d ("0" needs none). Negative ones are refused. The error
// says what was expected, without a place: the caller knows that.
Result<Duration> parse_duration(std::string_view text);
// A whole number, alone (bytes) or with B, KiB, MiB, GiB, TiB.
Result<ByteSize> parse_bytes(std::string_view text);
Result<std::int64_t> parse_integer(std::string_view text);
Result<double> parse_number(std::string_view text);
Result<bool> parse_boolean(std::string_view text);

// The shortest exact way to write it; what the parsers above read back to the same value.
std::string write_duration(Duration value);
std::string write_bytes(ByteSize value);

// host:port, or [v6]:port; port 0 is allowed (the system chooses).
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};
Result<Endpoint> parse_endpoint(std::string_view text);

// First line of a file that holds a secret, without its line end.
Result<std::string> read_secret(const std::string& path);

}  // namespace edgelog::config

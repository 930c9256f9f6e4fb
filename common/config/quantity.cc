#include "common/config/quantity.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

namespace edgelog::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array<Unit, 7> duration_units{{{"d", 86'400'000'000'000},
                                              {"h", 3'600'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"s", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"us", 1'000},
                                              {"ns", 1}}};
constexpr std::array<Unit, 5> byte_units{
    {{"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"B", 1}}};

Error expected(std::string_view what) { return {Code::invalid, std::string(what)}; }

// The number in front, and what follows it.
bool split(std::string_view text, std::int64_t& number, std::string_view& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return false;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

template <std::size_t N>
bool scale(std::string_view text, const std::array<Unit, N>& units, std::string_view bare, std::int64_t& out) {
  std::int64_t number = 0;
  std::string_view unit;
  if (!split(text, number, unit)) return false;
  if (unit.empty()) unit = number == 0 ? units.back().name : bare;
  for (const Unit& known : units) {
    if (unit != known.name) continue;
    return !__builtin_mul_overflow(number, known.factor, &out);
  }
  return false;
}

template <std::size_t N>
std::string write(std::int64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units)
    if (value % unit.factor == 0 && value != 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  return "0";
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  std::int64_t value = 0;
  if (!scale(text, duration_units, "", value)) return expected("a duration such as \"250ms\", \"20s\", \"90d\"");
  return Duration{value};
}

Result<ByteSize> parse_bytes(std::string_view text) {
  std::int64_t value = 0;
  if (!scale(text, byte_units, "B", value)) return expected("a size such as 65536, \"64KiB\", \"2GiB\"");
  return ByteSize{value};
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return expected("an integer");
  return value;
}

Result<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return expected("a number");
  return value;
}

Result<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return expected("true or false");
}

std::string write_duration(Duration value) { return write(value.value(), duration_units); }
std::string write_bytes(ByteSize value) { return write(value.value(), byte_units); }

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return expected("host:port");
  auto host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return expected("host:port, an IPv6 address in brackets");
  auto port = parse_integer(text.substr(colon + 1));
  if (host.empty() || !port || *port < 0 || *port > std::numeric_limits<std::uint16_t>::max())
    return expected("host:port with a port from 0 to 65535");
  return Endpoint{std::string(host), static_cast<std::uint16_t>(*port)};
}

Result<std::string> read_secret(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file) return Error{Code::io, fmt::format("open {}: {}", path, std::strerror(errno))};
  if (!std::getline(file, line)) return Error{Code::invalid, fmt::format("read {}: no first line", path)};
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

}  // namespace edgelog::config

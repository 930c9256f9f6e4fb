#include "edge-agent/agent/gap_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "edge-agent/agent/json.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t payload_max = 16 << 10, detail_max = 256;

void member(std::string& out, std::string_view name, std::string_view text) {
  if (out.size() > 1) out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}
void member(std::string& out, std::string_view name, std::int64_t number) {
  if (out.size() > 1) out += ',';
  append_json_string(out, name);
  fmt::format_to(std::back_inserter(out), ":{}", number);
}

// RFC 4648, with padding.
std::string base64(Bytes bytes) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : alphabet[group >> (18 - 6 * k) & 63];
  }
  return out;
}

// At most `bytes` of it, and no half of a character.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

// Ids are 63 bits wide and stand as text: a double would not hold them.
std::string gap_value(std::string_view agent, const Gap& gap) {
  std::string out = "{";
  member(out, "agent", agent);
  member(out, "reason", gap.reason);
  if (!gap.stream.empty()) {
    member(out, "stream", gap.stream);
    if (gap.origin != no_producer) member(out, "origin", fmt::format("{}", gap.origin.value()));
    if (gap.first.value() >= 0) member(out, "first", gap.first.value());
    if (gap.last.value() >= 0) member(out, "last", gap.last.value());
    if (gap.count > 0) member(out, "count", gap.count);
    if (gap.first_time.value() >= 0) member(out, "first_ts", gap.first_time.value());
    if (gap.last_time.value() >= 0) member(out, "last_ts", gap.last_time.value());
  }
  if (!gap.source.device.empty()) {
    member(out, "input", gap.source.input);
    member(out, "source", gap.source.device);
    member(out, "incarnation", gap.incarnation);
    if (gap.source_first >= 0) member(out, "source_first", gap.source_first);
    if (gap.source_last >= 0) member(out, "source_last", gap.source_last);
  }
  return out + "}";
}

std::string dead_letter_value(const DeadLetter& letter) {
  std::string out = "{";
  member(out, "agent", letter.agent);
  member(out, "reason", letter.reason);
  const std::string_view detail = cut(letter.detail, detail_max);  // a device may have made it as long as its payload
  if (!detail.empty() && is_utf8(detail)) member(out, "detail", detail);
  member(out, "input", letter.input);
  if (is_utf8(letter.topic)) member(out, "topic", letter.topic);
  member(out, "bytes", static_cast<std::int64_t>(letter.payload.size()));
  const Bytes kept = letter.payload.first(std::min(letter.payload.size(), payload_max));
  if (is_utf8(as_text(kept)))
    member(out, "payload", as_text(kept));
  else
    member(out, "payload_base64", base64(kept));
  return out + "}";
}

}  // namespace edgelog::agent

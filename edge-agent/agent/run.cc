#include "edge-agent/agent/run.h"

#include <cstring>

#include "common/base/assert.h"
#include "common/record/varint.h"

namespace edgelog::agent {
namespace {

constexpr std::int64_t headers_max = 64;
constexpr std::int64_t bytes_max = std::int64_t{64} << 20;

std::size_t text_bytes(std::string_view text) {
  return record::varint_bytes(static_cast<std::int64_t>(text.size())) + text.size();
}

std::byte* put_text(std::byte* to, std::string_view text) {
  to = record::put_varint(to, static_cast<std::int64_t>(text.size()));
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

void append_event(Buffer& run, std::int64_t since_ms, std::string_view key, std::string_view value,
                  std::span<const EventHeader> headers) {
  std::size_t bytes = record::varint_bytes(since_ms) + text_bytes(key) + text_bytes(value) +
                      record::varint_bytes(static_cast<std::int64_t>(headers.size()));
  for (const auto& header : headers) bytes += text_bytes(header.name) + text_bytes(header.value);
  const std::size_t at = run.size();
  run.resize(at + bytes);
  std::byte* to = record::put_varint(run.data() + at, since_ms);
  to = put_text(to, key);
  to = put_text(to, value);
  to = record::put_varint(to, static_cast<std::int64_t>(headers.size()));
  for (const auto& header : headers) to = put_text(put_text(to, header.name), header.value);
  ASSERT(to == run.data() + run.size());
}

bool RunReader::text(std::string_view& out) {
  std::int64_t length = 0;
  if (!record::take_varint(rest_, length, 0, bytes_max) || static_cast<std::size_t>(length) > rest_.size())
    return false;
  out = as_text(rest_.first(static_cast<std::size_t>(length)));
  rest_ = rest_.subspan(static_cast<std::size_t>(length));
  return true;
}

bool RunReader::next(EventView& out) {
  if (bad_ || rest_.empty()) return false;
  bad_ = true;
  constexpr std::int64_t most = std::int64_t{1} << 60;
  std::int64_t since = 0, count = 0;
  if (!record::take_varint(rest_, since, -most, most)) return false;
  if (!text(out.key) || !text(out.value) || !record::take_varint(rest_, count, 0, headers_max)) return false;
  out.headers.clear();
  for (; count > 0; --count) {
    EventHeader header;
    if (!text(header.name) || !text(header.value)) return false;
    out.headers.push_back(header);
  }
  timestamp_ = WallMillis{timestamp_.value() + since};
  out.timestamp = timestamp_;
  bad_ = false;
  return true;
}

}  // namespace edgelog::agent

#include "cloud-broker/log/segment.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgelog::broker::disklog {
namespace {

constexpr std::size_t window_bytes = 64 << 10;

// A part of the file in memory, moved along as the walk goes.
class Window {
 public:
  Window(port::Disk& disk, port::FileId file, std::uint64_t to) : disk_(disk), file_(file), to_(to) {}
  // At least `size` bytes at `at`, fewer only before `to`.
  Result<Bytes> see(std::uint64_t at, std::size_t size) {
    if (at < begin_ || at + size > begin_ + bytes_.size()) {
      const std::uint64_t want = std::min<std::uint64_t>(std::max(size, window_bytes), to_ - at);
      bytes_.resize(want);
      auto got = disk_.read(file_, at, bytes_);
      if (!got) return std::move(got).error();
      bytes_.resize(*got);
      begin_ = at;
    }
    return Bytes(bytes_).subspan(at - begin_, std::min<std::uint64_t>(size, begin_ + bytes_.size() - at));
  }

 private:
  port::Disk& disk_;
  port::FileId file_;
  std::uint64_t to_, begin_ = 0;
  Buffer bytes_;
};

}  // namespace

std::string misfit(const record::BatchHeader& header, Offset next, bool holes) {
  if (header.magic != record::magic_v2) return fmt::format("magic {}", header.magic);
  if (header.length < static_cast<std::int32_t>(record::header_bytes - record::length_end))
    return fmt::format("length {}", header.length);
  if (header.last_offset_delta < 0) return fmt::format("last offset delta {}", header.last_offset_delta);
  if (holes ? header.base_offset < next : header.base_offset != next)
    return fmt::format("base offset {} where {} is due", header.base_offset.value(), next.value());
  return {};
}

bool reaches_beyond(const record::BatchHeader& header, Offset end) {
  return header.base_offset >= end || header.next_offset() > end;  // the former: else the sum may overflow
}

Result<WalkResult> walk(port::Disk& disk, port::FileId file, const WalkPlan& plan, const WalkVisitor& visit) {
  Window window(disk, file, plan.to);
  WalkResult at{WalkStop::end, plan.from, plan.next, {}};
  const auto bad = [&](std::string why) {
    at.stop = WalkStop::bad;
    at.why = std::move(why);
    return at;
  };
  while (at.position < plan.to) {
    auto bytes = window.see(at.position, record::header_bytes);
    if (!bytes) return std::move(bytes).error();
    const auto header = record::parse_header(*bytes);
    if (!header) return bad("cut short in a header");
    if (auto why = misfit(*header, at.next, plan.holes); !why.empty()) return bad(std::move(why));
    if (header->total_bytes() > plan.to - at.position) return bad("cut short in a batch");
    if (at.position >= plan.check_from || header->base_offset >= plan.check_at) {
      bytes = window.see(at.position, header->total_bytes());
      if (!bytes) return std::move(bytes).error();
      if (bytes->size() < header->total_bytes()) return bad("cut short in a batch");
      if (record::compute_crc(*bytes) != header->crc) return bad("checksum does not match");
    }
    if (!visit(*header, at.position)) {
      at.stop = WalkStop::enough;
      return at;
    }
    at.position += header->total_bytes();
    at.next = header->next_offset();
  }
  return at;
}

}  // namespace edgelog::broker::disklog

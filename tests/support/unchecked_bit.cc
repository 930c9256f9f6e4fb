#include "tests/support/unchecked_bit.h"

#include <vector>

#include "common/record/check.h"

namespace edgelog::testing {
namespace {

constexpr std::uint64_t unchecked_bytes = 16;

// Those that another one of the same partition follows.
std::vector<std::string> closed_segments(const SimDisk& disk) {
  std::vector<std::string> segments, closed;
  for (const auto& file : disk.files())
    if (file.ends_with(".log")) segments.push_back(file);
  for (std::size_t i = 0; i + 1 < segments.size(); ++i)
    if (segments[i + 1].starts_with(segments[i].substr(0, segments[i].rfind('/') + 1))) closed.push_back(segments[i]);
  return closed;
}

}  // namespace

std::optional<BitPlace> unchecked_bit(const SimDisk& disk, Prng& random) {
  const auto closed = closed_segments(disk);
  if (closed.empty()) return std::nullopt;
  const std::string& file = closed[random.below(closed.size())];
  const Buffer bytes = *disk.contents(file);
  std::vector<std::uint64_t> ends;
  Bytes rest = bytes;
  while (record::next_batch(rest)) ends.push_back(bytes.size() - rest.size());
  if (ends.size() < 2) return std::nullopt;
  const std::size_t at = random.below(ends.size() - 1);
  const BitPlace place{file, (at == 0 ? 0 : ends[at - 1]) + random.below(unchecked_bytes),
                       static_cast<unsigned>(random.below(8))};
  if ((bytes[place.byte] >> place.bit & std::byte{1}) == std::byte{0}) return std::nullopt;
  return place;
}

}  // namespace edgelog::testing

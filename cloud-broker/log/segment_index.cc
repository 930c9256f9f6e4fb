#include "cloud-broker/log/segment_index.h"

#include <algorithm>

#include "cloud-broker/log/sealed.h"
#include "common/base/assert.h"

namespace edgelog::broker::disklog {

void SegmentIndex::add(const record::BatchHeader& header, std::uint64_t position) {
  if (position >= next_entry_at_) {
    ASSERT(position <= UINT32_MAX && header.base_offset - base_ <= std::int64_t{UINT32_MAX});  // L2
    entries_.push_back(
        {static_cast<std::uint32_t>(header.base_offset - base_), static_cast<std::uint32_t>(position), max_timestamp_});
    next_entry_at_ = position + interval_bytes;
  }
  max_timestamp_ = std::max(max_timestamp_, header.max_timestamp);
}

SegmentIndex::Place SegmentIndex::place(std::vector<Entry>::const_iterator after) const {
  if (after == entries_.begin()) return {0, base_};
  const Entry& entry = *std::prev(after);
  return {entry.position, base_ + entry.delta};
}

SegmentIndex::Place SegmentIndex::find_offset(Offset offset) const {
  return place(std::upper_bound(entries_.begin(), entries_.end(), offset - base_,
                                [](std::int64_t delta, const Entry& entry) { return delta < entry.delta; }));
}

SegmentIndex::Place SegmentIndex::find_time(std::int64_t timestamp) const {
  return place(std::lower_bound(entries_.begin(), entries_.end(), timestamp,
                                [](const Entry& entry, std::int64_t t) { return entry.max_timestamp_before < t; }));
}

Buffer SegmentIndex::encode(const SegmentInfo& segment) const {
  Buffer payload(20 + entries_.size() * 16);
  std::byte* to = payload.data();
  store_big<std::uint64_t>(to, segment.size);
  store_big(to + 8, segment.version);
  store_big(to + 12, max_timestamp_);
  to += 20;
  for (const auto& entry : entries_) {
    store_big(to, entry.delta);
    store_big(to + 4, entry.position);
    store_big(to + 8, entry.max_timestamp_before);
    to += 16;
  }
  return seal(SealedKind::index, static_cast<std::uint64_t>(segment.base.value()), payload);
}

Result<SegmentIndex> SegmentIndex::decode(Bytes file, const SegmentInfo& segment) {
  auto sealed = unseal(SealedKind::index, file, "index");
  if (!sealed) return std::move(sealed).error();
  const Bytes payload = sealed->payload;
  if (sealed->sequence != static_cast<std::uint64_t>(segment.base.value()) || payload.size() < 20 ||
      (payload.size() - 20) % 16 != 0 || load_big<std::uint64_t>(payload.data()) != segment.size ||
      load_big<std::uint32_t>(payload.data() + 8) != segment.version)
    return Error{Code::corrupt, "index: not of this segment"};
  SegmentIndex index(segment.base);
  index.max_timestamp_ = load_big<std::int64_t>(payload.data() + 12);
  for (std::size_t at = 20; at < payload.size(); at += 16) {
    const std::byte* const p = payload.data() + at;
    index.entries_.push_back(
        {load_big<std::uint32_t>(p), load_big<std::uint32_t>(p + 4), load_big<std::int64_t>(p + 8)});
  }
  if (!index.entries_.empty()) index.next_entry_at_ = index.entries_.back().position + interval_bytes;
  return index;
}

}  // namespace edgelog::broker::disklog

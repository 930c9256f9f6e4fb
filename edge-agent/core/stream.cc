#include "edge-agent/core/stream.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::agent {

bool Stream::has_earlier_lanes(std::int64_t opening) const {
  return std::any_of(lanes.begin(), lanes.end(), [&](const Lane& lane) {
    return lane.row.opening < opening && (!lane.empty() || lane.row.must_resolve);
  });
}

void account(Stream& stream, std::int64_t bytes) {
  stream.bytes += bytes;
  ASSERT(stream.bytes >= 0);  // A2
}

Run front_run(const Lane& lane, std::int64_t bytes_max) {
  ASSERT(!lane.unsealed.empty());
  const Unsealed& front = lane.unsealed.front();
  Run run{front.index, front.index, front.timestamp, front.timestamp, front.bytes, 1};
  for (std::size_t i = 1; i < lane.unsealed.size(); ++i) {
    const Unsealed& event = lane.unsealed[i];
    if (event.index != run.last + 1 || run.bytes + event.bytes > bytes_max) break;
    run.last = event.index;
    run.oldest = std::min(run.oldest, event.timestamp);
    run.newest = std::max(run.newest, event.timestamp);
    run.bytes += event.bytes;
    ++run.events;
  }
  return run;
}

Stream::GapKey key_of(const Gap& gap) { return {gap.reason, gap.stream, gap.origin, gap.source, gap.incarnation}; }

void close_gaps(Stream& stream, EventIndex first, EventIndex last) {
  const auto below = [](const GapRow& row, EventIndex index) { return row.index < index; };
  const auto begin = std::lower_bound(stream.gaps.begin(), stream.gaps.end(), first, below);
  const auto end = std::lower_bound(begin, stream.gaps.end(), last + 1, below);
  for (auto row = begin; row != end; ++row) {
    const auto open = stream.last_gaps.find(key_of(row->gap));
    if (open != stream.last_gaps.end() && open->second == row->index) stream.last_gaps.erase(open);
  }
  stream.gaps.erase(begin, end);
}

EventIndex oldest_index(const Stream& stream) {
  for (const Lane& lane : stream.lanes) {
    if (!lane.batches.empty()) return lane.batches.front().row.first;
    if (!lane.unsealed.empty()) return lane.unsealed.front().index;
  }
  return stream.row.next;
}

WallMillis oldest_taken(const Stream& stream) {
  for (const Lane& lane : stream.lanes) {
    if (!lane.batches.empty()) return lane.batches.front().row.taken;
    if (!lane.unsealed.empty()) return lane.unsealed.front().timestamp;
  }
  return WallMillis{-1};
}

}  // namespace edgelog::agent

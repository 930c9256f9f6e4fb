#include "edge-agent/core/gaps.h"

#include <algorithm>

#include "common/uplink/names.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t merge_looks_back = 16;

// Takes `gap` into `into` where it continues it. Gaps of different origins never merge: their indexes are not of
// one count (rule 1).
bool merge(Gap& into, const Gap& gap) {
  if (into.reason != gap.reason || into.stream != gap.stream || into.origin != gap.origin ||
      into.source != gap.source || into.incarnation != gap.incarnation)
    return false;
  if (gap.stream.empty()) {
    if (gap.source_first < 0 || into.source_last + 1 != gap.source_first) return false;
    into.source_last = gap.source_last;
  } else if (gap.first.value() >= 0) {
    if (into.last.value() < 0 || into.last + 1 != gap.first) return false;
    into.last = gap.last;
  } else if (gap.last.value() >= 0 || into.last.value() >= 0) {
    return false;
  }
  into.count += gap.count;
  if (gap.last_time.value() >= 0) into.last_time = gap.last_time;
  return true;
}

}  // namespace

void add_gap(State& state, Moment moment, Gap gap) {
  Stream& stream = gaps_stream(state);
  Lane& lane = current_lane(state, stream);
  ++state.counts.gaps;
  state.urgent = true;
  std::size_t looked_at = 0;
  for (auto old = stream.gaps.rbegin(); old != stream.gaps.rend() && looked_at < merge_looks_back; ++old, ++looked_at) {
    if (!merge(old->gap, gap)) continue;
    ++state.counts.gaps_merged;
    state.journal.add(PutGap{*old});
    return;
  }
  const WallMillis timestamp = timestamp_now(state, moment, stream);
  const GapRow row{stream.row.next, timestamp, std::move(gap)};
  if (lane.unsealed.empty()) lane.linger_from = moment.now;
  lane.unsealed.push_back({row.index, timestamp, gap_bytes});
  lane.unsealed_bytes += gap_bytes;
  account(stream, gap_bytes);
  stream.row.floor = timestamp;
  stream.row.next = stream.row.next + 1;
  stream.new_from = stream.row.next;  // its row is its own insertion
  stream.gaps.push_back(row);
  state.journal.add(PutGap{row});
  put_stream(state, stream);
}

}  // namespace edgelog::agent

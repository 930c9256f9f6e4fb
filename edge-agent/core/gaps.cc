#include "edge-agent/core/gaps.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"

namespace edgelog::agent {
namespace {

// Takes `gap` into `into`, which is of its kind, where it continues it.
bool merge(Gap& into, const Gap& gap) {
  // A hole ends where a number was taken: one that seems to go on there is of another round of the count.
  if (gap.reason == gap_reason::source_hole) return false;
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

// The last unsealed gap of its kind: of one reason, stream and source. Gaps of different origins never merge: their
// indexes are not of one count (rule 1).
GapRow* open_gap(Stream& stream, const Gap& gap) {
  const auto last = stream.last_gaps.find(key_of(gap));
  if (last == stream.last_gaps.end()) return nullptr;
  const auto row = std::lower_bound(stream.gaps.begin(), stream.gaps.end(), last->second,
                                    [](const GapRow& a, EventIndex index) { return a.index < index; });
  ASSERT(row != stream.gaps.end() && row->index == last->second);
  return &*row;
}

}  // namespace

void add_gap(State& state, Moment moment, Gap gap) {
  Stream& stream = gaps_stream(state);
  Lane& lane = current_lane(state, stream);
  ++state.counts.gaps;
  if (GapRow* open = open_gap(stream, gap); open != nullptr && merge(open->gap, gap)) {
    ++state.counts.gaps_merged;
    return state.journal.add(PutGap{*open});  // in its round: a full stream may drop thousands in a second
  }
  state.urgent = true;
  const WallMillis timestamp = timestamp_now(state, moment, stream);
  const GapRow row{stream.row.next, timestamp, std::move(gap)};
  if (lane.unsealed.empty()) lane.linger_from = moment.now;
  lane.unsealed.push_back({row.index, timestamp, gap_bytes});
  lane.unsealed_bytes += gap_bytes;
  account(stream, gap_bytes);
  stream.row.floor = timestamp;
  stream.row.next = stream.row.next + 1;
  stream.new_from = stream.row.next;  // its row is its own insertion
  stream.last_gaps[key_of(row.gap)] = row.index;
  stream.gaps.push_back(row);
  state.journal.add(PutGap{row});
  put_stream(state, stream);
}

}  // namespace edgelog::agent

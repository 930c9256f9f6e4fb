// Whether rows that were read agree with each other: SqliteLog::open. The core asserts what is checked here
// (edge-agent/core/opening.cc), so that damage which SQLite does not see would end every start of the agent.
#include <algorithm>
#include <map>
#include <set>

#include "common/uplink/names.h"
#include "edge-agent/adapters/log_store.h"

namespace edgelog::agent {
namespace {

struct Lanes {
  EventIndex next;
  std::vector<const OriginRow*> lanes;       // by first index
  EventIndex reached{-1};                    // by batches and events so far
  std::size_t lane = 0;                      // that they are in
  bool events = false, unpublished = false;  // came in it already

  // The lane of what is at `index` and behind everything before it; nothing if there is none.
  const OriginRow* enter(EventIndex first, EventIndex last) {
    if (first <= reached || last < first || last >= next) return nullptr;
    reached = last;
    while (lane + 1 < lanes.size() && lanes[lane + 1]->first <= first) {
      ++lane;
      events = unpublished = false;
    }
    const bool fits =
        !lanes.empty() && lanes[lane]->first <= first && (lane + 1 == lanes.size() || last < lanes[lane + 1]->first);
    return fits ? lanes[lane] : nullptr;
  }
};

using Streams = std::map<StreamId, Lanes>;

const char* check_streams(const Persisted& all, Streams& streams) {
  std::set<std::string_view> topics;
  for (const StreamRow& row : all.streams) {
    const bool good = row.id.value() > 0 && row.id.value() < 32768 && row.next.value() >= 0 &&
                      row.next.value() < index_limit && uplink::valid_topic(row.topic);
    if (!good || !topics.insert(row.topic).second) return "a stream that cannot be";
    streams[row.id].next = row.next;
  }
  for (const ProducerRow& row : all.producers)
    if (!streams.contains(row.stream)) return "an id of no stream";
  for (const OriginRow& row : all.origins) {
    const auto stream = streams.find(row.stream);
    if (stream == streams.end() || row.first.value() < 0 || row.first > stream->second.next || row.numbered < 0 ||
        row.opening > all.meta.opening)
      return "an origin that cannot be";
    stream->second.lanes.push_back(&row);
  }
  for (auto& [id, stream] : streams)
    std::stable_sort(stream.lanes.begin(), stream.lanes.end(),
                     [](const OriginRow* a, const OriginRow* b) { return goes_before(*a, *b); });
  return nullptr;
}

// Batches and events of one stream by their indexes: within a lane the batches come first, of these what was published.
const char* check_queues(const Persisted& all, Streams& streams) {
  auto batch = all.batches.begin();
  auto event = all.events.begin();
  while (batch != all.batches.end() || event != all.events.end()) {
    const bool is_batch =
        event == all.events.end() ||
        (batch != all.batches.end() && std::pair(batch->stream, batch->first) < std::pair(event->stream, event->index));
    const auto found = streams.find(is_batch ? batch->stream : event->stream);
    if (found == streams.end()) return "an event of no stream";
    Lanes& stream = found->second;
    if (!is_batch) {
      if (event->bytes < 0 || stream.enter(event->index, event->index) == nullptr) return "an event out of its place";
      stream.events = true;
      ++event;
      continue;
    }
    const OriginRow* lane = stream.enter(batch->first, batch->last);
    if (lane == nullptr || lane->origin != batch->origin || stream.events || batch->bytes < 0 || batch->sequence < 0)
      return "a batch out of its place";
    if (batch->published && (stream.lane != 0 || stream.unpublished)) return "a batch published before its turn";
    stream.unpublished = !batch->published;
    ++batch;
  }
  return nullptr;
}

}  // namespace

const char* contradiction(const Persisted& all) {
  Streams streams;
  if (all.meta.opening < 0 || all.meta.source_used < 0) return "an opening that cannot be";
  if (const char* what = check_streams(all, streams)) return what;
  if (const char* what = check_queues(all, streams)) return what;
  const auto gaps = std::find_if(all.streams.begin(), all.streams.end(),
                                 [](const StreamRow& row) { return row.topic == uplink::gaps_topic; });
  std::size_t of_gaps = 0;
  for (const EventRow& row : all.events) of_gaps += gaps != all.streams.end() && row.stream == gaps->id ? 1 : 0;
  if (of_gaps != all.gaps.size()) return "a gap that is none";
  for (const SourceRow& row : all.sources)
    if (row.last < 0 || row.used < 0) return "a source that cannot be";
  for (const RecentRow& row : all.recents)
    if (row.slot < 0 || row.slot >= recent_slots) return "a slot that cannot be";
  return nullptr;
}

}  // namespace edgelog::agent

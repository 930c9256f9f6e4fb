#include "edge-agent/adapters/log_check.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/uplink/names.h"
#include "edge-agent/adapters/log_store.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t lost_gaps_max = 256;
constexpr std::int64_t openings_max = std::int64_t{1} << 40;

struct Lanes {
  EventIndex next;
  std::vector<const OriginRow*> lanes;       // by first index
  EventIndex reached{-1};                    // by batches and events so far
  std::size_t lane = 0;                      // that they are in
  bool events = false, unpublished = false;  // came in it already

  // The lane of what is at `index` and behind everything before it; nothing if there is none.
  const OriginRow* enter(EventIndex first, EventIndex last) {
    if (first <= reached || last < first || last >= next) return nullptr;
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

bool can_be(const StreamRow& row) {
  return row.id.value() > 0 && row.id.value() < 32768 && row.next.value() >= 0 && row.next.value() < index_limit &&
         uplink::valid_topic(row.topic);
}
bool can_be(const OriginRow& row, EventIndex next, std::int64_t opening) {
  return row.first.value() >= 0 && row.first <= next && row.numbered >= 0 && row.opening <= opening;
}
bool can_be(const SourceRow& row) { return row.last >= 0 && row.used >= 0; }
bool can_be(const RecentRow& row) { return row.slot >= 0 && row.slot < recent_slots; }

void sort_lanes(Streams& streams) {
  for (auto& [id, stream] : streams)
    std::stable_sort(stream.lanes.begin(), stream.lanes.end(),
                     [](const OriginRow* a, const OriginRow* b) { return goes_before(*a, *b); });
}

const char* check_streams(const Persisted& all, Streams& streams) {
  std::set<std::string_view> topics;
  for (const StreamRow& row : all.streams) {
    if (!can_be(row) || !topics.insert(row.topic).second) return "a stream that cannot be";
    streams[row.id].next = row.next;
  }
  for (const ProducerRow& row : all.producers)
    if (!streams.contains(row.stream)) return "an id of no stream";
  for (const OriginRow& row : all.origins) {
    const auto stream = streams.find(row.stream);
    if (stream == streams.end() || !can_be(row, stream->second.next, all.meta.opening))
      return "an origin that cannot be";
    stream->second.lanes.push_back(&row);
  }
  sort_lanes(streams);
  return nullptr;
}

const char* place_event(Lanes& stream, EventIndex first, EventIndex last) {
  if (stream.enter(first, last) == nullptr) return "an event out of its place";
  stream.reached = last;
  stream.events = true;
  return nullptr;
}

// Within a lane the batches come first, of these what was published.
const char* place_batch(Lanes& stream, EventIndex first, EventIndex last, ProducerId origin, bool published) {
  const OriginRow* lane = stream.enter(first, last);
  if (lane == nullptr || lane->origin != origin || stream.events) return "a batch out of its place";
  if (published && (stream.lane != 0 || stream.unpublished)) return "a batch published before its turn";
  stream.reached = last;
  stream.unpublished = !published;
  return nullptr;
}

// Batches and events of one stream by their indexes.
const char* check_queues(const Persisted& all, Streams& streams) {
  auto batch = all.batches.begin();
  auto event = all.events.begin();
  while (batch != all.batches.end() || event != all.events.end()) {
    const bool is_batch =
        event == all.events.end() ||
        (batch != all.batches.end() && std::pair(batch->stream, batch->first) < std::pair(event->stream, event->index));
    const auto found = streams.find(is_batch ? batch->stream : event->stream);
    if (found == streams.end()) return "an event of no stream";
    const char* what = nullptr;
    if (is_batch) {
      if (batch->bytes < 0 || batch->sequence < 0) return "a batch that cannot be";
      what = place_batch(found->second, batch->first, batch->last, batch->origin, batch->published);
      ++batch;
    } else {
      if (event->bytes < 0) return "an event that cannot be";
      what = place_event(found->second, event->index, event->index);
      ++event;
    }
    if (what != nullptr) return what;
  }
  return nullptr;
}

// --- What is left of rows that contradict each other ---------------------------------------------------------------

void leave_out_rows(Persisted& rows, Streams& streams) {
  std::set<std::string> topics;
  std::erase_if(rows.streams, [&](const StreamRow& row) { return !can_be(row) || !topics.insert(row.topic).second; });
  for (const StreamRow& row : rows.streams) streams[row.id].next = row.next;
  std::erase_if(rows.producers, [&](const ProducerRow& row) { return !streams.contains(row.stream); });
  std::erase_if(rows.origins, [&](const OriginRow& row) {
    return !streams.contains(row.stream) || !can_be(row, streams.at(row.stream).next, openings_max);
  });
  // A meta row that is lost or lower than an opening that was: openings go on behind the last one known.
  if (rows.meta.opening < 0 || rows.meta.opening > openings_max) rows.meta.opening = 0;
  for (const OriginRow& row : rows.origins) rows.meta.opening = std::max(rows.meta.opening, row.opening);
  rows.meta.source_used = std::max<std::int64_t>(rows.meta.source_used, 0);
  std::erase_if(rows.sources, [](const SourceRow& row) { return !can_be(row); });
  std::erase_if(rows.recents, [](const RecentRow& row) { return !can_be(row); });
  for (const OriginRow& row : rows.origins) streams[row.stream].lanes.push_back(&row);
  sort_lanes(streams);
}

using Order = std::pair<StreamId, EventIndex>;
Order order_of(const Piece& piece) { return {piece.stream, piece.first}; }

// The batches first, since one run that stands where it should not must not put all of them in the wrong. Gives which
// pieces are good.
std::vector<bool> judge(const std::vector<Piece>& pieces, const Streams& empty, StreamId gaps) {
  std::vector<bool> good(pieces.size());
  std::map<std::pair<StreamId, std::size_t>, EventIndex> sealed;  // the last event in a batch, by lane
  Streams streams = empty;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (piece.kind != Piece::Kind::batch || piece.malformed || !streams.contains(piece.stream)) continue;
    Lanes& stream = streams.at(piece.stream);
    good[i] = place_batch(stream, piece.first, piece.last, piece.origin, piece.published) == nullptr;
    if (good[i]) sealed[{piece.stream, stream.lane}] = piece.last;
  }
  streams = empty;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (piece.kind == Piece::Kind::batch || piece.malformed || !streams.contains(piece.stream)) continue;
    if ((piece.kind == Piece::Kind::gap) != (piece.stream == gaps)) continue;
    Lanes& stream = streams.at(piece.stream);
    if (stream.enter(piece.first, piece.last) == nullptr) continue;
    const auto batches = sealed.find({piece.stream, stream.lane});
    if (batches != sealed.end() && piece.first <= batches->second) continue;
    good[i] = place_event(stream, piece.first, piece.last) == nullptr;
  }
  return good;
}

// Where a piece stood: behind what is kept ahead of it, before what is kept behind it or the next lane has.
struct Place {
  ProducerId origin{no_producer};  // under which its first event was taken
  EventIndex after{0}, before;
};

Place place_of(const Lanes& stream, const std::vector<Piece>& kept, const Piece& piece) {
  Place place;
  place.before = stream.next;
  for (const OriginRow* lane : stream.lanes) {
    if (lane->first <= piece.first) place.origin = lane->origin;
    if (lane->first > piece.first) place.before = std::min(place.before, lane->first);
  }
  const auto behind = std::upper_bound(kept.begin(), kept.end(), order_of(piece),
                                       [](const Order& at, const Piece& other) { return at < order_of(other); });
  if (behind != kept.end() && behind->stream == piece.stream) place.before = std::min(place.before, behind->first);
  if (behind != kept.begin() && (behind - 1)->stream == piece.stream) place.after = (behind - 1)->last + 1;
  return place;
}

// What a piece held: all of its place where its last event is not known. Of its origin it says itself, where it can be
// read: an index is of that one's count.
Gap gap_of(const Piece& piece, const std::string& topic, const Place& place) {
  const EventIndex after = place.after, before = place.before;
  const ProducerId origin = piece.origin == no_producer ? place.origin : piece.origin;
  const bool known = !piece.malformed && piece.last >= piece.first && piece.last < before;
  Gap gap{gap_reason::log_lost, topic, origin, std::max(piece.first, after), known ? piece.last : before + -1};
  gap.count = gap.last - gap.first + 1;
  if (known) gap.first_time = piece.oldest, gap.last_time = piece.newest;
  return gap;
}

void add_lost(std::vector<Gap>& lost, Gap gap) {
  if (gap.count <= 0) return;  // it stood where others do
  if (!lost.empty() && lost.back().stream == gap.stream && lost.back().origin == gap.origin) {
    Gap& before = lost.back();
    if (before.last >= gap.last) return;  // named already
    if (before.last + 1 >= gap.first) {
      before.last = gap.last;
      before.count = before.last - before.first + 1;
      before.last_time = gap.last_time;
      return;
    }
  }
  if (lost.size() < lost_gaps_max) lost.push_back(std::move(gap));
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
  if (!std::all_of(all.sources.begin(), all.sources.end(), [](const SourceRow& row) { return can_be(row); }))
    return "a source that cannot be";
  if (!std::all_of(all.recents.begin(), all.recents.end(), [](const RecentRow& row) { return can_be(row); }))
    return "a slot that cannot be";
  return nullptr;
}

std::vector<Gap> name_lost(const Persisted& rows, const std::vector<Piece>& kept, const std::vector<Piece>& left) {
  Streams streams;
  std::map<StreamId, std::string> topics;
  for (const StreamRow& row : rows.streams) topics[row.id] = row.topic, streams[row.id].next = row.next;
  for (const OriginRow& row : rows.origins) streams[row.stream].lanes.push_back(&row);
  sort_lanes(streams);
  std::vector<Gap> lost;
  for (const Piece& piece : left) {
    const auto stream = streams.find(piece.stream);
    if (stream == streams.end() || piece.first >= stream->second.next) continue;
    add_lost(lost, gap_of(piece, topics.at(piece.stream), place_of(stream->second, kept, piece)));
  }
  return lost;
}

LeftOut leave_out_contradictions(Persisted& rows, std::vector<Piece>& pieces) {
  Streams streams;
  leave_out_rows(rows, streams);
  StreamId gaps{-1};
  for (const StreamRow& row : rows.streams)
    if (row.topic == uplink::gaps_topic) gaps = row.id;
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return order_of(a) < order_of(b); });
  const std::vector<bool> good = judge(pieces, streams, gaps);
  std::vector<Piece> kept, left;
  for (std::size_t i = 0; i < pieces.size(); ++i) (good[i] ? kept : left).push_back(pieces[i]);
  LeftOut out{static_cast<std::int64_t>(left.size()), name_lost(rows, kept, left)};
  pieces = std::move(kept);
  return out;
}

}  // namespace edgelog::agent

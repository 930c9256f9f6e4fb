#include "tests/sim/edge/store.h"

#include <algorithm>
#include <iterator>

namespace edgelog::sim::edge {

using namespace agent;

namespace {

constexpr std::int64_t empty_bytes = 8'192;  // tables and WAL
constexpr std::int64_t event_overhead = 24;

}  // namespace

// One transaction over a store. Beliefs about what the core may ask for end in `broken`.
struct Applying {
  Store& store;
  const Store::Payloads& taken;
  Store::Applied result;

  void broken(std::string what) {
    if (result.broken.empty()) result.broken = std::move(what);
  }
  std::string topic(StreamId id) const {
    const auto found = store.streams_.find(id);
    return found == store.streams_.end() ? "?" : found->second.topic;
  }
  ProducerId origin_of(StreamId stream, EventIndex index) const { return store.origin_of(stream, index); }
  void became_durable(StreamId stream, EventIndex index, const FactPtr& fact, WallMillis timestamp) {
    const ProducerId origin = origin_of(stream, index);
    if (origin == no_producer) return broken("an event without an origin");
    if (!store.producers_.contains({stream, origin})) return broken("an event before its id's row");
    auto [life, made] = store.lives_.try_emplace(origin, Store::Life{topic(stream), index, index});
    if (!made && life->second.last + 1 != index) broken("an index is missing in an origin");
    life->second.last = index;
    result.durable.push_back({{origin, index}, topic(stream), fact, timestamp});
  }
  void gone(StreamId stream, ProducerId origin, EventIndex index, bool published = false, bool set_aside = false,
            const ContentPtr& batch = nullptr) {
    result.gone.push_back({{origin, index}, topic(stream), published, set_aside, batch});
  }

  void operator()(const PutMeta& op) { store.meta_ = op.row; }
  void operator()(const PutStream& op) { store.streams_[op.row.id] = op.row; }
  void operator()(const PutOrigin& op) {
    const auto old = store.origins_.find({op.row.stream, op.row.origin});
    if (old != store.origins_.end() && old->second.producer != op.row.producer)
      result.left.push_back(old->second.producer);
    store.origins_[{op.row.stream, op.row.origin}] = op.row;
  }
  void operator()(const DeleteOrigin& op) {
    if (store.origins_.erase({op.stream, op.origin}) == 0) broken("no such origin");
  }
  void operator()(const PutProducer& op) { store.producers_[{op.row.stream, op.row.id}] = op.row.stranger; }
  void operator()(const DeleteProducer& op) { store.producers_.erase({op.row.stream, op.row.id}); }
  void operator()(const PutSource& op) { store.sources_[{op.row.source, op.row.incarnation}] = op.row; }
  void operator()(const DeleteSource& op) {
    store.sources_.erase({op.source, op.incarnation});
    if (op.incarnation.empty())
      std::erase_if(store.recents_, [&](const auto& entry) { return entry.first.first == op.source; });
  }
  void operator()(const PutRecent& op) { store.recents_[{op.row.source, op.row.slot}] = op.row; }

  void operator()(const PutGap& op) {
    StreamId stream{};
    for (const auto& [id, row] : store.streams_)
      if (row.topic == uplink::gaps_topic) stream = id;
    const Store::Key key{stream, op.row.index};
    const bool fresh = !store.events_.contains(key);
    if (fresh && store.gaps_.contains(op.row.index)) broken("a gap grew after it was sealed");
    store.gaps_[op.row.index] = op.row;
    auto fact = std::make_shared<Fact>();
    fact->gap = op.row.gap;
    store.events_[key] = {{stream, op.row.index, op.row.timestamp, gap_bytes}, fact};
    result.gaps.push_back(op.row.gap);
    if (fresh)
      became_durable(stream, op.row.index, fact, op.row.timestamp);
    else
      result.grown.push_back({{origin_of(stream, op.row.index), op.row.index}, topic(stream), fact, op.row.timestamp});
  }

  void operator()(const InsertEvents& op) {
    for (EventIndex at = op.first; at <= op.last; at = at + 1) {
      const auto payload = taken.find({op.stream, at});
      if (payload == taken.end()) return broken("an event that the driver does not hold");
      store.events_[{op.stream, at}] = {{op.stream, at, payload->second.timestamp, payload->second.bytes},
                                        payload->second.fact};
      became_durable(op.stream, at, payload->second.fact, payload->second.timestamp);
    }
  }
  void operator()(const DeleteEvents& op) {
    for (EventIndex at = op.first; at <= op.last; at = at + 1) {
      gone(op.stream, origin_of(op.stream, at), at);
      if (store.events_.erase({op.stream, at}) == 0) broken("no such event to delete");
      if (topic(op.stream) == uplink::gaps_topic) store.gaps_.erase(at);
    }
  }

  ContentPtr encode(const BatchRow& row, std::vector<Record> records) const {
    auto content = std::make_shared<Content>();
    content->producer = row.producer;
    content->epoch = uplink::event_epoch;
    content->first = Sequence{0} + row.sequence;
    content->bytes = static_cast<std::int32_t>(80 + 20 * records.size());
    // Stands for the CRC: differs where any byte would.
    std::uint64_t mixed =
        static_cast<std::uint64_t>(row.producer.value()) * 31 + static_cast<std::uint64_t>(row.sequence);
    for (const Record& r : records)
      mixed = mixed * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(r.index.value()) * 3 +
              static_cast<std::uint64_t>(r.timestamp.value()) * 7 + (r.late ? 1 : 0);
    content->crc = static_cast<std::uint32_t>(mixed >> 32);
    content->records = std::move(records);
    return content;
  }
  void put_batch(BatchRow row, std::vector<Record> records) {
    for (const Record& r : records)
      if (r.timestamp < row.oldest || r.timestamp > row.newest) broken("a batch's times are not those of its records");
    const ContentPtr content = encode(row, std::move(records));
    row.bytes = content->bytes;
    result.sealed_bytes.push_back(row.bytes);
    store.batches_[{row.stream, row.first}] = {row, content};
  }
  void operator()(const Seal& op) {
    std::vector<Record> records;
    for (EventIndex at = op.row.first; at <= op.row.last; at = at + 1) {
      const auto event = store.events_.find({op.row.stream, at});
      if (event == store.events_.end()) return broken("no such event to seal");
      if (origin_of(op.row.stream, at) != op.row.origin) return broken("a batch spans two origins");
      const WallMillis stamp = op.stamp.value() >= 0 ? op.stamp : event->second.row.timestamp;
      records.push_back({op.row.origin, at, stamp, at < op.late_before, event->second.fact});
      store.events_.erase(event);
    }
    put_batch(op.row, std::move(records));
  }
  void operator()(const Reseal& op) {
    const auto old = store.batches_.find({op.stream, op.first});
    if (old == store.batches_.end()) return broken("no such batch to seal anew");
    const Store::StoredBatch before = old->second;
    if (before.row.damaged) return broken("a damaged batch is sealed anew");
    store.batches_.erase(old);
    std::set<EventIndex> kept;
    for (const BatchRow& part : op.parts) {
      std::vector<Record> records;
      for (Record record : before.content->records) {
        if (record.index < part.first || record.index > part.last) continue;
        if (op.stamp.value() >= 0) record.timestamp = op.stamp;
        record.late = record.late || record.index < op.late_before;
        kept.insert(record.index);
        records.push_back(record);
      }
      if (static_cast<std::int64_t>(records.size()) != part.count()) broken("a part is not of its batch");
      put_batch(part, std::move(records));
    }
    for (const Record& record : before.content->records)
      if (!kept.contains(record.index)) gone(op.stream, record.origin, record.index, before.row.published);
  }
  void operator()(const PutBatch& op) {
    const auto old = store.batches_.find({op.row.stream, op.row.first});
    if (old == store.batches_.end()) return broken("no such batch");
    if (old->second.row.damaged) return broken("a damaged batch is marked or renumbered");
    const std::int32_t bytes = old->second.row.bytes;
    old->second.row = op.row;
    old->second.row.bytes = bytes;
  }
  void remove_batch(StreamId stream, EventIndex first, bool set_aside) {
    const auto old = store.batches_.find({stream, first});
    if (old == store.batches_.end()) return broken("no such batch to delete");
    for (const Record& record : old->second.content->records)
      gone(stream, record.origin, record.index, old->second.row.published, set_aside, old->second.content);
    store.batches_.erase(old);
  }
  void operator()(const DeleteBatch& op) { remove_batch(op.stream, op.first, false); }
  void operator()(const SetAside& op) { remove_batch(op.stream, op.first, true); }
};

ProducerId Store::origin_of(StreamId stream, EventIndex index) const {
  const OriginRow* best = nullptr;
  for (const auto& [key, row] : origins_)
    if (key.first == stream && row.first <= index && (best == nullptr || goes_before(*best, row))) best = &row;
  return best == nullptr ? no_producer : best->origin;
}

Store::Applied Store::apply(const Transaction& transaction, const Payloads& taken) {
  Applying applying{*this, taken, {}};
  for (const Op& op : transaction.ops) std::visit(applying, op);
  return std::move(applying.result);
}

Persisted Store::read() const {
  Persisted all;
  all.meta = meta_;
  for (const auto& [id, row] : streams_) all.streams.push_back(row);
  for (const auto& [key, row] : origins_) all.origins.push_back(row);
  for (const auto& [key, stranger] : producers_) all.producers.push_back({key.first, key.second, stranger});
  for (const auto& [key, batch] : batches_) all.batches.push_back(batch.row);
  for (const auto& [key, event] : events_) all.events.push_back(event.row);
  for (const auto& [index, row] : gaps_)
    if (std::any_of(events_.begin(), events_.end(),
                    [&, at = index](const auto& e) { return e.first.second == at && e.second.fact->gap.has_value(); }))
      all.gaps.push_back(row);
  for (const auto& [key, row] : sources_) all.sources.push_back(row);
  for (const auto& [key, row] : recents_) all.recents.push_back(row);
  return all;
}

const Store::StoredBatch* Store::batch(StreamId stream, EventIndex first) const {
  const auto found = batches_.find({stream, first});
  return found == batches_.end() ? nullptr : &found->second;
}

bool Store::damage_any(Prng& random) {
  if (batches_.empty()) return false;
  auto at = batches_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random.below(batches_.size())));
  at->second.row.damaged = true;
  return true;
}

std::optional<Gap> Store::lose_any(Prng& random) {
  const auto is_gap = [](const auto& entry) { return entry.second.fact->gap.has_value(); };
  const auto taken = std::count_if(events_.begin(), events_.end(), [&](const auto& entry) { return !is_gap(entry); });
  if (taken == 0) return std::nullopt;
  auto skip = random.below(static_cast<std::uint64_t>(taken));
  auto at = std::find_if(events_.begin(), events_.end(), [&](const auto& e) { return !is_gap(e) && skip-- == 0; });
  const auto [stream, first] = at->first;
  Gap gap{gap_reason::log_lost, streams_.at(stream).topic, origin_of(stream, first), first, first + -1};
  for (auto most = 1 + random.below(5); most > 0 && at != events_.end(); --most) {
    if (at->first != Key{stream, gap.last + 1} || origin_of(stream, gap.last + 1) != gap.origin) break;
    gap.last = gap.last + 1;
    ++gap.count;
    at = events_.erase(at);
  }
  for (auto& [key, row] : origins_) row.must_resolve = true;  // as LogStore::salvage leaves them
  return gap;
}

const StreamRow* Store::stream(const std::string& topic) const {
  for (const auto& [id, row] : streams_)
    if (row.topic == topic) return &row;
  return nullptr;
}

std::int64_t Store::last_of(const SourceName& source, const std::string& incarnation) const {
  const auto found = sources_.find({source, incarnation});
  return found == sources_.end() ? -1 : found->second.last;
}

bool Store::ever_had(const EventKey& key) const {
  const auto life = lives_.find(key.origin);
  return life != lives_.end() && life->second.first <= key.index && key.index <= life->second.last;
}

const std::vector<Store::StoredBatch> Store::published(StreamId stream) const {
  std::vector<StoredBatch> all;
  for (const auto& [key, batch] : batches_)
    if (key.first == stream && batch.row.published) all.push_back(batch);
  return all;
}

std::vector<EventKey> Store::droppable(const std::string& topic, bool youngest) const {
  std::vector<EventKey> all;
  const StreamRow* row = stream(topic);
  if (row == nullptr) return all;
  for (const auto& [key, batch] : batches_) {
    if (key.first != row->id || batch.row.published || batch.row.anew) continue;
    for (const Record& record : batch.content->records)
      if (!youngest || record.index == batch.row.last) all.push_back({record.origin, record.index});
  }
  for (const auto& [key, event] : events_)
    if (key.first == row->id) all.push_back({origin_of(row->id, key.second), key.second});
  return all;
}

bool Store::all_placed(std::size_t streams) const {
  return streams_.size() == streams &&
         std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s.second.partition.value() >= 0; });
}

std::map<std::string, std::int64_t> Store::accounts() const {
  std::map<std::string, std::int64_t> all;
  for (const auto& [key, batch] : batches_) all[streams_.at(key.first).topic] += batch.row.bytes;
  for (const auto& [key, event] : events_)
    all[streams_.at(key.first).topic] += event.row.bytes + (event.fact->gap ? 0 : event_overhead);
  return all;
}

std::int64_t Store::bytes() const {
  std::int64_t bytes = empty_bytes;
  for (const auto& [key, batch] : batches_) bytes += batch.row.bytes;
  for (const auto& [key, event] : events_) bytes += event.row.bytes + event_overhead;
  return bytes;
}

}  // namespace edgelog::sim::edge

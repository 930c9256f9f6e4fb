#pragma once
// The agent's log in memory: rows as the core wrote them, applied a transaction at a time. A copy is an image.
#include <map>
#include <set>

#include "common/base/prng.h"
#include "edge-agent/core/effects.h"
#include "tests/sim/edge/content.h"

namespace edgelog::sim::edge {

class Store {
 public:
  struct Payload {
    FactPtr fact;
    WallMillis timestamp;
    std::int32_t bytes = 0;
  };
  using Payloads = std::map<std::pair<agent::StreamId, EventIndex>, Payload>;

  agent::Persisted read() const;

  struct Applied {
    std::vector<std::int32_t> sealed_bytes;
    struct Gone {
      EventKey key;
      std::string topic;
      bool published = false, set_aside = false;
      ContentPtr batch;  // that it was in; or none
    };
    struct Durable {
      EventKey key;
      std::string topic;
      FactPtr fact;
      WallMillis timestamp;
    };
    std::vector<Gone> gone;        // left the log
    std::vector<agent::Gap> gaps;  // named in this transaction
    std::vector<Durable> durable;  // new in the log
    std::vector<Durable> grown;    // gaps that took another in
    std::vector<ProducerId> left;  // ids that an origin went out under and does no longer
    std::string broken;            // not empty: the transaction makes no sense
  };
  // `taken`: payloads of what the driver holds for InsertEvents.
  Applied apply(const agent::Transaction& transaction, const Payloads& taken);

  struct StoredBatch {
    agent::BatchRow row;
    ContentPtr content;
  };
  const StoredBatch* batch(agent::StreamId stream, EventIndex first) const;
  const agent::StreamRow* stream(const std::string& topic) const;
  std::int64_t last_of(const agent::SourceName& source, const std::string& incarnation) const;
  bool knows_producer(agent::StreamId stream, ProducerId id) const { return producers_.contains({stream, id}); }
  ProducerId origin_of(agent::StreamId stream, EventIndex index) const;
  // Was this event ever durable in this log (or in what it was copied from)?
  bool ever_had(const EventKey& key) const;
  // Every event that ever was, with its topic.
  struct Life {
    std::string topic;
    EventIndex first, last;
  };
  const std::map<ProducerId, Life>& lives() const { return lives_; }
  const std::vector<StoredBatch> published(agent::StreamId stream) const;
  // What it holds of a stream, as the stream counts it: by topic.
  std::map<std::string, std::int64_t> accounts() const;
  // On disk, without what deletions freed: as the real store tells it.
  std::int64_t bytes() const;
  // What a bound may drop: never published, and not waiting to be numbered anew.
  // `youngest`: of a batch the last alone, as long as which it stays.
  std::vector<EventKey> droppable(const std::string& topic, bool youngest = false) const;
  // So many streams are, and each has its partition.
  bool all_placed(std::size_t streams) const;
  // The bytes of this batch are lost from now on: its row says so.
  void damage(agent::StreamId stream, EventIndex first) { batches_.at({stream, first}).row.damaged = true; }
  // Such a batch by chance; false: there is none.
  bool damage_any(Prng& random);
  // Events that are in no batch, next to each other, are gone from now on: the gap that names them; or nothing.
  std::optional<agent::Gap> lose_any(Prng& random);

 private:
  using Key = std::pair<agent::StreamId, EventIndex>;
  struct Event {
    agent::EventRow row;
    FactPtr fact;
    WallMillis taken{-1};
    bool late = false;
  };
  friend struct Applying;

  agent::MetaRow meta_;
  std::map<agent::StreamId, agent::StreamRow> streams_;
  std::map<std::pair<agent::StreamId, ProducerId>, agent::OriginRow> origins_;
  std::map<std::pair<agent::StreamId, ProducerId>, bool> producers_;
  std::map<Key, StoredBatch> batches_;
  std::map<Key, Event> events_;
  std::map<EventIndex, agent::GapRow> gaps_;
  std::map<std::pair<agent::SourceName, std::string>, agent::SourceRow> sources_;
  std::map<std::pair<agent::SourceName, std::int32_t>, agent::RecentRow> recents_;
  std::map<ProducerId, Life> lives_;
};

}  // namespace edgelog::sim::edge

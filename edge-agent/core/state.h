#pragma once
// All that the core knows, shared by its parts (taking, sealing, flow, recovery, bounds, gaps). Each part is a
// set of functions over it; Agent calls them.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/prng.h"
#include "edge-agent/core/agent.h"
#include "edge-agent/core/clock.h"
#include "edge-agent/core/journal.h"
#include "edge-agent/core/sources.h"
#include "edge-agent/core/stream.h"

namespace edgelog::agent {

struct State {
  State(const Config& c, std::uint64_t seed) : config(c), random(seed) {}

  Config config;
  Prng random;
  Journal journal;
  CloudClock clock;
  Counts counts;
  Sources sources;
  MetaRow meta;
  std::map<StreamId, std::unique_ptr<Stream>> streams;
  std::map<std::string, StreamId, std::less<>> by_topic;
  std::vector<StreamId> by_priority;  // the greatest first

  std::int64_t opening() const { return meta.opening; }

  // Uplink.
  bool connected = false;
  bool listed = false;  // a list of topics came since
  std::map<std::string, uplink::TopicEntry> topics;
  Duration memory{0};        // of the log for a producer id; 0: not told
  std::uint32_t handed = 0;  // publishes that the MQTT server has not taken yet
  // Each opening begins anywhere: an answer to another life's question must not pass for one to ours.
  std::int64_t last_look_id = 0;

  // Taken and not yet part of a transaction.
  std::int64_t new_bytes = 0;
  std::int64_t under_way_bytes = 0;
  Instant new_since = never;
  bool short_of_space = false;
  std::int64_t log_dropped_in = 0;  // the transaction with what the log's bound dropped last
  bool urgent = false;              // a decision waits for its transaction: no linger
  std::vector<std::uint64_t> new_tickets;
  std::vector<Assigned> assigned;  // of the last Taken

  Stream& stream(StreamId id) { return *streams.at(id); }
};

// A new id of this agent, unlike any that the stream knows.
ProducerId new_producer_id(State&, const Stream&);
Stream* create_stream(State&, std::string_view topic);
Stream& gaps_stream(State&);
// The lane of the current opening; made, with its id, when it is first needed (rule 1).
Lane& current_lane(State&, Stream&);
void put_stream(State&, Stream&);
void put_origin(State&, const Lane&);
void learn_producer(State&, Stream&, ProducerId, bool stranger);
// Of what is taken now: by the best clock, not before the one given last, unless that lies ahead of the cloud's clock
// and so was given by one that was wrong.
WallMillis timestamp_now(const State&, Moment, const Stream&);
// Ages by the cloud's clock were too young: what may stand in the log is looked for before it is sent again (rule 8).
void clock_was_set_back(State&);
// The partition has another leader epoch, so it may have gone back to before a fence that another life of this agent's
// log set: what earlier openings took may stand behind it under another id, and is looked for first (rule 9).
void fences_may_be_lost(State&, Stream&);
void must_resolve(State&, Lane&);  // rule 7, before anything of it is sent again
// Lanes at the front that are empty and resolved go.
void retire_lanes(State&, Stream&);

}  // namespace edgelog::agent

#pragma once
// The fleet's state: from agents' heartbeats and wills to the compacted topic edgelog.fleet, one record an
// agent, keyed by it (docs/FORMATS.md, "Fleet"). Written for the shards that this gateway owns; the state of
// the others is remembered, so that a shard that comes over is written at once. An agent's record is written
// when it comes or goes, else every 10 s at most; what does not reach the log is written with the next. Who came
// or went is written first, then who was not written for longest: where there are more than can be written every
// 10 s, all are written less often. Who sends heartbeats is online.
// Owner's thread only.
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/metrics.h"
#include "common/client/client.h"
#include "common/record/builder.h"
#include "common/uplink/messages.h"
#include "gateway/core/sharding.h"

namespace edgelog::gateway {

struct FleetConfig {
  std::size_t agents_max = 50'000;
  Duration record_interval = seconds(10);  // of one agent, while nothing changes but figures
  Duration flush_interval = seconds(1);
  std::size_t flush_records_max = 500;
  std::size_t flush_bytes_max = 512 << 10;  // of one batch, not compressed; below any max.message.bytes
  std::size_t streams_max = 256;            // of one agent, which has no more; what is beyond is left out
};

struct FleetMetrics {
  Counter heartbeats, records, failures, refused;
  Gauge agents, online;
};

struct AgentState {
  bool online = false;
  WallMillis since{};  // when `online` became what it is, by the gateway's clock
  WallMillis seen{};   // last heartbeat, by the gateway's clock; 0: none yet
  std::optional<uplink::Heartbeat> heartbeat;
};
// What of a heartbeat is told: streams of a topic's name, and so many.
void trim(uplink::Heartbeat& heartbeat, std::size_t streams_max);
// The record's value.
std::string fleet_json(const std::string& agent, const AgentState& state, const std::string& gateway);

class Fleet {
 public:
  Fleet(FleetConfig config, std::string gateway, client::Client& client, Timer& timer)
      : config_(config), gateway_(std::move(gateway)), client_(client), timer_(timer) {}
  void heartbeat(const std::string& agent, uplink::Heartbeat heartbeat, WallMillis wall);
  void state(const std::string& agent, bool online, WallMillis wall);
  void own(const Shards& shards);
  void tick(WallMillis wall);
  Instant deadline() const;
  const FleetMetrics& metrics() const { return metrics_; }

 private:
  struct Entry {
    AgentState state;
    bool urgent = true;  // came or went, or was never written
    Instant written{};
    bool changed = false;  // owned, and not written since: it has its place among those to be written
  };
  struct Place {
    bool calm;
    Instant written;
    std::string agent;
    auto operator<=>(const Place&) const = default;
  };
  Entry* find(const std::string& agent);
  void mark(const std::string& agent, Entry& entry, bool urgent);
  void unmark(const std::string& agent, Entry& entry);
  void set_online(Entry& entry, bool online, WallMillis wall);
  // When that place's turn is at the earliest.
  Instant due_at(const Place& place) const;
  std::vector<std::string> due() const;
  void write(std::vector<std::string> agents, WallMillis wall);

  const FleetConfig config_;
  const std::string gateway_;
  client::Client& client_;
  Timer& timer_;
  FleetMetrics metrics_;
  Shards owned_;
  std::map<std::string, Entry> agents_;
  std::set<Place> changed_;  // in the order in which they are written
  Instant next_flush_{};
  bool writing_ = false;
  record::BatchBuilder builder_;
  record::Compressor compressor_;
};

}  // namespace edgelog::gateway

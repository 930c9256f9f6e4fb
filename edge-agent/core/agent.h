#pragma once
// The agent's core: what is taken, when it is committed, sealed, published, sent again, acknowledged, fenced,
// looked for, renumbered, dropped and named as a gap. Rules 1-12 of docs/ARCHITECTURE.md. It opens nothing,
// waits for nothing and holds no payload bytes. Belongs to the driver's thread.
//
//   Agent agent(config, persisted, seed, moment);  // the log was read
//   agent.step(moment, input, effects);            // perform effects in order, step Committed for each Commit
//   agent.deadline();                              // step Tick then
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "edge-agent/core/config.h"
#include "edge-agent/core/effects.h"
#include "edge-agent/core/inputs.h"

namespace edgelog::agent {

// Figures since the start, for /metrics.
struct Counts {
  std::uint64_t messages_taken = 0, events_taken = 0, repeats = 0, out_of_order = 0, refused = 0, blocked = 0;
  std::uint64_t events_dropped = 0, gaps = 0, gaps_merged = 0;
  std::uint64_t commits = 0, commits_failed = 0;
  std::uint64_t batches_sealed = 0, batches_resealed = 0, batches_published = 0, batches_sent_again = 0;
  std::uint64_t batches_acknowledged = 0, events_acknowledged = 0, events_found = 0, events_renumbered = 0;
  std::uint64_t answers_ignored = 0, fences = 0, looks = 0, checks = 0, recoveries = 0, went_back = 0, set_aside = 0;
};

// How a stream stands, for /readyz, the status page and the heartbeat. state as in uplink::StreamState.
struct StreamStatus {
  uplink::StreamState state;
  std::string waits_for;  // empty, or why nothing goes: "topic is not listed", "fence refused with 29"...
  std::uint32_t in_flight = 0;
};

class Agent {
 public:
  // `log_lost`: the former log was corrupt and set aside; a gap says so. `seed`: from the system's randomness,
  // never the same twice: producer ids come from it.
  Agent(const Config& config, Persisted persisted, std::uint64_t seed, Moment moment, bool log_lost = false);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // The stream of a topic; created when it is new. Nothing: the limit of streams is reached.
  std::optional<StreamId> stream(std::string_view topic);

  Taking step(Moment, const Taken&, Effects&);
  void step(Moment, const DeviceSays&, Effects&);
  void step(Moment, const Committed&, Effects&);
  void step(Moment, const CommitFailed&, Effects&);
  void step(Moment, const Connected&, Effects&);
  void step(Moment, const Disconnected&, Effects&);
  void step(Moment, const HandedOver&, Effects&);
  void step(Moment, const Usage&, Effects&);
  void step(Moment, const uplink::TopicList&, Effects&);
  void step(Moment, const uplink::Answers&, Effects&);
  void step(Moment, const Tick&, Effects&);
  void step(Moment, const Input&, Effects&);

  // When Tick is due; `never` if nothing is waited for.
  Instant deadline() const;

  const Counts& counts() const;
  std::vector<StreamStatus> status() const;
  // Something that was taken, dropped or said is part of no transaction that was handed out.
  bool is_gathering() const;
  // Nothing is taken that is not durable, and nothing is under way to the log of the agent.
  bool all_durable() const;
  // And nothing waits for the cloud.
  bool all_acknowledged() const;
  // The best clock: the system's, or the gateway's where the two are far apart.
  WallMillis best_time(Moment) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace edgelog::agent

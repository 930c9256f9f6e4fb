#pragma once
// The gateway's core: which batches are forwarded, in which order, what is answered, and how looks are
// read (docs/ARCHITECTURE.md, README.md of this folder). It remembers only what is in hand: any gateway
// may forward any batch any number of times. Pure; owned by the gateway's one thread.
//
//   Core core(config, seed);
//   core.step(now, SessionStarted{}, effects);   // then TopicsKnown, ShardsAssigned, BatchArrived, ...
//   ... perform effects in order; call step(now, Tick{}, effects) no later than core.deadline().
//
// `now` never goes back and goes on while the machine sleeps (CLOCK_BOOTTIME). A driver that steps later
// than deadline() by more than Config::pause_max has slept: see Reconnect.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/metrics.h"
#include "common/base/prng.h"
#include "gateway/core/looks.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

struct CoreConfig {
  std::int64_t batch_bytes_max = 768 * 1024;
  std::size_t in_hand_max = 8192;  // batches, of all agents
  std::int64_t in_hand_bytes_max = 64 << 20;
  std::int64_t agent_share = 8;  // with half of either taken an agent has this part at most, and room for a batch
  std::size_t stream_in_hand_max = 16;   // batches of one agent's stream
  std::size_t stream_in_flight_max = 5;  // sent and unanswered: what the log remembers of an id
  Duration hold_max = seconds(60);       // then a batch is discarded
  Duration retry_min = milliseconds(50), retry_max = seconds(1);
  Duration retry_total = seconds(15);  // then a retriable error is answered
  Duration tick = seconds(5);          // longest time between steps
  Duration pause_max = seconds(30);    // a step later than this after the last: the process slept
  std::uint32_t lanes = 2;             // streams are spread over so many ordered ways to each broker
  LookConfig look;
};

// Answers by Kafka's code; codes that are rare share the last counter.
struct AnswerCounters {
  static constexpr std::array<std::int16_t, 17> codes{0, 2, 3, 5, 6, 7, 10, 13, 19, 20, 29, 31, 32, 42, 45, 47, 87};
  std::array<Counter, codes.size() + 1> counters;
  void count(std::int16_t code) {
    const auto at = std::find(codes.begin(), codes.end(), code);
    counters[static_cast<std::size_t>(at - codes.begin())].add();
  }
};

struct CoreMetrics {
  Counter batches, bytes, fences, retries;
  AnswerCounters answers;
  Counter released_malformed, released_expired, released_full, released_copy, released_not_ready, released_stale;
  Counter late_results, pauses;
  Gauge in_hand, in_hand_bytes;
};

class Core {
 public:
  Core(const CoreConfig& config, std::uint64_t seed);
  void step(Instant now, const Input& input, Effects& effects);
  // When to call step() with a Tick at the latest.
  Instant deadline() const;
  const CoreMetrics& metrics() const { return metrics_; }
  const LookMetrics& look_metrics() const { return looks_.metrics(); }

 private:
  using StreamKey = std::pair<std::string, std::string>;  // agent, topic
  struct Held {
    Ticket ticket;
    uplink::BatchName name;
    PartitionIndex partition;
    std::uint32_t crc;
    std::int64_t bytes;
    Instant since;
    Instant first_failed = never;  // since when it has met retriable errors only
    std::int16_t last_error = 0;
    bool in_flight = false;
  };
  struct Stream {
    std::deque<Held> held;  // in order of arrival; the order in which they are sent
    std::size_t in_flight = 0;
    Instant retry_at{};          // nothing is sent before
    std::uint32_t failures = 0;  // in a row; above 0 one is sent at a time
    bool draining = false;       // one has failed: the others in flight are awaited first
    std::uint32_t lane = 0;
  };
  struct InHand {
    StreamKey stream;
    Instant since;
  };
  struct Share {
    std::size_t batches = 0;
    std::int64_t bytes = 0;
  };

  void on(Instant now, const BatchArrived& in, Effects& out);
  void on(Instant now, const LookArrived& in, Effects& out);
  void on(Instant now, const Produced& in, Effects& out);
  void on(Instant now, const TopicsKnown& in, Effects& out);
  void on(Instant now, const RangeKnown& in, Effects& out);
  void on(Instant now, const RangeRead& in, Effects& out);
  void on(Instant now, const ShardsAssigned& in, Effects& out);
  void on(Instant now, const SessionStarted& in, Effects& out);
  void on(Instant now, const Tick& in, Effects& out);

  using StreamEntry = std::map<StreamKey, Stream>::iterator;
  std::int16_t refusal(const BatchArrived& in) const;
  // What is wrong with the place that a batch or a look names; 0: it is listed.
  std::int16_t place_refusal(const std::string& topic, std::int32_t partition) const;
  bool half_taken(std::int64_t bytes) const;
  bool has_room(const std::string& agent, std::int64_t bytes) const;
  bool turned_away(const BatchArrived& in, Effects& out);
  void take(Instant now, const BatchArrived& in, Effects& out);
  void pump(Instant now, StreamEntry entry, Effects& out);
  void failed(Instant now, StreamEntry entry, Held& held, std::int16_t error, Effects& out);
  void give_up(StreamEntry entry, std::int16_t error, Effects& out);
  void answer(const std::string& agent, const Held& held, const Produced& result, Effects& out);
  // Ends held[at]; true if the stream still has something in hand.
  bool finish(StreamEntry entry, std::size_t at, Release reason, Effects& out);
  void release(Ticket ticket, Release reason, Effects& out);
  void expire(Instant now, Effects& out);
  void retry_streams(Instant now, Effects& out);
  void subscribe(Effects& out);

  CoreConfig config_;
  Prng prng_;
  Looks looks_;
  CoreMetrics metrics_;
  Instant last_step_{};
  bool stepped_ = false;
  std::uint64_t last_ticket_ = 0;
  bool stale_session_ = false;
  bool topics_known_ = false;
  std::map<std::string, std::size_t, std::less<>> listed_;  // topics, with their count of partitions
  std::set<std::uint32_t> assigned_, subscribed_;
  std::map<StreamKey, Stream> streams_;              // only those with something in hand
  std::map<Ticket, InHand> in_hand_;                 // tickets ascend: the oldest is first
  std::set<std::pair<Instant, StreamKey>> retries_;  // streams whose retry_at is awaited
  std::int64_t in_hand_bytes_ = 0;
  std::map<std::string, Share> shares_;  // by agent; only those with something in hand
};

}  // namespace edgelog::gateway

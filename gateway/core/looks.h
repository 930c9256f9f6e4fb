#pragma once
// Reading partitions for agents that look for their batches (rules 7 and 9 of docs/ARCHITECTURE.md). Per
// partition one round at a time serves all who wait: it asks for the range after the last of them has
// come, finds each one's expected batch, reads once from the least offset asked for, and answers all. Few
// questions are open at a time, and partitions take turns with each: none waits for one that has much to read,
// or that has no leader.
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/metrics.h"
#include "common/base/prng.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

struct LookConfig {
  std::size_t waiters_max = 4096;         // of all partitions
  std::size_t agent_waiters_max = 64;     // of these, one agent's
  std::size_t questions_max = 4;          // to the log, that are open at the same time
  std::size_t sightings_max = 8192;       // in one answer
  Duration answer_timeout = seconds(20);  // of one question to the log
  Duration retry_min = milliseconds(100), retry_max = seconds(2);
  Duration retry_total = seconds(60);  // without any progress; then the waiters get the error
};

struct LookMetrics {
  Counter asked, answered_ok, answered_error, refused_full, rounds, batches_seen, retries;
  Gauge waiting;
};

class Looks {
 public:
  Looks(const LookConfig& config, std::uint64_t seed);
  void ask(Instant now, const LookArrived& in, Effects& out);
  void on(Instant now, const RangeKnown& in, Effects& out);
  void on(Instant now, const RangeRead& in, Effects& out);
  // Time-outs, retries, and the next rounds. Called at the end of each step.
  void tick(Instant now, Effects& out);
  Instant deadline() const;
  const LookMetrics& metrics() const { return metrics_; }

 private:
  using PartitionKey = std::pair<std::string, std::int32_t>;
  struct Waiter {
    std::string agent;
    std::uint32_t prefix;
    uplink::LookRequest request;
    uplink::LookAnswer answer;
    bool expectation_open = false;
    bool overflow = false;
  };
  enum class Asked : std::uint8_t { nothing, range, spot, piece };
  struct Round {
    std::vector<Waiter> waiters;
    Asked asked = Asked::nothing;
    ReadId id{};
    Offset asked_from;
    Instant asked_at{};
    Instant wake = never;           // retry, or time-out of what was asked
    Instant failing_since = never;  // nothing has been read since
    std::uint32_t failures = 0;
    bool range_known = false;
    Offset log_start, end, next;  // next: up to where the range has been read
    LeaderEpoch leader_epoch;
  };
  struct Partition {
    std::vector<Waiter> next;  // for the round after the one that runs
    bool running = false;
    Round round;  // means something while running
  };
  using Entry = std::map<PartitionKey, Partition>::iterator;

  void take_turns(Instant now, Effects& out);
  void take_turn(Instant now, Entry entry, Effects& out);
  void start_round(Entry entry);
  void wake_at(Entry entry, Instant when);
  void go_on(Instant now, Entry entry, Effects& out);
  void ask_range(Instant now, Entry entry, Effects& out);
  void ask_read(Instant now, Entry entry, Asked what, Read read, Effects& out);
  void failed(Instant now, Entry entry, std::int16_t error, Effects& out);
  void succeeded(Entry entry, Effects& out);
  static bool wants_more(const Round& round);
  void begin(Instant now, Entry entry, Effects& out);
  static void judge_ends(Round& round);
  static void judge_spot(Round& round, Offset at, const std::vector<BatchSeen>& batches);
  void note(Round& round, const BatchSeen& batch);
  void answer_all(Entry entry, std::int16_t error, Effects& out);
  // The round that awaits this answer; it no longer does. end(): none does.
  Entry take_open(ReadId id);

  LookConfig config_;
  Prng prng_;
  LookMetrics metrics_;
  std::map<PartitionKey, Partition> partitions_;
  std::map<ReadId, PartitionKey> open_;
  std::set<PartitionKey> ready_;  // have something to ask, and wait for their turn
  PartitionKey last_turn_;
  std::set<std::pair<Instant, PartitionKey>> alarms_;  // rounds by their `wake`
  std::map<std::string, std::size_t> waiting_of_;      // by agent; only who waits
  std::size_t waiting_ = 0;
  std::uint64_t last_id_ = 0;
};

}  // namespace edgelog::gateway

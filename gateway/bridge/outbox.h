#pragma once
// Answers on their way to agents: what belongs to one agent and came in one turn goes out in one message.
// Bounded: beyond it the longest waiting agent's answers are dropped, since it sends again what was not
// answered. Owner's thread only.
#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "common/base/metrics.h"
#include "common/base/time.h"
#include "common/uplink/messages.h"
#include "gateway/bridge/uplink.h"

namespace edgelog::gateway {

inline constexpr Duration no_place_pause = milliseconds(100);

struct OutboxMetrics {
  Counter messages, dropped;
  Gauge waiting;
};

class Outbox {
 public:
  explicit Outbox(Uplink& uplink) : uplink_(uplink) {}
  void add(const std::string& agent, uplink::BatchAnswer answer);
  void add(const std::string& agent, uplink::LookAnswer answer);
  // Publishes what goes out now; gateway_time is `wall`.
  void flush(Instant now, WallMillis wall);
  // When a flush is worth a try: a while after one that found no place, where room() does not come before.
  Instant deadline() const { return empty() ? never : retry_at_; }
  void room() { retry_at_ = {}; }
  bool empty() const { return order_.empty(); }
  const OutboxMetrics& metrics() const { return metrics_; }

 private:
  uplink::Answers& of(const std::string& agent);

  Uplink& uplink_;
  OutboxMetrics metrics_;
  std::map<std::string, std::deque<uplink::Answers>> waiting_;
  std::deque<std::string> order_;  // agents with something waiting, by when it began
  std::size_t count_ = 0;          // answers
  Instant retry_at_{};
};

}  // namespace edgelog::gateway

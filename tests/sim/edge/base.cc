#include "tests/sim/edge/base.h"

namespace edgelog::sim::edge {

const std::vector<std::string>& fault_names() {
  static const std::vector<std::string> names{"uplink message lost",
                                              "uplink message repeated",
                                              "uplink message delayed",
                                              "uplink messages reordered",
                                              "uplink cut",
                                              "site message lost",
                                              "site message redelivered",
                                              "site MQTT killed",
                                              "agent crashed",
                                              "agent crashed in a commit",
                                              "commit failed (disk full)",
                                              "agent's clock jumped",
                                              "older image restored",
                                              "dropped by small bound",
                                              "dropped by small age",
                                              "gateway crashed",
                                              "gateway paused",
                                              "shard moved",
                                              "answer of produce lost",
                                              "produce slow",
                                              "leader changed",
                                              "uncommitted tail lost",
                                              "log put back",
                                              "retention",
                                              "producer forgotten",
                                              "stale leader answers",
                                              "log unavailable",
                                              "refused: too large",
                                              "refused: timestamp",
                                              "topic unlisted",
                                              "partitions added",
                                              "device rebooted",
                                              "ring overflowed",
                                              "device began again at 1",
                                              "stream full (block, drop-newest)",
                                              "dropped by the log's bound",
                                              "device's number wrapped",
                                              "gateway's clock ahead",
                                              "read of a look slow",
                                              "answer forged",
                                              "batch forged",
                                              "batch damaged",
                                              "refused for good",
                                              "agent short of space",
                                              "source forgotten",
                                              "answers in one message",
                                              "agent's log damaged",
                                              "old list of topics",
                                              "gateway's MQTT cut",
                                              "gateway's subscriptions refused",
                                              "another batch where one was lost"};
  return names;
}

const std::vector<std::string>& check_names() {
  static const std::vector<std::string> names{"leaves the log only if durable or named",
                                              "committed once",
                                              "committed in order",
                                              "published bytes are fixed",
                                              "numbering is a function",
                                              "window bound",
                                              "window of one until known",
                                              "marked before published",
                                              "one id at a time",
                                              "confirmed is durable",
                                              "source's message once",
                                              "a round is whole",
                                              "id's row before its use",
                                              "late is marked",
                                              "gaps are not false",
                                              "renumbered behind a fence only",
                                              "a stream has one partition",
                                              "looked only behind the fence",
                                              "timestamps never go back",
                                              "greater priority first",
                                              "what was refused is set aside",
                                              "numbered without a hole",
                                              "the oldest dropped first",
                                              "a repeat was taken before",
                                              "acknowledged is durable",
                                              "forgeries are not forwarded",
                                              "old copies are discarded",
                                              "all durable arrived or is named",
                                              "sources accounted for",
                                              "a stream's account is right",
                                              "bounds are kept",
                                              "who can serve takes part",
                                              "all arrived in the end"};
  return names;
}

namespace {
constexpr std::uint64_t steps_max = 20'000'000;  // a seed takes some hundred thousand
}

bool Base::step(Instant until) {
  if (!failure.empty() || heap_.empty() || heap_.top().when > until) return false;
  // priority_queue gives no way to move out of the top but this.
  Event event = std::move(const_cast<Event&>(heap_.top()));
  heap_.pop();
  now = event.when;
  if (++steps_ > steps_max) return fail("it does not end"), false;
  event.what();
  return true;
}

void Base::fail(std::string what) {
  if (!failure.empty()) return;
  failure = std::move(what);
  say("FAILED {}", failure);
}

}  // namespace edgelog::sim::edge

#pragma once
// What the core is told. The driver calls Agent::step with one of these; docs of each say who sends it.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/uplink/messages.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

// Both clocks at one moment: `now` is monotonic (CLOCK_BOOTTIME), `wall` may jump.
struct Moment {
  Instant now;
  WallMillis wall;
};

enum class SourceKind : std::uint8_t { plain, numbered, ring };

// One event of a message: its stream and what its payload (key, value, headers) takes.
struct TakenEvent {
  StreamId stream;
  std::int32_t bytes = 0;
};
inline constexpr std::size_t events_per_message_max = 64;

// A message came in and was mapped to `events` (of one or several streams; in this order). All of them are
// committed together, with the source's number.
struct Taken {
  SourceKind kind = SourceKind::plain;
  SourceName source;
  std::string incarnation;   // empty: the firmware has none
  std::int64_t number = 0;   // numbered and ring; 0 <= number, and < modulus where there is one
  std::int64_t modulus = 0;  // 0: numbers do not wrap. A ring's numbers begin at 1 in each incarnation and do not wrap
  std::uint64_t payload_hash = 0;  // of the message; numbered without incarnation
  bool can_wait = true;            // the input holds back what is blocked; MQTT's cannot without losing others
  std::uint64_t ticket = 0;        // not 0: the input wants Acknowledge{ticket} once this is durable
  std::vector<TakenEvent> events;
};

// What became of a Taken, at once. The driver keeps the payloads of what was taken until the transaction that
// has their InsertEvents is committed.
enum class Outcome : std::uint8_t {
  taken,
  repeat,        // it is there already
  out_of_order,  // a ring's, and not the next number: the device is told where to go on
  dropped,       // the stream is full and drops the newest: counted, a gap
  blocked,       // the stream is full and blocks: offer it again after the next Committed
  later,         // the stream is full: the device's ring keeps it and sends it again
  refused,       // `reason` says why: too large, too many sources...
};
struct Assigned {
  StreamId stream;
  EventIndex index;
  WallMillis timestamp;  // of its record
};
struct Taking {
  Outcome outcome = Outcome::taken;
  const char* reason = "";
  std::span<const Assigned> events;  // one per event, valid until the next step
};

// A device with a ring says what it cannot send (again): numbers up to `confirmed_through` were confirmed to it,
// those behind up to `lost_through` its ring has lost. Sent when it was told to go on from a number that it has not.
struct DeviceSays {
  SourceName source;
  std::string incarnation;
  std::int64_t confirmed_through = 0;
  std::int64_t lost_through = 0;
};

// The transaction is durable. `sealed_bytes`: sizes of the batches written by its Seal and Reseal, in order.
struct Committed {
  std::int64_t id = 0;
  std::vector<std::int32_t> sealed_bytes;
};
// It was rolled back (a full disk): the core hands the same transaction out again after a while.
struct CommitFailed {
  std::int64_t id = 0;
};

// The session with the uplink's MQTT server is there and everything of ours is subscribed; or it is gone.
struct Connected {};
struct Disconnected {};

// The MQTT server took a publish of ours (PUBACK), or said that nobody subscribes to it. It means that the
// transport has room for one more, and nothing else.
struct HandedOver {};

// What the log takes on disk: what deletions that are durable freed is no part of it.
struct Usage {
  std::int64_t log_bytes = 0;
  bool short_of_space = false;  // nothing is taken: what is left is for marks and deletions
};

// Time has passed: due when Agent::deadline() is reached; allowed at any time.
struct Tick {};

using Input = std::variant<Taken, DeviceSays, Committed, CommitFailed, Connected, Disconnected, HandedOver, Usage,
                           uplink::TopicList, uplink::Answers, Tick>;

}  // namespace edgelog::agent

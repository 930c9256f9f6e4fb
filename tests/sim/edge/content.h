#pragma once
// What stands for payloads and record batches here: who made an event, and what a batch says in its header.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/uplink/names.h"
#include "edge-agent/core/rows.h"

namespace edgelog::sim::edge {

// A device's message, or a gap.
struct Fact {
  std::uint64_t id = 0;  // of the message; events of one message in several streams share it
  int device = -1;
  int events = 0;  // that it became
  std::int64_t boot = 0, number = 0;
  std::optional<agent::Gap> gap;
};
using FactPtr = std::shared_ptr<const Fact>;

struct Record {
  ProducerId origin{no_producer};
  EventIndex index;
  WallMillis timestamp;
  bool late = false;
  FactPtr fact;
};

struct Content {
  ProducerId producer{no_producer};
  ProducerEpoch epoch;
  Sequence first;
  bool fence = false;
  bool stranger = false;  // of a client of the log that is no agent: the books know nothing of it
  std::int32_t bytes = 0;
  std::uint32_t crc = 0;
  std::vector<Record> records;
  Sequence last() const { return first + (static_cast<std::int64_t>(records.size()) - 1); }
};
using ContentPtr = std::shared_ptr<const Content>;

// Names an event for ever: no two openings share an origin.
struct EventKey {
  ProducerId origin{no_producer};
  EventIndex index;
  auto operator<=>(const EventKey&) const = default;
};
inline std::string text(const EventKey& key) {
  return std::to_string(key.origin.value() & 0xffffffff) + ":" + std::to_string(key.index.value());
}
inline std::uint32_t short_id(ProducerId id) { return static_cast<std::uint32_t>(id.value() & 0xffffffff); }

}  // namespace edgelog::sim::edge

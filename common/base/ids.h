#pragma once
// The ids and counts that every component shares, in Kafka's words.
#include <array>
#include <cstddef>

#include "common/base/strong.h"

namespace edgelog {

using Offset = Strong<struct OffsetTag, std::int64_t>;            // position of a record in a partition
using LeaderEpoch = Strong<struct LeaderEpochTag, std::int32_t>;  // Raft's term, Kafka's leader epoch
using NodeId = Strong<struct NodeIdTag, std::int32_t>;            // a broker
using PartitionIndex = Strong<struct PartitionIndexTag, std::int32_t>;
using ProducerId = Strong<struct ProducerIdTag, std::int64_t>;  // -1: none
using ProducerEpoch = Strong<struct ProducerEpochTag, std::int16_t>;
using Sequence = Strong<struct SequenceTag, std::int32_t>;  // of a record within its producer id, modulo 2^31
using EventIndex =
    Strong<struct EventIndexTag, std::int64_t>;  // of an event within an agent's stream, from 0, for ever
using Uuid = std::array<std::byte, 16>;          // Kafka topic ids, directory ids

inline constexpr ProducerId no_producer{-1};
// Bits 01: made by an agent (docs/FORMATS.md, "Uplink"); no cluster hands out such an id.
constexpr bool is_agent_producer_id(ProducerId id) { return id.value() >> 62 == 1; }

constexpr Offset operator+(Offset at, std::int64_t count) { return Offset{at.value() + count}; }
constexpr std::int64_t operator-(Offset to, Offset from) { return to.value() - from.value(); }
constexpr EventIndex operator+(EventIndex at, std::int64_t count) { return EventIndex{at.value() + count}; }
constexpr std::int64_t operator-(EventIndex to, EventIndex from) { return to.value() - from.value(); }

// The sequence `count` records later: Kafka wraps from 2^31 - 1 to 0.
constexpr Sequence operator+(Sequence at, std::int64_t count) {
  return Sequence{static_cast<std::int32_t>((at.value() + count) & 0x7fffffff)};
}

}  // namespace edgelog

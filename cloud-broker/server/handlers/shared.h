#pragma once
// What several handlers do in the same way.
#include <optional>

#include "cloud-broker/server/world.h"
#include "common/wire/errors.h"

namespace edgelog::broker {

// KIP-320: a client says under which leader epoch it knows a partition. -1: it does not; less is an old one.
inline wire::ErrorCode check_leader_epoch(const Partition& partition, LeaderEpoch claimed) {
  if (claimed.value() == -1 || claimed == partition.leader_epoch()) return wire::ErrorCode::none;
  return claimed < partition.leader_epoch() ? wire::ErrorCode::fenced_leader_epoch
                                            : wire::ErrorCode::unknown_leader_epoch;
}

// Bits of KIP-430 for whoever may do everything.
inline constexpr std::int32_t topic_operations =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
inline constexpr std::int32_t cluster_operations = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
inline constexpr std::int32_t group_operations = 1 << 3 | 1 << 6 | 1 << 8;

// What one response may hold at most where a small request could ask for much, by naming one thing many times:
// bytes, resources, partitions. What goes beyond is answered with an error.
inline constexpr std::size_t response_bytes_max = 64 << 20;
inline constexpr std::size_t response_resources_max = 20'000;
inline constexpr std::size_t response_partitions_max = 400'000;

inline constexpr const char* not_authorized = "Authorization failed.";

// A message for people. What it quotes came from the client, so it is cut: a string of the protocol has a limit.
inline std::optional<std::string> text_or_null(std::string text) {
  constexpr std::size_t message_max = 1000;
  if (text.size() > message_max) text.resize(message_max);
  return text.empty() ? std::nullopt : std::optional<std::string>(std::move(text));
}

}  // namespace edgelog::broker

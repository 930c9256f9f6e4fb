#pragma once
// Where things lie in the data directory (docs/FORMATS.md, "Broker's data directory"). Pure functions.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace edgelog::broker {

struct PartitionId {
  Uuid topic{};
  PartitionIndex index{};
  auto operator<=>(const PartitionId&) const = default;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.topic);
    v.field(m.index);
  }
};

namespace disklog {

inline constexpr std::string_view partitions_directory = "partitions";
inline constexpr std::string_view journal_directory = "journal";
inline constexpr std::string_view checkpoint_slots = "checkpoint";  // checkpoint.0 and .1
inline constexpr std::string_view meta_file = "meta";
inline constexpr std::string_view lock_file = "lock";

std::string hex(const Uuid& id);
std::optional<Uuid> parse_hex(std::string_view text);

std::string partition_name(const PartitionId& id);  // <32 hex digits>-<index>
std::optional<PartitionId> parse_partition_name(std::string_view name);
std::string partition_path(const PartitionId& id);  // partitions/<name>

// A segment is known by its first offset and a version, which compaction counts up.
std::string segment_name(Offset base, std::uint32_t version);  // 20 digits, '.', version, ".log"
std::string index_name(Offset base, std::uint32_t version);    // the same with ".index"
std::string snapshot_name(Offset end);                         // 20 digits, ".producers"
std::string journal_path(std::uint32_t slot);

}  // namespace disklog
}  // namespace edgelog::broker

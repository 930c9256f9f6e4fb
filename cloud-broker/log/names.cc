#include "cloud-broker/log/names.h"

#include <fmt/format.h>

#include <charconv>

namespace edgelog::broker::disklog {

std::string hex(const Uuid& id) {
  std::string out;
  for (const auto byte : id) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned>(byte));
  return out;
}

std::optional<Uuid> parse_hex(std::string_view text) {
  Uuid id{};
  if (text.size() != id.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    unsigned byte = 0;
    const char* const end = text.data() + i * 2 + 2;
    const auto parsed = std::from_chars(text.data() + i * 2, end, byte, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    id[i] = static_cast<std::byte>(byte);
  }
  return id;
}

std::string partition_name(const PartitionId& id) { return fmt::format("{}-{}", hex(id.topic), id.index.value()); }

std::optional<PartitionId> parse_partition_name(std::string_view name) {
  if (name.size() < 34 || name[32] != '-') return std::nullopt;
  const auto topic = parse_hex(name.substr(0, 32));
  std::int32_t index = 0;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + 33, end, index);
  if (!topic || parsed.ec != std::errc{} || parsed.ptr != end || index < 0) return std::nullopt;
  return PartitionId{*topic, PartitionIndex{index}};
}

std::string partition_path(const PartitionId& id) {
  return fmt::format("{}/{}", partitions_directory, partition_name(id));
}
std::string segment_name(Offset base, std::uint32_t version) {
  return fmt::format("{:020}.{}.log", base.value(), version);
}
std::string index_name(Offset base, std::uint32_t version) {
  return fmt::format("{:020}.{}.index", base.value(), version);
}
std::string snapshot_name(Offset end) { return fmt::format("{:020}.producers", end.value()); }
std::string journal_path(std::uint32_t slot) { return fmt::format("{}/{}.journal", journal_directory, slot); }

}  // namespace edgelog::broker::disklog

#include "gateway/core/sharding.h"

#include <algorithm>
#include <vector>

#include "common/base/assert.h"

namespace edgelog::gateway {
namespace {
constexpr std::byte format_version{1};
}

std::map<std::string, Shards> divide_shards(const std::map<std::string, Shards>& held) {
  std::map<std::string, Shards> out;
  if (held.empty()) return out;
  std::vector<std::pair<std::string, Shards>> members(held.begin(), held.end());
  // Those who hold most get the larger shares, so that less moves.
  std::stable_sort(members.begin(), members.end(),
                   [](const auto& a, const auto& b) { return a.second.count() > b.second.count(); });
  const std::size_t least = uplink::shard_count / members.size();
  std::size_t larger = uplink::shard_count % members.size();
  Shards given;
  std::vector<std::size_t> shares;
  for (const auto& [id, had] : members) {
    shares.push_back(least + (larger > 0 ? 1 : 0));
    if (larger > 0) --larger;
    Shards& kept = out[id];
    for (std::size_t shard = 0; shard < uplink::shard_count && kept.count() < shares.back(); ++shard) {
      if (!had[shard] || given[shard]) continue;
      kept.set(shard);
      given.set(shard);
    }
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Shards& kept = out[members[i].first];
    for (; kept.count() < shares[i]; ++next) {
      ASSERT(next < uplink::shard_count);
      if (given[next]) continue;
      kept.set(next);
      given.set(next);
    }
  }
  ASSERT(given.all());
  return out;
}

Buffer encode(const Shards& shards) {
  Buffer out(9);
  out[0] = format_version;
  store_big(out.data() + 1, static_cast<std::uint64_t>(shards.to_ullong()));
  return out;
}

std::optional<Shards> decode_shards(Bytes bytes) {
  if (bytes.size() != 9 || bytes[0] != format_version) return std::nullopt;
  return Shards(load_big<std::uint64_t>(bytes.data() + 1));
}

}  // namespace edgelog::gateway

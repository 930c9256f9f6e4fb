#pragma once
// How gateways share the shards: each tells what it holds, the group's leader divides. Pure.
#include <bitset>
#include <map>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/uplink/names.h"

namespace edgelog::gateway {

using Shards = std::bitset<uplink::shard_count>;

// Evenly, to within one, and with as few moves as that allows: what one holds it keeps up to its share.
// The same for the same input, whoever computes it.
std::map<std::string, Shards> divide_shards(const std::map<std::string, Shards>& held);

// What members tell and are told in the group: version byte 1, then 64 bits, shard 0 the lowest
// (docs/FORMATS.md).
Buffer encode(const Shards& shards);
std::optional<Shards> decode_shards(Bytes bytes);

}  // namespace edgelog::gateway

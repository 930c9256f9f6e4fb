#include "common/uplink/names.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/assert.h"

namespace edgelog::uplink {
namespace {

bool word_of(std::string_view text, std::size_t longest, auto&& allowed) {
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), allowed);
}
bool lower_or_sign(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::uint32_t agent_bits(std::string_view agent) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  // OpenSSL's one-shot calls bring its providers up, which costs an agent 1.7 MB for one digest; these do not.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, agent.data(), agent.size());
  SHA256_Final(digest.data(), &context);
#pragma GCC diagnostic pop
  const std::uint32_t first = static_cast<std::uint32_t>(digest[0]) << 24 |
                              static_cast<std::uint32_t>(digest[1]) << 16 | static_cast<std::uint32_t>(digest[2]) << 8 |
                              digest[3];
  return first >> 2;  // 30 bits
}

std::string joined(std::string_view kind, std::string_view agent, std::string_view topic) {
  std::string out = "edgelog/1/";
  out.append(kind)
      .append("/")
      .append(std::to_string(shard_of(agent)))
      .append("/")
      .append(agent)
      .append("/")
      .append(topic);
  return out;
}

}  // namespace

bool valid_agent_id(std::string_view agent) { return word_of(agent, 64, lower_or_sign); }

bool valid_topic(std::string_view topic) {
  return topic != "." && topic != ".." &&
         word_of(topic, 249, [](char c) { return lower_or_sign(c) || (c >= 'A' && c <= 'Z'); });
}

bool valid_event_topic(std::string_view topic) {
  return valid_topic(topic) && !topic.starts_with("edgelog.") && !topic.starts_with("__");
}

std::uint32_t murmur2(std::string_view key) {
  // Kafka: org.apache.kafka.common.utils.Utils.murmur2, and toPositive.
  constexpr std::uint32_t m = 0x5bd1e995;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(key[i])); };
  const std::size_t length = key.size();
  std::uint32_t h = 0x9747b28cU ^ static_cast<std::uint32_t>(length);
  std::size_t at = 0;
  for (; at + 4 <= length; at += 4) {
    std::uint32_t k = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    k *= m;
    k ^= k >> 24;
    k *= m;
    h *= m;
    h ^= k;
  }
  const std::size_t rest = length - at;
  if (rest == 3) h ^= byte(at + 2) << 16;
  if (rest >= 2) h ^= byte(at + 1) << 8;
  if (rest >= 1) {
    h ^= byte(at);
    h *= m;
  }
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return h & 0x7fffffff;
}

std::uint32_t shard_of(std::string_view agent) { return murmur2(agent) % shard_count; }

PartitionIndex partition_of(std::string_view agent, std::int32_t partition_count) {
  ASSERT(partition_count > 0);
  return PartitionIndex{static_cast<std::int32_t>(murmur2(agent) % static_cast<std::uint32_t>(partition_count))};
}

ProducerId make_producer_id(std::string_view agent, std::uint32_t random) {
  const std::uint64_t id = std::uint64_t{1} << 62 | static_cast<std::uint64_t>(agent_bits(agent)) << 32 | random;
  return ProducerId{static_cast<std::int64_t>(id)};
}

bool belongs_to(ProducerId id, std::string_view agent) {
  return is_agent_producer_id(id) && (static_cast<std::uint64_t>(id.value()) >> 32 & 0x3fffffff) == agent_bits(agent);
}

std::string up_topic(std::string_view agent, std::string_view topic) { return joined("up", agent, topic); }
std::string look_topic(std::string_view agent, std::string_view topic) { return joined("look", agent, topic); }
std::string ack_topic(std::string_view agent) { return "edgelog/1/ack/" + std::string(agent); }
std::string heartbeat_topic(std::string_view agent) { return "edgelog/1/hb/" + std::string(agent); }
std::string state_topic(std::string_view agent) { return "edgelog/1/state/" + std::string(agent); }

std::optional<UpAddress> parse_up_topic(std::string_view mqtt_topic) {
  UpAddress address{};
  constexpr std::string_view up = "edgelog/1/up/", look = "edgelog/1/look/";
  if (mqtt_topic.starts_with(up)) {
    mqtt_topic.remove_prefix(up.size());
  } else if (mqtt_topic.starts_with(look)) {
    mqtt_topic.remove_prefix(look.size());
    address.look = true;
  } else {
    return std::nullopt;
  }
  const auto shard_end = mqtt_topic.find('/');
  if (shard_end == std::string_view::npos) return std::nullopt;
  const auto agent_end = mqtt_topic.find('/', shard_end + 1);
  if (agent_end == std::string_view::npos) return std::nullopt;
  const auto parsed = std::from_chars(mqtt_topic.data(), mqtt_topic.data() + shard_end, address.shard);
  if (parsed.ec != std::errc{} || parsed.ptr != mqtt_topic.data() + shard_end) return std::nullopt;
  address.agent = mqtt_topic.substr(shard_end + 1, agent_end - shard_end - 1);
  address.topic = mqtt_topic.substr(agent_end + 1);
  if (!valid_agent_id(address.agent) || !valid_topic(address.topic) || shard_of(address.agent) != address.shard)
    return std::nullopt;
  return address;
}

Buffer encode(const OriginMark& mark) {
  Buffer out(16);
  store_big(out.data(), mark.origin.value());
  store_big(out.data() + 8, mark.index.value());
  return out;
}

std::optional<OriginMark> decode_origin(Bytes value) {
  if (value.size() != 16) return std::nullopt;
  const OriginMark mark{ProducerId{load_big<std::int64_t>(value.data())},
                        EventIndex{load_big<std::int64_t>(value.data() + 8)}};
  if (mark.index.value() < 0) return std::nullopt;
  return mark;
}

}  // namespace edgelog::uplink

#include "gateway/bridge/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "common/uplink/names.h"

namespace edgelog::gateway {
namespace {

constexpr Duration failure_pause = seconds(5);
constexpr Duration write_timeout = seconds(10);
constexpr std::array stream_states{"flowing", "fencing", "looking", "refused", "full"};

// A JSON string; whatever is no printable ASCII comes as \u00XX of its bytes' values.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out.append(1, '\\').append(1, c);
    else if (byte < 0x20 || byte > 0x7e)
      out += fmt::format("\\u{:04x}", byte);
    else
      out += c;
  }
  return out + '"';
}

std::string stream_json(const uplink::StreamState& stream) {
  const auto known = static_cast<std::size_t>(stream.state);
  const char* const state = stream.state >= 0 && known < stream_states.size() ? stream_states[known] : "unknown";
  return fmt::format(
      R"({{"topic":{},"oldest":{},"newest":{},"acknowledged":{},"backlog":{},"bytes":{},"oldest_ms":{},"state":"{}"}})",
      quoted(stream.topic), stream.oldest.value(), stream.newest.value(), stream.acknowledged.value(),
      stream.newest - stream.acknowledged, stream.bytes, stream.oldest_ms, state);
}

}  // namespace

void trim(uplink::Heartbeat& heartbeat, std::size_t streams_max) {
  constexpr std::size_t version_max = 64;
  std::erase_if(heartbeat.streams, [](const auto& stream) { return !uplink::valid_topic(stream.topic); });
  if (heartbeat.streams.size() > streams_max) heartbeat.streams.resize(streams_max);
  if (heartbeat.software_version.size() > version_max) heartbeat.software_version.resize(version_max);
}

std::string fleet_json(const std::string& agent, const AgentState& state, const std::string& gateway) {
  std::string out = fmt::format(R"({{"v":1,"agent":{},"online":{},"since_ms":{},"seen_ms":{},"gateway":{})",
                                quoted(agent), state.online, state.since.value(), state.seen.value(), quoted(gateway));
  if (const auto& beat = state.heartbeat) {
    out += fmt::format(R"(,"software":{},"agent_time_ms":{},"clock_trusted":{},"disk_free_bytes":{},"streams":[)",
                       quoted(beat->software_version), beat->agent_time.value(), beat->clock_trusted != 0,
                       beat->disk_free_bytes);
    for (std::size_t i = 0; i < beat->streams.size(); ++i) out += (i > 0 ? "," : "") + stream_json(beat->streams[i]);
    out += ']';
  }
  return out + '}';
}

Fleet::Entry* Fleet::find(const std::string& agent) {
  if (const auto found = agents_.find(agent); found != agents_.end()) return &found->second;
  if (!uplink::valid_agent_id(agent) || agents_.size() >= config_.agents_max) {
    metrics_.refused.add();
    return nullptr;
  }
  Entry& entry = agents_[agent];
  metrics_.agents.set(static_cast<std::int64_t>(agents_.size()));
  return &entry;
}

void Fleet::mark(const std::string& agent, Entry& entry, bool urgent) {
  unmark(agent, entry);
  entry.urgent |= urgent;
  if (!owned_[uplink::shard_of(agent)]) {
    entry.urgent = true;  // for when it comes over
    return;
  }
  entry.changed = true;
  changed_.insert({!entry.urgent, entry.written, agent});
}

void Fleet::unmark(const std::string& agent, Entry& entry) {
  if (!entry.changed) return;
  changed_.erase({!entry.urgent, entry.written, agent});
  entry.changed = false;
}

void Fleet::heartbeat(const std::string& agent, uplink::Heartbeat heartbeat, WallMillis wall) {
  Entry* const entry = find(agent);
  if (!entry) return;
  metrics_.heartbeats.add();
  trim(heartbeat, config_.streams_max);
  entry->state.seen = wall;
  entry->state.heartbeat = std::move(heartbeat);
  const bool comes = !entry->state.online;  // its word that it is online was lost
  if (comes) set_online(*entry, true, wall);
  mark(agent, *entry, comes);
}

void Fleet::state(const std::string& agent, bool online, WallMillis wall) {
  Entry* const entry = find(agent);
  if (!entry) return;
  const bool turns = entry->state.online != online || entry->state.since.value() == 0;
  if (turns) set_online(*entry, online, wall);
  mark(agent, *entry, turns);
}

void Fleet::set_online(Entry& entry, bool online, WallMillis wall) {
  if (entry.state.online != online) metrics_.online.set(metrics_.online.value() + (online ? 1 : -1));
  entry.state.online = online;
  entry.state.since = wall;
}

void Fleet::own(const Shards& shards) {
  const Shards fresh = shards & ~owned_;
  owned_ = shards;
  for (auto& [agent, entry] : agents_) {
    const auto shard = uplink::shard_of(agent);
    if (!owned_[shard]) unmark(agent, entry);
    if (fresh[shard]) mark(agent, entry, false);
  }
}

Instant Fleet::due_at(const Place& place) const {
  return place.calm ? place.written + config_.record_interval : Instant{};
}

Instant Fleet::deadline() const {
  return changed_.empty() || writing_ ? never : std::max(next_flush_, due_at(*changed_.begin()));
}

void Fleet::tick(WallMillis wall) {
  const Instant now = timer_.now();
  if (writing_ || changed_.empty() || now < next_flush_) return;
  if (auto agents = due(); !agents.empty()) {
    next_flush_ = now + config_.flush_interval;
    write(std::move(agents), wall);
  }
}

std::vector<std::string> Fleet::due() const {
  std::vector<std::string> out;
  for (const Place& place : changed_) {
    if (out.size() >= config_.flush_records_max || due_at(place) > timer_.now()) break;
    out.push_back(place.agent);
  }
  return out;
}

// As many of them as one batch takes; the others stay for the next.
void Fleet::write(std::vector<std::string> agents, WallMillis wall) {
  builder_.reset();
  for (std::size_t i = 0; i < agents.size(); ++i) {
    if (i > 0 && builder_.plain_bytes() >= config_.flush_bytes_max) agents.resize(i);
    if (i == agents.size()) break;
    const std::string& agent = agents[i];
    Entry& entry = agents_.at(agent);
    builder_.append(wall.value(), as_bytes(agent), as_bytes(fleet_json(agent, entry.state, gateway_)));
    unmark(agent, entry);
    entry.urgent = false;
    entry.written = timer_.now();
  }
  writing_ = true;
  auto batch = std::make_shared<const Buffer>(builder_.finish({.codec = record::Codec::zstd}, compressor_));
  client_.produce({std::string(uplink::fleet_topic), PartitionIndex{0}}, 0, std::move(batch),
                  timer_.now() + write_timeout, [this, agents](const client::ProduceResult& result) {
                    writing_ = false;
                    if (result.error == wire::ErrorCode::none) return metrics_.records.add(agents.size());
                    metrics_.failures.add();
                    next_flush_ = timer_.now() + failure_pause;
                    for (const std::string& agent : agents) {
                      mark(agent, agents_.at(agent), true);
                    }
                  });
}

}  // namespace edgelog::gateway

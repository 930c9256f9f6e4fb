#include "cloud-broker/group/group.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/wire/codec.h"

namespace edgelog::broker::group {

const Buffer* Member::metadata_for(const std::string& protocol) const {
  for (const Protocol& each : protocols) {
    if (each.name == protocol) return &each.metadata;
  }
  return nullptr;
}

const char* Group::state_name() const {
  constexpr const char* names[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"};
  return names[state.index()];
}

std::size_t metadata_bytes(const std::string& client_id, const std::string& client_host,
                           const std::optional<std::string>& instance_id, const std::vector<Protocol>& protocols) {
  std::size_t sum = client_id.size() + client_host.size() + (instance_id ? instance_id->size() : 0);
  for (const Protocol& each : protocols) sum += each.name.size() + each.metadata.size();
  return sum;
}

Member* Group::find(const std::string& member_id) {
  const auto at = members.find(member_id);
  return at == members.end() ? nullptr : &at->second;
}

bool Group::supports(const std::string& type, const std::vector<Protocol>& protocols) const {
  if (type.empty() || protocols.empty()) return false;
  if (members.empty()) return true;
  if (type != protocol_type) return false;
  return std::any_of(protocols.begin(), protocols.end(), [this](const Protocol& wanted) {
    return std::all_of(members.begin(), members.end(),
                       [&](const auto& entry) { return entry.second.metadata_for(wanted.name) != nullptr; });
  });
}

std::string Group::choose_protocol() const {
  ASSERT(!members.empty());
  std::map<std::string, std::size_t> votes;
  for (const Protocol& each : members.begin()->second.protocols) {
    const bool common = std::all_of(members.begin(), members.end(),
                                    [&](const auto& entry) { return entry.second.metadata_for(each.name) != nullptr; });
    if (common) votes.emplace(each.name, 0);
  }
  ASSERT(!votes.empty());  // G4
  for (const auto& [key, member] : members) {
    const auto preferred = std::find_if(member.protocols.begin(), member.protocols.end(),
                                        [&](const Protocol& each) { return votes.contains(each.name); });
    ++votes[preferred->name];
  }
  return std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

bool Group::all_joined() const {
  return pending.empty() && std::all_of(members.begin(), members.end(),
                                        [](const auto& entry) { return entry.second.joining.has_value(); });
}

Duration Group::rebalance_timeout() const {
  Duration longest{};
  for (const auto& [key, member] : members) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

std::size_t Group::held_bytes() const {
  std::size_t sum = assigned_bytes();
  for (const auto& [key, member] : members) sum += member.metadata_bytes();
  return sum;
}

std::size_t Group::assigned_bytes() const {
  std::size_t sum = 0;
  for (const auto& [key, member] : members) sum += member.assignment.size();
  return sum;
}

std::optional<std::set<std::string>> Group::subscribed_topics() const {
  if (protocol_type != "consumer" || !protocol) return std::nullopt;
  std::set<std::string> topics;
  for (const auto& [key, member] : members) {
    const Buffer* metadata = member.metadata_for(*protocol);
    const auto found = metadata != nullptr ? topics_of_subscription(*metadata) : std::nullopt;
    if (!found) return std::nullopt;
    topics.insert(found->begin(), found->end());
  }
  return topics;
}

GroupSnapshot Group::snapshot() const {
  GroupSnapshot made{protocol_type, generation, protocol, leader, state_since, {}};
  for (const auto& [key, member] : members) {
    const Buffer* metadata = protocol ? member.metadata_for(*protocol) : nullptr;
    made.members.push_back({key, member.instance_id, member.client_id, member.client_host,
                            static_cast<std::int32_t>(to_millis(member.rebalance_timeout)),
                            static_cast<std::int32_t>(to_millis(member.session_timeout)),
                            metadata != nullptr ? *metadata : Buffer(), member.assignment});
  }
  return made;
}

namespace {
struct SubscriptionHead {  // what every version of ConsumerProtocolSubscription begins with; later ones append fields
  std::vector<std::string> topics;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.topics);
  }
};
}  // namespace

std::optional<std::vector<std::string>> topics_of_subscription(Bytes metadata) {
  constexpr std::size_t version_bytes = 2;
  if (metadata.size() < version_bytes) return std::nullopt;
  wire::Decoder decoder(metadata.subspan(version_bytes), 0, false);
  SubscriptionHead head;
  SubscriptionHead::describe(decoder, head);
  if (!decoder.ok()) return std::nullopt;
  return std::move(head.topics);
}

}  // namespace edgelog::broker::group

#include "gateway/bridge/membership.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/log.h"

namespace edgelog::gateway {
namespace {

client::GroupOptions options_of(const std::string& group) {
  client::GroupOptions options;
  options.group = group;
  options.protocol_type = "edgelog-gateway";
  options.protocol = "shards";
  return options;
}

}  // namespace

Membership::Membership(const std::string& group, client::Client& client, Timer& timer,
                       std::function<void(const Shards&)> owned, std::function<void(const std::string&)> troubled,
                       std::uint64_t seed)
    : owned_(std::move(owned)),
      troubled_(std::move(troubled)),
      member_(options_of(group), client, timer, events(), seed) {}

client::GroupMember::Events Membership::events() {
  client::GroupMember::Events events;
  events.metadata = [this] { return encode(shards_); };
  events.assign = [](const std::vector<client::GroupMember::Member>& members) {
    std::map<std::string, Shards> held;
    for (const auto& member : members) held[member.id] = decode_shards(member.metadata).value_or(Shards{});
    std::map<std::string, Buffer> out;
    for (const auto& [id, shards] : divide_shards(held)) out[id] = encode(shards);
    return out;
  };
  events.assigned = [this](Bytes bytes) {
    const auto shards = decode_shards(bytes);
    troubled_(shards ? "" : "the group's leader has assigned nothing");
    take(shards.value_or(Shards{}));
  };
  // What was ours is served on: the others may do so too, which costs work and harms nothing, while a log
  // that was away for some seconds would otherwise leave the agents without anyone.
  events.lost = [this] { troubled_("the group's session has ended"); };
  events.refused = [this](wire::ErrorCode error) {
    troubled_(fmt::format("the group refuses: error {}", wire::code(error)));
  };
  return events;
}

void Membership::attend(bool wanted) {
  if (wanted == attends_) return;
  if (!wanted) return leave([] {});
  attends_ = true;
  troubled_("not joined yet");
  member_.start();
}

void Membership::leave(std::function<void()> done) {
  if (attends_) troubled_("left, since MQTT does not work: the other gateways have its shards");
  attends_ = false;
  member_.leave(std::move(done));
}

void Membership::take(const Shards& shards) {
  if (shards != shards_) LOG(info, "{} of {} shards", shards.count(), shards.size());
  shards_ = shards;
  owned_(shards_);
}

}  // namespace edgelog::gateway

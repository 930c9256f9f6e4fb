// What is true of a group's generations, and of who is in them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/broker/model.h"

namespace edgelog::sim::shard {

void GroupModel::restarted() {
  seen_ = synced_;
  lists_.clear();
  entered_.clear();
  left_.clear();
}

void GroupModel::joined(Model& model, std::size_t number, std::int32_t generation, const std::string& id,
                        const std::string& leader, Instant now) {
  const auto whose = ids_.try_emplace(id, number).first;
  model.expect(whose->second == number, Check::generations, "two members have the id " + id);
  if (model.flips > 0) return;
  // All went and nothing was kept: another group. Of its first generations nobody may have heard (seed 106466), nor
  // of the earlier group's of that number (seed 141314).
  const auto known = leaders_.find(generation);
  const bool again = generation <= seen_ && (known == leaders_.end() || known->second != leader) &&
                     std::none_of(alive_.begin(), alive_.end(),
                                  [&](const auto& each) { return each.first != id && surely_in(each.first, now); });
  if ((generation == 1 || again) && !model.has_offsets("crew") && seen_ > 1) {
    seen_ = synced_ = 0;
    lists_.clear();
    entered_.clear();
    handed_in_.clear();
  }
  entered_[generation].insert(id);
  const auto list = lists_.find(generation);
  model.expect(list == lists_.end() || list->second.contains(id), Check::generations,
               fmt::format("{} is in generation {}, and its leader was not told", id, generation));
  model.expect(generation >= seen_ && (generation > synced_ || leader == leader_), Check::generations,
               fmt::format("generation {} of {} after {} of {}", generation, leader, synced_, leader_));
  seen_ = std::max(seen_, generation);
  leaders_[generation] = leader;
}

void GroupModel::synced(Model& model, std::int32_t generation, const std::string& id, const std::string& share) {
  if (model.flips > 0) return;
  model.expect(generation >= seen_, Check::generations,
               fmt::format("a share of generation {} after one was in {}", generation, seen_));
  if (generation > synced_) {
    shares_.clear();
    synced_ = generation;
    leader_ = leaders_[generation];
  }
  const std::vector<Shares>& all = handed_in_[generation];
  model.expect(std::any_of(all.begin(), all.end(),
                           [&](const Shares& one) {
                             const auto mine = one.find(id);
                             return share == (mine == one.end() ? std::string() : mine->second);
                           }),
               Check::owners, fmt::format("{} owns {} in generation {}: no leader said so", id, share, generation));
  const auto before = shares_.try_emplace(id, share).first;
  model.expect(before->second == share, Check::owners,
               fmt::format("{} owns {} and then {} in generation {}", id, before->second, share, generation));
  for (const auto& [other, has] : shares_) {
    if (other == id) continue;
    for (const char slot : share)
      model.expect(has.find(slot) == std::string::npos, Check::owners,
                   fmt::format("{} and {} own {} in generation {}", id, other, slot, generation));
  }
}

void GroupModel::listed(Model& model, std::int32_t generation, const std::vector<std::string>& members) {
  if (members.empty() || model.flips > 0) return;
  std::set<std::string>& list = lists_[generation];
  list = {members.begin(), members.end()};
  model.expect(list.size() == members.size(), Check::generations,
               fmt::format("a member stands twice in the list of generation {}", generation));
  for (const std::string& id : list) still_in(model, id);
  for (const std::string& id : entered_[generation])
    model.expect(list.contains(id), Check::generations,
                 fmt::format("{} is in generation {}, and its leader is not told", id, generation));
}

void GroupModel::handed_in(std::int32_t generation, Shares shares) {
  handed_in_[generation].push_back(std::move(shares));
}

void GroupModel::still_in(Model& model, const std::string& id) {
  if (model.flips > 0) return;
  model.expect(!left_.contains(id), Check::generations, id + " left, and is in still");
}

void GroupModel::alive(const std::string& id, Instant now) { alive_[id] = now; }
bool GroupModel::surely_in(const std::string& id, Instant now) const {
  const auto known = alive_.find(id);
  return known != alive_.end() && now < known->second + session_;
}
void GroupModel::not_in(Model& model, const std::string& id, Instant now) {
  if (model.flips > 0 || id.empty()) return;
  model.expect(!surely_in(id, now), Check::generations, id + " was thrown out, though it is alive");
}

void GroupModel::accepted(Model& model, std::int32_t generation, std::string_view what) {
  if (model.flips > 0) return;
  model.expect(generation >= seen_, Check::generations,
               fmt::format("{} of generation {} was accepted after {} began", what, generation, seen_));
}

}  // namespace edgelog::sim::shard

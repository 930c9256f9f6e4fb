#include "edge-agent/core/sources.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::agent {
namespace {

constexpr Duration confirm_again_after = milliseconds(100);

// How far `number` is ahead of `last`: below 0 it is behind. Numbers modulo `modulus` are behind from half of it on.
std::int64_t ahead(std::int64_t last, std::int64_t number, std::int64_t modulus) {
  if (modulus <= 0) return number - last;
  const std::int64_t distance = ((number - last) % modulus + modulus) % modulus;
  return distance > modulus / 2 ? distance - modulus : distance;
}

}  // namespace

void Sources::open(const Persisted& persisted) {
  used_ = persisted.meta.source_used;
  for (const SourceRow& row : persisted.sources) {
    used_ = std::max(used_, row.used);
    Incarnation state;
    state.last = state.durable = state.collected = row.last;
    state.used = row.used;
    devices_[row.source].incarnations[row.incarnation] = state;
    by_use_[row.used] = {row.source, row.incarnation};
  }
  for (const RecentRow& row : persisted.recents) {
    const auto device = devices_.find(row.source);
    if (device == devices_.end()) continue;
    auto& recent = device->second.recent;
    const auto slot = static_cast<std::size_t>(row.slot);
    if (recent.size() <= slot) recent.resize(slot + 1, Seen{-1, 0});
    recent[slot] = {row.number, row.payload_hash};
  }
  for (auto& [name, device] : devices_)
    if (const auto last = device.incarnations.find(""); last != device.incarnations.end())
      device.next_slot = slot_behind(device.recent, last->second.last);
}

// Which slot was written last is not stored: one that holds the source's last number, and behind it what was written
// a round before, so not the next number.
std::size_t Sources::slot_behind(const std::vector<Seen>& recent, std::int64_t last) {
  std::size_t best = recent.size() % recent_slots;
  for (std::size_t slot = 0; slot < recent.size(); ++slot) {
    if (recent[slot].number != last) continue;
    best = (slot + 1) % recent_slots;
    if (best >= recent.size() || recent[best].number != last + 1) break;
  }
  return best;
}

const Sources::Incarnation* Sources::find(const SourceName& source, const std::string& incarnation) const {
  const auto device = devices_.find(source);
  if (device == devices_.end()) return nullptr;
  const auto found = device->second.incarnations.find(incarnation);
  return found == device->second.incarnations.end() ? nullptr : &found->second;
}

Sources::Verdict Sources::judge(const Taken& in) const {
  if (in.kind == SourceKind::plain) return {};
  const Incarnation* known = find(in.source, in.incarnation);
  if (in.kind == SourceKind::ring) {
    const std::int64_t last = known == nullptr ? 0 : known->last;
    if (in.number <= last) return {Judgement::repeat};
    return {in.number == last + 1 ? Judgement::next : Judgement::not_next};
  }
  if (in.incarnation.empty()) {
    const auto device = devices_.find(in.source);
    if (device != devices_.end())
      for (const Seen& seen : device->second.recent)
        if (seen.number == in.number && seen.hash == in.payload_hash) return {Judgement::repeat};
  }
  if (known == nullptr) return {};
  const std::int64_t distance = ahead(known->last, in.number, in.modulus);
  // Without an incarnation a number that is not ahead is a device that started again: it loses nothing.
  if (distance <= 0) return {in.incarnation.empty() ? Judgement::next : Judgement::repeat};
  if (distance == 1) return {};
  Verdict hole{Judgement::hole, known->last + 1, in.number - 1, distance - 1};
  if (in.modulus > 0) {
    hole.missing_first %= in.modulus;
    hole.missing_last = (hole.missing_last + in.modulus) % in.modulus;
  }
  return hole;
}

Sources::Incarnation& Sources::touch(const SourceName& source, const std::string& incarnation, const Config& config) {
  Device& device = devices_[source];
  const auto found = device.incarnations.find(incarnation);
  if (found == device.incarnations.end()) {
    if (device.incarnations.size() >= config.incarnations_max) {
      const auto oldest = std::min_element(device.incarnations.begin(), device.incarnations.end(),
                                           [](auto& a, auto& b) { return a.second.used < b.second.used; });
      forget({source, oldest->first});
    } else if (by_use_.size() >= config.sources_max) {
      const Key longest_idle = by_use_.begin()->second;  // a copy: forget() erases it there
      forget(longest_idle);
    }
  }
  Incarnation& state = devices_[source].incarnations[incarnation];
  if (state.used != 0) by_use_.erase(state.used);
  state.used = ++used_;
  by_use_[state.used] = {source, incarnation};
  if (!state.dirty) dirty_.push_back({source, incarnation});
  state.dirty = true;
  return state;
}

void Sources::forget(const Key& key) {
  const auto device = devices_.find(key.first);
  ASSERT(device != devices_.end());
  const auto found = device->second.incarnations.find(key.second);
  ASSERT(found != device->second.incarnations.end());
  by_use_.erase(found->second.used);
  device->second.incarnations.erase(found);
  std::erase(dirty_, key);
  if (key.second.empty()) {  // with it goes what its last messages were: also on disk
    device->second.recent.clear();
    device->second.next_slot = 0;
  }
  deletions_.push_back(DeleteSource{key.first, key.second});
  if (device->second.incarnations.empty()) devices_.erase(device);
}

void Sources::take(const Taken& in, const Config& config) {
  if (in.kind == SourceKind::plain) return;
  Incarnation& state = touch(in.source, in.incarnation, config);
  state.last = in.number;
  state.ring = in.kind == SourceKind::ring;
  if (in.kind == SourceKind::numbered && in.incarnation.empty()) remember(in);
}

void Sources::remember(const Taken& in) {
  Device& device = devices_[in.source];
  const std::size_t slot = device.next_slot;
  if (device.recent.size() <= slot) device.recent.resize(slot + 1, Seen{-1, 0});
  device.recent[slot] = {in.number, in.payload_hash};
  device.next_slot = (slot + 1) % recent_slots;
  dirty_recents_.push_back({in.source, static_cast<std::int32_t>(slot)});
}

Sources::Lost Sources::says(const DeviceSays& in, const Config& config) {
  const Incarnation* known = find(in.source, in.incarnation);
  std::int64_t last = known == nullptr ? 0 : known->last;
  Lost lost;
  if (in.confirmed_through > last) {
    lost.confirmed_first = last + 1;
    lost.confirmed_last = last = in.confirmed_through;
  }
  if (in.lost_through > last) {
    lost.lost_first = last + 1;
    lost.lost_last = last = in.lost_through;
  }
  if (known == nullptr || last != known->last) {
    Incarnation& state = touch(in.source, in.incarnation, config);
    state.last = last;
    state.ring = true;
  } else {
    ask(in.source, in.incarnation, config);
  }
  return lost;
}

void Sources::ask(const SourceName& source, const std::string& incarnation, const Config& config) {
  auto* known = const_cast<Incarnation*>(find(source, incarnation));
  if (known == nullptr) {
    touch(source, incarnation, config).ring = true;  // from number 1; told once its row is there
    return;
  }
  known->ring = true;
  if (known->asked || known->confirm) return;
  known->asked = true;
  waiting_.push_back({source, incarnation});
}

void Sources::collect(std::vector<Op>& ops) {
  for (Op& op : deletions_) ops.push_back(std::move(op));
  deletions_.clear();
  for (const Key& key : dirty_) {
    Incarnation& state = devices_.at(key.first).incarnations.at(key.second);
    state.dirty = false;
    state.collected = state.last;
    ops.push_back(PutSource{{key.first, key.second, state.last, state.used}});
    under_way_.push_back(key);
  }
  dirty_.clear();
  for (const auto& [source, slot] : dirty_recents_) {
    const auto device = devices_.find(source);
    if (device == devices_.end() || device->second.recent.size() <= static_cast<std::size_t>(slot)) continue;
    const Seen& seen = device->second.recent[static_cast<std::size_t>(slot)];
    ops.push_back(PutRecent{{source, slot, seen.number, seen.hash}});
  }
  dirty_recents_.clear();
}

void Sources::committed() {
  for (Key& key : under_way_) {
    auto* state = const_cast<Incarnation*>(find(key.first, key.second));
    if (state == nullptr) continue;
    state->durable = state->collected;
    if (!state->ring) continue;
    if (!state->confirm && !state->asked) waiting_.push_back(std::move(key));
    state->confirm = true;
  }
  under_way_.clear();
}

void Sources::emit_confirmations(Instant now, Effects& out) {
  for (const Key& key : waiting_) {
    auto* state = const_cast<Incarnation*>(find(key.first, key.second));
    if (state == nullptr) continue;
    const bool progress = state->confirm;
    state->confirm = state->asked = false;
    if (!progress && state->confirmed_at != Instant{} && now - state->confirmed_at < confirm_again_after) continue;
    state->confirmed_at = now;
    out.push_back(ConfirmDevice{key.first, key.second, state->durable});  // A9
  }
  waiting_.clear();
}

}  // namespace edgelog::agent

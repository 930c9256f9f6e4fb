#include "tests/sim/edge/log_model.h"

#include <algorithm>

#include "common/wire/errors.h"

namespace edgelog::sim::edge {

using wire::code;

void LogModel::create(const std::string& topic, std::int32_t partitions) {
  auto& all = topics_[topic];
  for (std::int32_t i = 0; i < partitions; ++i) all.push_back(std::make_unique<Partition>());
}

void LogModel::add_partitions(const std::string& topic, std::int32_t more) { create(topic, more); }

std::int32_t LogModel::partitions(const std::string& topic) const {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? 0 : static_cast<std::int32_t>(found->second.size());
}

std::vector<std::string> LogModel::topics() const {
  std::vector<std::string> names;
  for (const auto& [name, all] : topics_) names.push_back(name);
  return names;
}

bool LogModel::expired(const Producer& producer) const {
  const WallMillis counted = rules_.kafka ? producer.newest : producer.appended;
  return base_.wall() - counted > rules_.memory;
}

bool LogModel::refuses(const Content& content) const {
  return rules_.refused_every > 0 && std::any_of(content.records.begin(), content.records.end(), [&](const Record& r) {
           return r.fact != nullptr && !r.fact->gap && r.fact->id % rules_.refused_every == 0;
         });
}

std::int16_t LogModel::judge(Partition& p, const Content& content, Offset& duplicate) {
  if (content.bytes > rules_.message_bytes_max) return code(wire::ErrorCode::message_too_large);
  if (refuses(content)) {
    base_.injected(Fault::refused_for_good);
    return rules_.refused_with;
  }
  WallMillis newest{0};
  for (const Record& r : content.records) newest = std::max(newest, r.timestamp);
  if (rules_.kafka && newest - base_.wall() > rules_.ahead_max) return code(wire::ErrorCode::invalid_timestamp);
  const auto known = p.producers.find(content.producer);
  if (known == p.producers.end())
    return rules_.kafka || content.first == Sequence{0} ? std::int16_t{0}
                                                        : code(wire::ErrorCode::out_of_order_sequence_number);
  const Producer& producer = known->second;
  for (const auto& batch : producer.batches)
    if (producer.epoch == content.epoch.value() && batch.first == content.first && batch.last == content.last()) {
      duplicate = batch.base;
      return 0;
    }
  if (content.epoch.value() < producer.epoch) return code(wire::ErrorCode::invalid_producer_epoch);
  if (content.epoch.value() > producer.epoch)
    return content.first == Sequence{0} ? std::int16_t{0} : code(wire::ErrorCode::out_of_order_sequence_number);
  if (!producer.batches.empty() && content.first != producer.batches.back().last + 1)
    return code(wire::ErrorCode::out_of_order_sequence_number);
  return 0;
}

void LogModel::append(Partition& p, ContentPtr content, int branch, Instant published) {
  const auto known = p.producers.find(content->producer);
  p.undo.push_back(
      {content->producer, known != p.producers.end(), known != p.producers.end() ? known->second : Producer{}});
  Producer& producer = p.producers[content->producer];
  if (content->epoch.value() != producer.epoch) producer.batches.clear();
  producer.epoch = content->epoch.value();
  producer.batches.push_back({content->first, content->last(), p.end});
  if (producer.batches.size() > 5) producer.batches.pop_front();
  for (const Record& r : content->records) producer.newest = std::max(producer.newest, r.timestamp);
  producer.newest = content->records.back().timestamp;
  producer.appended = base_.wall();
  Entry entry{p.end, p.epoch, content, base_.wall(), branch, published};
  p.end = entry.last() + 1;
  p.entries.push_back(std::move(entry));
}

void LogModel::produce(const std::string& topic, std::int32_t index, ContentPtr content, int branch, Instant published,
                       Answer answer) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || index < 0 || index >= static_cast<std::int32_t>(found->second.size()))
    return answer(code(wire::ErrorCode::unknown_topic_or_partition), Offset{-1}, LeaderEpoch{-1});
  if (!available_) return answer(code(wire::ErrorCode::not_enough_replicas), Offset{-1}, LeaderEpoch{-1});
  Partition& p = *found->second[static_cast<std::size_t>(index)];
  if (const auto known = p.producers.find(content->producer); known != p.producers.end() && expired(known->second)) {
    base_.injected(Fault::producer_forgotten);
    base_.say("log {}/{}: forgets {:08x}", topic, index, short_id(content->producer));
    p.producers.erase(known);
  }
  Offset at{-1};
  const std::int16_t error = judge(p, *content, at);
  if (error != 0) {
    if (error == code(wire::ErrorCode::message_too_large)) base_.injected(Fault::refused_large);
    if (error == code(wire::ErrorCode::invalid_timestamp)) base_.injected(Fault::refused_timestamp);
    base_.say("log {}/{}: {:08x}/{} {}..{} refused {}", topic, index, short_id(content->producer),
              content->epoch.value(), content->first.value(), content->last().value(), error);
    return answer(error, Offset{-1}, LeaderEpoch{-1});
  }
  const bool duplicate = at.value() >= 0;
  if (!duplicate) {
    at = p.end;
    append(p, content, branch, published);
    Duration wait = base_.between(microseconds(200), milliseconds(8));
    if (rules_.lose_tails && base_.chance(10)) {
      wait = base_.between(milliseconds(100), seconds(3));
      if (base_.random.chance(1, 2))
        base_.after(base_.between(Duration{1}, wait), [this, topic, index] { change_leader_of(topic, index, true); });
    }
    base_.after(wait, [this, topic, index, through = p.end, epoch = p.epoch] { commit(topic, index, through, epoch); });
  }
  base_.say("log {}/{}: {:08x}/{} {}..{} {} {} epoch {}", topic, index, short_id(content->producer),
            content->epoch.value(), content->first.value(), content->last().value(),
            duplicate ? "again, stands at" : "appended at", at.value(), p.epoch.value());
  const Offset last = at + (static_cast<std::int64_t>(content->records.size()) - 1);
  if (last < p.hw) return answer(0, at, p.epoch);
  p.waiting.push_back({last, std::move(answer), at, p.epoch});
}

void LogModel::commit(const std::string& topic, std::int32_t index, Offset through, LeaderEpoch epoch) {
  Partition& p = *topics_.at(topic)[static_cast<std::size_t>(index)];
  if (epoch != p.epoch || through <= p.hw) return;
  const Offset before = p.hw;
  p.hw = std::min(through, p.end);
  const auto first =
      std::partition_point(p.entries.begin(), p.entries.end(), [&](const Entry& e) { return e.base < before; });
  for (auto entry = first; entry != p.entries.end() && entry->last() < p.hw; ++entry)
    on_committed({topic, index, entry->base, entry->content, entry->branch, entry->published});
  std::vector<Waiting> answered, left;
  for (Waiting& w : p.waiting) (w.last < p.hw ? answered : left).push_back(std::move(w));
  p.waiting = std::move(left);
  for (Waiting& w : answered) w.answer(0, w.offset, w.epoch);
}

void LogModel::truncate(Partition& p, Offset end) {
  while (!p.entries.empty() && p.entries.back().last() >= end) {
    const Undo& undo = p.undo.back();
    if (undo.known)
      p.producers[undo.id] = undo.before;
    else
      p.producers.erase(undo.id);
    p.end = p.entries.back().base;
    p.undo.pop_back();
    p.entries.pop_back();
  }
  p.hw = std::min(p.hw, p.end);
}

LogModel::Partition* LogModel::any(std::string& topic, std::int32_t& index) {
  if (topics_.empty()) return nullptr;
  auto at = topics_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(base_.random.below(topics_.size())));
  topic = at->first;
  index = static_cast<std::int32_t>(base_.random.below(at->second.size()));
  return at->second[static_cast<std::size_t>(index)].get();
}

void LogModel::change_leader(bool lose_tail) {
  std::string topic;
  std::int32_t index = 0;
  if (any(topic, index) != nullptr) change_leader_of(topic, index, lose_tail);
}

void LogModel::change_leader_of(const std::string& topic, std::int32_t index, bool lose_tail) {
  Partition* p = topics_.at(topic)[static_cast<std::size_t>(index)].get();
  base_.injected(Fault::leader_change);
  on_leader(topic);
  p->stale_until = base_.now + base_.between(milliseconds(100), seconds(8));
  p->stale_hw = p->hw;
  p->stale_epoch = p->epoch;
  const Offset before = p->end;
  if (lose_tail && p->hw < p->end) {
    base_.injected(Fault::tail_lost);
    truncate(*p, p->hw);
  }
  p->highest = p->epoch = LeaderEpoch{p->highest.value() + 1};
  base_.say("log {}/{}: leader epoch {}, end {} -> {}", topic, index, p->epoch.value(), before.value(), p->end.value());
  std::vector<Waiting> waiting = std::move(p->waiting);
  p->waiting.clear();
  for (Waiting& w : waiting) w.answer(code(wire::ErrorCode::not_leader_or_follower), Offset{-1}, LeaderEpoch{-1});
  // The new leader commits what it has with its own epoch's first records; here: after a moment.
  base_.after(base_.between(milliseconds(1), milliseconds(300)),
              [this, topic, index, through = p->end, epoch = p->epoch] { commit(topic, index, through, epoch); });
}

void LogModel::put_back() {
  std::string topic;
  std::int32_t index = 0;
  Partition* p = any(topic, index);
  if (p == nullptr || p->entries.size() < 2) return;
  std::size_t back = 1 + base_.random.below(std::min<std::size_t>(p->entries.size() - 1, 12));
  const bool twin = rules_.twins > 0 && base_.forger.chance(rules_.twins, 100);
  if (twin) back = 1 + base_.forger.below(std::min<std::size_t>(p->entries.size() - 1, 2));
  const ContentPtr first_lost = p->entries[p->entries.size() - back].content;
  const Offset end = p->entries[p->entries.size() - back].base;
  base_.injected(Fault::log_put_back);
  ++put_backs_;
  const Offset hw = p->hw;
  truncate(*p, end);
  p->stale_until = Instant{};
  p->highest = p->epoch = LeaderEpoch{p->highest.value() + 1};
  base_.say("log {}/{}: put back to {}, epoch {}", topic, index, p->end.value(), p->epoch.value());
  if (p->end < hw) {
    on_put_back(topic, index, p->end);
    if (twin) append_twin(*p, *first_lost);
  }
  std::vector<Waiting> waiting = std::move(p->waiting);
  p->waiting.clear();
  for (Waiting& w : waiting) w.answer(code(wire::ErrorCode::network_exception), Offset{-1}, LeaderEpoch{-1});
  base_.after(milliseconds(1),
              [this, topic, index, through = p->end, epoch = p->epoch] { commit(topic, index, through, epoch); });
}

// Where a batch was lost another one comes to stand that is almost it: of another client, or the fence of its id, as
// another life of the agent's log sets one.
void LogModel::append_twin(Partition& p, const Content& lost) {
  base_.injected(Fault::twin_appended);
  auto twin = std::make_shared<Content>(lost);
  const bool of_one = !lost.fence && lost.first == Sequence{0} && lost.records.size() == 1;
  if (of_one && base_.forger.chance(2, 3)) {
    twin->epoch = uplink::fence_epoch;
    twin->fence = true;
    twin->records = {{lost.producer, EventIndex{-1}, base_.wall(), false, nullptr}};
  } else {
    twin->stranger = true;
    twin->producer = uplink::make_producer_id("intruder", short_id(lost.producer));
    for (Record& record : twin->records) record = {twin->producer, record.index, base_.wall(), false, nullptr};
  }
  base_.say("log: {:08x}/{} {}..{} stands at {}, where {:08x} was lost", short_id(twin->producer), twin->epoch.value(),
            twin->first.value(), twin->last().value(), p.end.value(), short_id(lost.producer));
  append(p, std::move(twin), 0, base_.now);
}

void LogModel::retain() {
  for (auto& [topic, all] : topics_)
    for (std::size_t i = 0; i < all.size(); ++i) {
      Partition& p = *all[i];
      const Offset before = p.start;
      while (p.entries.size() > 1 && p.entries.front().last() < p.hw) {
        WallMillis newest{0};
        for (const Record& r : p.entries.front().content->records) newest = std::max(newest, r.timestamp);
        const WallMillis counted = rules_.kafka ? newest : p.entries.front().appended;
        if (base_.wall() - counted <= rules_.retention) break;
        p.start = p.entries.front().last() + 1;
        p.entries.pop_front();
        p.undo.pop_front();
      }
      if (p.start == before) continue;
      base_.injected(Fault::retention);
      base_.say("log {}/{}: retention, starts at {}", topic, i, p.start.value());
      on_retention(topic, static_cast<std::int32_t>(i), p.start);
    }
}

void LogModel::forget_producers() {
  for (auto& [topic, all] : topics_)
    for (auto& p : all)
      for (auto at = p->producers.begin(); at != p->producers.end();) {
        if (!expired(at->second)) {
          ++at;
          continue;
        }
        base_.injected(Fault::producer_forgotten);
        at = p->producers.erase(at);
      }
}

LogModel::View LogModel::view(const std::string& topic, std::int32_t index, bool stale) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || index >= static_cast<std::int32_t>(found->second.size())) return {};
  const Partition& p = *found->second[static_cast<std::size_t>(index)];
  if (stale && base_.now < p.stale_until)
    return {p.start, std::min(p.stale_hw, p.hw), p.stale_epoch, &p.entries, available_};
  return {p.start, p.hw, p.epoch, &p.entries, available_};
}

bool LogModel::has_stale(const std::string& topic, std::int32_t index) const {
  const auto found = topics_.find(topic);
  return found != topics_.end() && base_.now < found->second[static_cast<std::size_t>(index)]->stale_until;
}

LeaderEpoch LogModel::epoch(const std::string& topic, std::int32_t index) const {
  return view(topic, index, false).epoch;
}

}  // namespace edgelog::sim::edge

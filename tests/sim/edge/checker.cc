#include "tests/sim/edge/checker.h"

#include <algorithm>
#include <utility>

namespace edgelog::sim::edge {

using agent::Gap;

namespace {

agent::SourceName source_of(int device) { return {"mqtt", "device-" + std::to_string(device)}; }

}  // namespace

// Of a device without a boot the last 64 messages are known, and no more.
bool Checker::forgotten_since(const Fact& fact, std::uint64_t of_device) {
  return kinds_[fact.device] == DeviceKind::numbered_without_boot &&
         takings_of_[fact.device] > of_device + static_cast<std::uint64_t>(agent::recent_slots);
}

void Checker::lost_at_device(int device, std::int64_t boot, std::int64_t from, std::int64_t to) {
  if (from <= to) device_lost_[{device, boot}].push_back({from, to});
}

bool Checker::in_current(const EventKey& key) const {
  return std::any_of(stores_.begin(), stores_.end(), [&](const auto& s) { return s.second->ever_had(key); });
}

// Rule 12, where image and log were both put back: what the image knows as acknowledged last was lost with this, and
// stands at its very place again.
bool Checker::hidden_from_image(const Copy& copy) const {
  return std::any_of(known_to_images_.begin(), known_to_images_.end(), [&](const Standing& last) {
    const auto again = again_.find(last);
    return again != again_.end() && again->second.contains(copy.lost) && last.topic == copy.topic &&
           last.partition == copy.partition && copy.offset <= last.offset;
  });
}

bool Checker::names(const Gap& gap, const std::string& topic, const EventKey& key) const {
  if (gap.stream != topic) return false;
  if (gap.reason == agent::gap_reason::log_went_back) return key.index <= gap.last;
  return gap.origin == key.origin && gap.first <= key.index && key.index <= gap.last;
}

void Checker::applied(int agent, int branch, const Store& store, const Store::Applied& result) {
  std::map<std::uint64_t, int> of_message;
  for (const auto& durable : result.durable) {
    events_[durable.key] = {durable.fact, durable.topic, agent, branch, ++takings_, {}, {}, false, 0, base_.now};
    WallMillis& newest = newest_[{branch, durable.topic}];
    const bool refused = base_.faults[static_cast<std::size_t>(Fault::refused_timestamp)] > 0;
    // From a time that was far ahead it goes back; to the right one, where gateways' clocks are right.
    const bool was_ahead = newest - durable.timestamp > seconds(500) &&
                           (plan_.gateway_clock.value() > 0 || (durable.timestamp - base_.wall() < seconds(120) &&
                                                                base_.wall() - durable.timestamp < seconds(120)));
    base_.check(Check::time_not_back, refused || was_ahead || durable.timestamp >= newest, [&] {
      return fmt::format("{} {}: stamped {}, behind {}", durable.topic, text(durable.key), durable.timestamp.value(),
                         newest.value());
    });
    newest = durable.timestamp;
    events_[durable.key].opening = openings_[agent];
    events_[durable.key].timestamp = durable.timestamp;
    judge_stamp(agent, durable);
    base_.say("   durable {} {} message {}, stamped {} s from now", durable.topic, text(durable.key), durable.fact->id,
              to_millis(durable.timestamp - base_.wall()) / 1000);
    if (const auto& gap = durable.fact->gap; gap) {
      base_.say("      names {} {}:{}..{} of source '{}' {}..{}, {}", gap->stream, gap->origin.value(),
                gap->first.value(), gap->last.value(), gap->source.device, gap->source_first, gap->source_last,
                gap->reason);
      if (gap->reason == agent::gap_reason::full) full_[agent].gaps[durable.key] = *gap;
      continue;
    }
    const Fact& fact = *durable.fact;
    if (of_message[fact.id]++ % fact.events == 0) ++takings_of_[fact.device];
    events_[durable.key].of_device = takings_of_[fact.device];
    auto& keys = keys_of_[fact.id];
    for (const EventKey& other : keys) {
      const bool twice = events_[other].topic == durable.topic && store.ever_had(other);
      const bool allowed = redelivered_.contains(fact.id) && (kinds_[fact.device] == DeviceKind::plain ||
                                                              forgotten_since(fact, events_[other].of_device));
      base_.check(Check::source_not_twice, !twice || allowed, [&] {
        return fmt::format("message {} of device {} (boot {} number {}) taken as {} and as {}", fact.id, fact.device,
                           fact.boot, fact.number, text(other), text(durable.key));
      });
    }
    keys.push_back(durable.key);
    const DeviceKind kind = kinds_[fact.device];
    if (kind == DeviceKind::plain || kind == DeviceKind::numbered_without_boot) continue;
    const std::int64_t last = store.last_of(source_of(fact.device), std::to_string(fact.boot));
    const bool wraps = kind == DeviceKind::numbered && plan_.modulus > 0;
    const bool ahead =
        wraps ? last >= 0 && (last + plan_.modulus - fact.number % plan_.modulus) % plan_.modulus < plan_.modulus / 2
              : last >= fact.number;
    base_.check(Check::round_is_whole, ahead,
                [&] { return fmt::format("message {} is durable without its number {}", fact.id, fact.number); });
  }
  for (const auto& message : of_message)
    base_.check(Check::round_is_whole, message.second % made_[message.first]->events == 0, [&] {
      return fmt::format("{} of {} events of message {}", message.second, made_[message.first]->events, message.first);
    });
  for (const ProducerId id : result.left)
    base_.check(Check::renumbered_behind_fence, fenced_.contains(id),
                [&] { return fmt::format("{:08x} is given up and was never fenced", short_id(id)); });
  for (const auto& grown : result.grown) {
    events_[grown.key].fact = grown.fact;
    if (const auto full = full_[agent].gaps.find(grown.key); full != full_[agent].gaps.end())
      full->second = *grown.fact->gap;
  }
  for (const Gap& gap : result.gaps) judge_gap(agent, gap);
  EventKey before;
  for (const auto& gone : result.gone) {
    const auto event = events_.find(gone.key);
    if (event == events_.end()) return base_.fail("an event that never was left the log");
    const auto gap = std::find_if(result.gaps.begin(), result.gaps.end(),
                                  [&](const Gap& g) { return names(g, gone.topic, gone.key); });
    const bool named = gap != result.gaps.end();
    base_.check(Check::leaves_log_only_if_durable_or_named, event->second.ever_committed || named, [&] {
      return fmt::format("{} {} left the agent's log, is not in the cloud's and no gap of that transaction names it",
                         gone.topic, text(gone.key));
    });
    const bool first = before.origin != gone.key.origin || before.index + 1 != gone.key.index;
    before = gone.key;
    if (named) judge_drop(gone, event->second, *gap, first);
  }
  judge_order_of_drops(store, result);
}

bool Checker::has(const Store& store, std::uint64_t message) const {
  const auto keys = keys_of_.find(message);
  return keys != keys_of_.end() && std::any_of(keys->second.begin(), keys->second.end(),
                                               [&](const EventKey& key) { return store.ever_had(key); });
}

// Of a device without a boot only what is there, or was dropped by name, is a repeat: it may count from 1 again.
void Checker::judged(int agent, const Store& store, const Fact& fact, agent::Outcome outcome, bool pending) {
  if (outcome == agent::Outcome::dropped) {
    dropped_.insert(fact.id);
    full_[agent].dropped.insert(fact.id);
  }
  if (outcome != agent::Outcome::repeat || kinds_[fact.device] != DeviceKind::numbered_without_boot) return;
  base_.check(Check::repeat_is_known, pending || dropped_.contains(fact.id) || has(store, fact.id), [&] {
    return fmt::format("message {} of device {} (number {}) passed for a repeat", fact.id, fact.device, fact.number);
  });
}

void Checker::acknowledged(int agent, const Store& store, std::uint64_t message) {
  const Fact& fact = *made_.at(message);
  const DeviceKind kind = kinds_[fact.device];
  // What a device's number says is a repeat may be named by a gap, and not be there.
  const bool by_number = kind != DeviceKind::plain && kind != DeviceKind::numbered_without_boot;
  const std::int64_t last = store.last_of(source_of(fact.device), std::to_string(fact.boot));
  const bool passed = by_number && (plan_.modulus > 0 || last >= fact.number);
  base_.check(Check::acknowledged_is_durable, has(store, message) || passed || dropped_.contains(message),
              [&] { return fmt::format("message {} of device {} is not durable", message, fact.device); });
  if (full_[agent].dropped.contains(message) && !has(store, message)) judge_full(agent, fact);
}

// Who has no number is counted.
void Checker::judge_full(int agent, const Fact& fact) {
  Full& full = full_[agent];
  std::int64_t counted = 0;
  bool named = false;
  for (const auto& [key, gap] : full.gaps) {
    if (!gap.stream.empty()) counted += gap.count;
    named = named || is_named(gap, fact);
  }
  if (kinds_[fact.device] == DeviceKind::plain) named = (full.plain += fact.events) <= counted;
  base_.check(Check::acknowledged_is_durable, named, [&] {
    return fmt::format("message {} of device {} was dropped by a full stream, and no gap names it", fact.id,
                       fact.device);
  });
}

void Checker::told_time(int agent, WallMillis time) {
  Told& told = told_[agent];
  if (told.last >= WallMillis{0} && time > told.last && told.live == never) told.live = base_.now;
  told.last = time;
}

// By a clock that is right, once a gateway speaks; but for what was given last, where that is not far ahead.
void Checker::judge_stamp(int agent, const Store::Applied::Durable& durable) {
  const Instant live = told_[agent].live;
  if (plan_.gateway_clock.value() > 0 || live == never || base_.now - live < seconds(60)) return;
  const Duration ahead = durable.timestamp - base_.wall();
  base_.check(Check::time_not_back, ahead < seconds(700) && ahead > seconds(-200), [&] {
    return fmt::format("{} {}: stamped {} s from now, and the time is known", durable.topic, text(durable.key),
                       to_millis(ahead) / 1000);
  });
}

void Checker::restored(int branch, const Store& image) {
  ++restores_;
  restored_at_[branch] = base_.now;
  for (const agent::StreamRow& row : image.read().streams) {
    const agent::Acknowledged& last = row.acknowledged;
    known_to_images_.insert(
        {row.topic, row.partition.value(), last.offset, last.producer, last.producer_epoch, last.first_sequence});
  }
}

void Checker::published(int agent, int branch, const Store& store, const agent::PublishBatch& effect,
                        const Content& content) {
  const agent::BatchRow& row = effect.batch;
  const auto* stored = store.batch(row.stream, row.first);
  base_.check(Check::marked_before_publish, stored->row.published,
              [&] { return fmt::format("{} sequence {} published without its mark", effect.topic, row.sequence); });
  base_.check(Check::producer_never_before_row, store.knows_producer(row.stream, content.producer),
              [&] { return fmt::format("{:08x} is used and has no row", short_id(content.producer)); });
  base_.check(Check::published_bytes_fixed,
              content.producer == row.producer && content.first == Sequence{0} + row.sequence &&
                  static_cast<std::int64_t>(content.records.size()) == row.count(),
              [&] {
                return fmt::format("{} events from {}: the bytes are of another numbering", effect.topic,
                                   row.first.value());
              });
  base_.check(Check::numbered_without_hole,
              row.sequence == 0 || numbering_.contains({content.producer, row.sequence - 1}), [&] {
                return fmt::format("{:08x} sequence {}: nothing was sent before it", short_id(content.producer),
                                   row.sequence);
              });
  for (std::size_t i = 0; i < content.records.size(); ++i) {
    const EventKey key{content.records[i].origin, content.records[i].index};
    const auto [had, fresh] =
        numbering_.try_emplace({content.producer, row.sequence + static_cast<std::int64_t>(i)}, key);
    base_.check(Check::numbering_is_function, fresh || had->second == key, [&] {
      return fmt::format("{:08x} sequence {} is {} and {}", short_id(content.producer),
                         row.sequence + static_cast<std::int64_t>(i), text(had->second), text(key));
    });
  }
  const auto [bytes, first_time] =
      bytes_.try_emplace({content.producer, row.sequence, row.count(), branch}, content.crc);
  base_.check(Check::published_bytes_fixed, first_time || bytes->second == content.crc, [&] {
    return fmt::format("{:08x} sequence {}: other bytes than before", short_id(content.producer), row.sequence);
  });
  // Rule 8: what lies far ahead is as old as nobody knows, and is looked for first, or stamped anew.
  base_.check(Check::time_not_back,
              told_[agent].live == never || plan_.gateway_clock.value() > 0 ||
                  row.newest - base_.wall() <= agent::Config{}.ahead_max,
              [&] {
                return fmt::format("{} sequence {} is published, stamped {} s from now", effect.topic, row.sequence,
                                   to_millis(row.newest - base_.wall()) / 1000);
              });
  const auto all = store.published(row.stream);
  base_.check(Check::window_bound, all.size() <= 5,
              [&] { return fmt::format("{}: {} batches in flight", effect.topic, all.size()); });
  for (const auto& other : all)
    base_.check(Check::one_id_at_a_time, other.row.producer == row.producer, [&] {
      return fmt::format("{}: {:08x} and {:08x} in flight at once", effect.topic, short_id(other.row.producer),
                         short_id(row.producer));
    });
  const bool others = std::any_of(all.begin(), all.end(), [&](const Store::StoredBatch& other) {
    return other.row.first < row.first && !succeeded_.contains({other.content->producer, other.content->first});
  });
  base_.check(Check::window_one_until_known, !others || known_[agent].contains(row.producer), [&] {
    return fmt::format("{}: {:08x} sequence {} published while the log may not know the id", effect.topic,
                       short_id(row.producer), row.sequence);
  });
}

void Checker::looking(int agent, const std::string& topic) {
  for (const ProducerId id : std::exchange(fencing_[{agent, topic}], {}))
    base_.check(Check::look_behind_fence, fenced_.contains(id), [&] {
      return fmt::format("{}: a look before the fence of {:08x} stands in the log", topic, short_id(id));
    });
}

void Checker::started(int agent) {
  ++openings_[agent];
  full_.erase(agent);
  told_.erase(agent);
  std::erase_if(fencing_, [&](const auto& entry) { return entry.first.first == agent; });
}

void Checker::answered(int agent, const uplink::Answers& answers) {
  for (const auto& answer : answers.batches) {
    if (answer.error != 0) refused_.try_emplace({answer.batch.producer_id, answer.batch.first}, base_.now);
    if (answer.error == 0 && answer.batch.producer_epoch == uplink::event_epoch) {
      known_[agent].insert(answer.batch.producer_id);
      succeeded_.insert({answer.batch.producer_id, answer.batch.first});
    }
  }
}

void Checker::confirmed(int, const Store& store, const agent::ConfirmDevice& effect, int device) {
  const std::int64_t last = store.last_of(effect.source, effect.incarnation);
  base_.check(Check::confirmed_is_durable, effect.through == 0 || last >= effect.through, [&] {
    return fmt::format("device {} boot {}: confirmed through {}, durable through {}", device, effect.incarnation,
                       effect.through, last);
  });
}

void Checker::judge_repeat(const Event& event, const EventKey& key, const Copy& copy) {
  for (const Copy& other : event.copies) {
    const auto in_flight_of_another_life = [&](const Copy& c) {
      const auto ended = restored_at_.find(c.branch);
      return ended != restored_at_.end() && c.landed > ended->second;
    };
    // Rule 12: what another life still had in flight may come a second time, and what a fence had shut out that a log
    // lost; and where retention took the first copy that another life had sent, no look can find it.
    const bool excused = (other.branch != copy.branch &&
                          (in_flight_of_another_life(other) || in_flight_of_another_life(copy) || !other.retained)) ||
                         (other.producer != copy.producer && (other.shut_out || copy.shut_out));
    base_.check(Check::committed_once, excused, [&] {
      return fmt::format("{} {} stands at {} ({:08x}, branch {}) and at {} ({:08x}, branch {})", event.topic, text(key),
                         other.offset.value(), short_id(other.producer), other.branch, copy.offset.value(),
                         short_id(copy.producer), copy.branch);
    });
  }
  if (event.copies.empty()) base_.check(Check::committed_once, true, [] { return std::string(); });
}

void Checker::judge_order(const std::string& topic, std::int32_t partition, Offset offset, const Record& record,
                          const Event& event, Instant published) {
  if (event.fact->gap) return;
  if (record.late) return base_.check(Check::late_is_marked, true, [] { return std::string(); });
  auto& stood = stood_[{topic, partition, event.fact->device}];
  Stood mine{offset, {record.origin, record.index}, event.taken, {record.origin, record.index}};
  if (!stood.empty()) {
    const Stood& before = stood.back();
    // A copy that was on its way when the log was put back to before its first one: nobody can call it back.
    const auto back = put_back_at_.find({topic, partition});
    const bool straggler = !event.put_back.empty() && back != put_back_at_.end() && published <= back->second;
    const bool again = !event.copies.empty();  // rule 12 excused it, or judge_repeat() has failed
    const bool wrong =
        !straggler && !again && before.highest > event.taken && in_current(before.highest_key) && in_current(mine.key);
    base_.check(Check::committed_in_order, !wrong, [&] {
      return fmt::format("{}: {} of device {} at {} stands behind {}, which was taken later", topic, text(mine.key),
                         event.fact->device, offset.value(), text(before.highest_key));
    });
    if (before.highest > mine.highest) mine.highest = before.highest, mine.highest_key = before.highest_key;
  }
  stood.push_back(mine);
}

// Late is only what may have something behind it in the log: of this agent's log's one life, as long as no one took
// from the cloud's.
void Checker::judge_late(const Event& event, const EventKey& key, const Record& record, const Copy& copy) {
  Reached& reached = reached_[{event.agent, event.topic}];
  const bool gone = retained_from_.contains({copy.topic, copy.partition});
  if (record.late && restores_ == 0 && ids_forgotten_ == 0 && !gone)
    base_.check(Check::late_is_marked, event.taken < reached.taken,
                [&] { return fmt::format("{} {} is marked late, and is the youngest", event.topic, text(key)); });
  reached.taken = std::max(reached.taken, event.taken);
  reached.index = std::max(reached.index, key.index);
}

void Checker::committed(const std::string& topic, std::int32_t partition, Offset base, const ContentPtr& content,
                        int branch, Instant published) {
  if (content->stranger) return;
  const Standing standing{topic, partition, base, content->producer, content->epoch, content->first};
  stands_.insert(standing);
  if (const auto lost = lost_.find(standing); lost != lost_.end()) again_.insert(*lost);
  if (content->fence) {
    fence_stands_[content->producer] = {topic, partition, base};
    fence_lost_.erase(content->producer);
    return void(fenced_.insert(content->producer));
  }
  for (std::size_t i = 0; i < content->records.size(); ++i) {
    const Record& record = content->records[i];
    const EventKey key{record.origin, record.index};
    const auto event = events_.find(key);
    if (event == events_.end())
      return base_.fail(fmt::format("{} {} is in the log and was never durable", topic, text(key)));
    const Offset offset = base + static_cast<std::int64_t>(i);
    Copy copy{topic, partition, offset, base, branch, base_.now, published, content->producer};
    const auto fence_lost = fence_lost_.find(copy.producer);
    copy.shut_out = fence_lost != fence_lost_.end() && published <= fence_lost->second;
    const auto [place, fresh] = partition_.try_emplace({event->second.agent, topic}, partition);
    base_.check(Check::one_partition, fresh || place->second == partition,
                [&] { return fmt::format("{} is in partition {} and in {}", topic, place->second, partition); });
    judge_repeat(event->second, key, copy);
    judge_late(event->second, key, record, copy);
    // Rule 12: nobody can call back what a fence had shut out that the log lost, and no one told it to be late.
    if (!copy.shut_out) judge_order(topic, partition, offset, record, event->second, published);
    event->second.copies.push_back(copy);
    event->second.ever_committed = true;
  }
}

void Checker::put_back(const std::string& topic, std::int32_t partition, Offset from) {
  put_back_at_[{topic, partition}] = base_.now;
  std::erase_if(fence_stands_, [&](const auto& fence) {
    const auto& [at, number, offset] = fence.second;
    if (at != topic || number != partition || offset < from) return false;
    fence_lost_[fence.first] = base_.now;
    return true;
  });
  std::erase_if(stands_, [&](const Standing& s) {
    if (s.topic != topic || s.partition != partition || s.offset < from) return false;
    lost_[s].insert(base_.now);
    return true;
  });
  for (auto& [key, event] : events_)
    std::erase_if(event.copies, [&](const Copy& c) {
      if (c.topic != topic || c.partition != partition || c.offset < from) return false;
      event.put_back.push_back(c);
      event.put_back.back().lost = base_.now;
      return true;
    });
  for (auto& [key, stood] : stood_)
    if (std::get<0>(key) == topic && std::get<1>(key) == partition)
      while (!stood.empty() && stood.back().offset >= from) stood.pop_back();
}

void Checker::retention(const std::string& topic, std::int32_t partition, Offset start) {
  for (auto& [key, event] : events_)
    for (Copy& c : event.copies)
      if (c.topic == topic && c.partition == partition && c.offset < start) c.retained = false;
  retained_from_[{topic, partition}] = start;
}

void Checker::finish(int agent, const Store& store) {
  std::set<EventKey> accounted;
  std::vector<EventKey> open, gap_events;
  for (const auto& [origin, life] : store.lives())
    for (EventIndex at = life.first; at <= life.last; at = at + 1) {
      const EventKey key{origin, at};
      const Event& event = events_.at(key);
      if (event.fact->gap) gap_events.push_back(key);
      // A log that went back, and whose retention then took the place where that could be seen.
      const bool unseen = std::any_of(event.put_back.begin(), event.put_back.end(), [&](const Copy& c) {
        return c.batch < retained_from_[{c.topic, c.partition}] || hidden_from_image(c);
      });
      if (event.copies.empty() && !unseen)
        open.push_back(key);
      else
        accounted.insert(key);
    }
  // Gaps that arrived name others, which may be gaps themselves.
  std::vector<Gap> named;
  std::set<EventKey> used;
  for (bool more = true; more;) {
    more = false;
    for (const EventKey& key : gap_events)
      if (accounted.contains(key) && used.insert(key).second) {
        named.push_back(*events_.at(key).fact->gap);
        more = true;
      }
    std::vector<EventKey> left;
    for (const EventKey& key : open) {
      const std::string& topic = events_.at(key).topic;
      const bool is_named = std::any_of(named.begin(), named.end(), [&](const Gap& g) { return names(g, topic, key); });
      if (is_named)
        accounted.insert(key);
      else
        left.push_back(key);
    }
    open = std::move(left);
  }
  for (const auto& [origin, life] : store.lives())
    for (EventIndex at = life.first; at <= life.last; at = at + 1)
      base_.check(Check::named_at_end, accounted.contains({origin, at}),
                  [&] { return fmt::format("{} {} is lost without a name", life.topic, text(EventKey{origin, at})); });
  finish_sources(agent, store, accounted, named);
}

bool Checker::is_named(const Gap& gap, const Fact& fact) {
  const DeviceKind kind = kinds_[fact.device];
  const bool tells_boot = kind != DeviceKind::plain && kind != DeviceKind::numbered_without_boot;
  if (!gap.stream.empty() || gap.source != source_of(fact.device) ||
      gap.incarnation != (tells_boot ? std::to_string(fact.boot) : ""))
    return false;
  const bool wraps = (kind == DeviceKind::numbered || kind == DeviceKind::numbered_without_boot) && plan_.modulus > 0;
  const std::int64_t number = wraps ? fact.number % plan_.modulus : fact.number;
  if (wraps && gap.source_first > gap.source_last) return number >= gap.source_first || number <= gap.source_last;
  return gap.source_first <= number && number <= gap.source_last;
}

// Without a boot a number that comes behind later ones is a device that began again, behind which nothing is missing.
bool Checker::numbers_are_in_order() const {
  return restores_ == 0 && plan_.short_of_space.value() == 0 &&
         !(plan_.small_bound && plan_.when_full != agent::WhenFull::drop_oldest);
}

void Checker::finish_sources(int agent, const Store& store, const std::set<EventKey>& accounted,
                             const std::vector<Gap>& named) {
  std::map<std::pair<int, std::int64_t>, std::pair<std::int64_t, std::int64_t>> span;  // durable numbers by boot
  const auto durable = [&](std::uint64_t id) {
    const auto keys = keys_of_.find(id);
    return keys != keys_of_.end() && std::any_of(keys->second.begin(), keys->second.end(), [&](const EventKey& key) {
             return store.ever_had(key) && accounted.contains(key);
           });
  };
  for (const auto& [id, fact] : made_) {
    if (fact->device / 100 != agent || !durable(id)) continue;
    auto [at, fresh] = span.try_emplace({fact->device, fact->boot}, fact->number, fact->number);
    at->second.first = std::min(at->second.first, fact->number);
    at->second.second = std::max(at->second.second, fact->number);
  }
  for (const auto& [id, fact] : made_) {
    if (fact->device / 100 != agent) continue;
    const DeviceKind kind = kinds_[fact->device];
    const bool tells_boot = kind != DeviceKind::numbered_without_boot;
    if (kind == DeviceKind::plain || (!tells_boot && !numbers_are_in_order())) continue;
    const bool ring = kind == DeviceKind::ring || kind == DeviceKind::ring_lasting;
    const auto numbers = span.find({fact->device, fact->boot});
    if (!ring &&
        (numbers == span.end() || fact->number < numbers->second.first || fact->number > numbers->second.second))
      continue;
    bool fine = durable(id);
    // What a ring had confirmed by a life of the log that is gone is named when its device speaks of it: of a boot
    // that is over, it cannot.
    if (!fine && ring && restores_ > 0) fine = fact->boot != boots_[fact->device];
    if (!fine)
      for (const auto& [from, to] : device_lost_[{fact->device, fact->boot}])
        fine = fine || (from <= fact->number && fact->number <= to);
    if (!fine) fine = std::any_of(named.begin(), named.end(), [&](const Gap& g) { return is_named(g, *fact); });
    // What a numbered device's gap names is not there; unless it came behind a number that had wrapped.
    else if (tells_boot && durable(id) && plan_.modulus == 0)
      base_.check(Check::gaps_not_false,
                  std::none_of(named.begin(), named.end(), [&](const Gap& g) { return is_named(g, *fact); }), [&] {
                    return fmt::format("a gap names number {} of device {} (boot {}), which is durable", fact->number,
                                       fact->device, fact->boot);
                  });
    base_.check(Check::sources_at_end, fine, [&] {
      return fmt::format("message {} of device {} (boot {} number {}) is lost without a name", id, fact->device,
                         fact->boot, fact->number);
    });
  }
}

}  // namespace edgelog::sim::edge

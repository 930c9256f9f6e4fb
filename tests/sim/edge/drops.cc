// Checks of what leaves an agent's log by name: the gaps, and whether it had to go.
#include <algorithm>

#include "tests/sim/edge/checker.h"

namespace edgelog::sim::edge {

using agent::Gap;

namespace {

bool is_drop(const Gap& gap) {
  return gap.reason == agent::gap_reason::overflow || gap.reason == agent::gap_reason::age;
}

}  // namespace

std::uint64_t Checker::dropped(const Store::Applied& result) const {
  return static_cast<std::uint64_t>(std::count_if(result.gone.begin(), result.gone.end(), [&](const auto& gone) {
    return std::any_of(result.gaps.begin(), result.gaps.end(),
                       [&](const Gap& gap) { return is_drop(gap) && names(gap, gone.topic, gone.key); });
  }));
}

void Checker::judge_gap(int agent, const Gap& gap) {
  const bool of_stream = gap.first.value() >= 0;
  // Of two leaders in short order the first, deposed, may answer under an epoch that is later than the one a gateway
  // named with a batch that the second one took: it passes for a log that went back, and the gap is in vain.
  const auto& leaders = leaders_[gap.stream];
  const bool two_leaders = leaders.size() > 1 && base_.now - leaders[leaders.size() - 2] < seconds(60);
  if (gap.reason == agent::gap_reason::log_went_back && (plan_.stale_leader == 0 || !two_leaders))
    base_.check(Check::gaps_not_false,
                std::any_of(put_back_at_.begin(), put_back_at_.end(),
                            [&](const auto& back) { return back.first.first == gap.stream; }),
                [&] { return fmt::format("gap log_went_back: the log of {} never did", gap.stream); });
  if (gap.reason == agent::gap_reason::log_went_back)
    base_.check(Check::gaps_not_false, gap.last <= reached_[{agent, gap.stream}].index, [&] {
      return fmt::format("gap log_went_back names {} up to {}, which never was there", gap.stream, gap.last.value());
    });
  if (gap.reason == agent::gap_reason::full)
    base_.check(Check::gaps_not_false, plan_.small_bound && plan_.when_full == agent::WhenFull::drop_newest,
                [] { return std::string("gap full, and nothing drops the newest"); });
  const std::int64_t span = of_stream ? gap.last - gap.first + 1 : gap.source_last - gap.source_first + 1;
  if (!of_stream && (gap.source_first < 0 || span <= 0)) return;  // not known, or its numbers wrapped
  base_.check(Check::gaps_not_false, gap.count == span,
              [&] { return fmt::format("gap {} counts {} of {}", gap.reason, gap.count, span); });
}

// What is dropped by name is dropped for the reason that the gap says. `first`: of what went together.
void Checker::judge_drop(const Store::Applied::Gone& gone, const Event& event, const Gap& gap, bool first) {
  const auto what = [&](const char* wrong) {
    return [&gone, &gap, wrong] {
      return fmt::format("gap {} names {} {}, {}", gap.reason, gone.topic, text(gone.key), wrong);
    };
  };
  if (gap.reason == agent::gap_reason::refused) {
    base_.check(Check::refused_set_aside, gone.set_aside, what("which was not set aside"));
    const auto since = gone.batch ? refused_.find({gone.batch->producer, gone.batch->first}) : refused_.end();
    base_.check(Check::refused_set_aside, since != refused_.end() && base_.now - since->second >= seconds(10),
                what("which was not refused for long"));
  }
  if (gap.reason == agent::gap_reason::unresolved)
    base_.check(Check::gaps_not_false, gone.published, what("which never was published"));
  if (!is_drop(gap)) return;
  if (plan_.gateway_clock.value() == 0 && plan_.clock_jump.value() == 0)
    base_.check(Check::gaps_not_false, gap.first_time <= event.timestamp && event.timestamp <= gap.last_time,
                what("which was taken at another time"));
  const bool age = gap.reason == agent::gap_reason::age;
  const bool by_log = !age && plan_.small_log;
  base_.injected(age ? Fault::age_small_bound : by_log ? Fault::log_full : Fault::overflow_small_bound);
  base_.check(Check::gaps_not_false, age ? plan_.small_age : plan_.small_bound || plan_.small_log,
              what("without need"));
  base_.check(Check::gaps_not_false, !event.fact->gap, what("a gap, before what it describes"));
  if (!age && !plan_.small_log)
    base_.check(Check::gaps_not_false,
                gone.topic != "doors" || plan_.when_full == agent::WhenFull::drop_oldest ||
                    (plan_.when_full == agent::WhenFull::block && plan_.cannot_wait),
                what("whose stream does not drop the oldest"));
  // Not younger than the bound of 60 s, but for what a disk takes, whatever clocks do.
  if (age && first) base_.check(Check::gaps_not_false, base_.now - event.durable > seconds(45), what("which is young"));
  base_.check(Check::leaves_log_only_if_durable_or_named, !gone.published, what("which was published"));
  const bool there =  // but for what rule 12 leaves
      restores_ == 0 &&
      std::any_of(event.copies.begin(), event.copies.end(), [](const Copy& copy) { return !copy.shut_out; });
  base_.check(Check::gaps_not_false, !there, what("which is in the log"));
}

void Checker::judge_ages(int agent, const Store& store, Instant opened) {
  for (const char* topic : {"climate", "doors"})
    for (const EventKey& key : store.droppable(topic, true)) {
      const Event& event = events_.at(key);
      const Instant since = std::max(event.durable, opened);
      // Ten seconds until somebody looks, and what a disk takes.
      base_.check(Check::bound_is_kept, base_.now - since < seconds(60 + 10 + 30), [&] {
        return fmt::format("agent {}: {} {} is {} s old, and may go", agent, topic, text(key),
                           to_millis(base_.now - since) / 1000);
      });
    }
}

// What a bound drops is the oldest of its stream; and by the log's bound nothing goes while something of less priority
// could, but for what came in this very transaction.
void Checker::judge_order_of_drops(const Store& store, const Store::Applied& result) {
  std::map<std::string, EventIndex> dropped;  // the last, by topic
  for (const auto& gone : result.gone)
    for (const Gap& gap : result.gaps)
      if (is_drop(gap) && names(gap, gone.topic, gone.key)) {
        EventIndex& last = dropped.try_emplace(gone.topic, gone.key.index).first->second;
        last = std::max(last, gone.key.index);
      }
  for (const auto& [topic, last] : dropped)
    for (const EventKey& left : store.droppable(topic))
      base_.check(Check::oldest_dropped_first, left.index > last, [&] {
        return fmt::format("{}: {} was dropped, and {} is still there", topic, last.value(), left.index.value());
      });
  if (!plan_.small_log || plan_.small_bound || plan_.small_age || !dropped.contains("doors")) return;
  for (const EventKey& left : store.droppable("climate"))
    base_.check(Check::oldest_dropped_first,
                std::any_of(result.durable.begin(), result.durable.end(),
                            [&](const auto& d) { return d.topic == "climate" && d.key.index <= left.index; }),
                [&] { return fmt::format("doors were dropped, and climate {} is still there", left.index.value()); });
}

}  // namespace edgelog::sim::edge

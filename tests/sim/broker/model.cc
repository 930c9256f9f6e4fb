#include "tests/sim/broker/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"

namespace edgelog::sim::shard {

bool Model::expect(bool held, Check check, std::string_view what) {
  ++checks[static_cast<std::size_t>(check)];
  if (!held) fail_(std::string(what));
  return held;
}

void Model::sent(const Where& at, std::int64_t producer, std::int32_t sequence, Sent what) {
  partitions[at].sent[{producer, sequence}] = what;
}

// A batch stands at `base`, and will for ever.
void Model::note(const Where& at, std::int64_t base, std::int64_t producer, std::int32_t sequence, const char* how) {
  PartitionModel& model = partitions[at];
  const std::string name =
      fmt::format("{}-{}: {} at {} (producer {}, sequence {})", at.first, at.second, how, base, producer, sequence);
  const auto what = model.sent.find({producer, sequence});
  if (!expect(what != model.sent.end(), Check::content, name + ": nobody sent that")) return;
  const std::int64_t end = base + what->second.count;
  const auto elsewhere = model.where.find({producer, sequence});
  if (!expect(elsewhere == model.where.end() || elsewhere->second == base, Check::once,
              name + ": it stands elsewhere already"))
    return;
  if (elsewhere != model.where.end()) return;
  const auto next = model.known.lower_bound(base);
  const bool free = (next == model.known.end() || next->first >= end) &&
                    (next == model.known.begin() || std::prev(next)->second.end <= base);
  if (!expect(free, Check::acknowledged, name + ": another batch was there")) return;
  model.known[base] = {end, producer, sequence};
  const auto here = model.where.emplace(std::pair{producer, sequence}, base).first;
  if (const auto after = std::next(here); after != model.where.end() && after->first.first == producer)
    expect(after->second > base, Check::order, name + ": behind a later one");
  if (here != model.where.begin() && std::prev(here)->first.first == producer)
    expect(std::prev(here)->second < base, Check::order, name + ": before an earlier one");
}

void Model::acknowledged(const Where& at, std::int64_t base, std::int64_t producer, std::int32_t sequence) {
  PartitionModel& model = partitions[at];
  note(at, base, producer, sequence, "acknowledged");
  const auto what = model.sent.find({producer, sequence});
  if (what != model.sent.end()) model.must = std::max(model.must, base + what->second.count);
}

void Model::watermark(const Where& at, std::int64_t watermark, std::int64_t log_start) {
  PartitionModel& model = partitions[at];
  expect(watermark >= model.must || model.damaged, Check::acknowledged,
         fmt::format("{}-{}: the log ends at {}, {} was acknowledged or served", at.first, at.second, watermark,
                     model.must));
  expect(log_start >= 0 && log_start <= watermark && (log_start == 0 || topics[at.first].retains), Check::watermark,
         fmt::format("{}-{}: log start {}, end {}", at.first, at.second, log_start, watermark));
  model.must = std::max(model.must, watermark);
}

void Model::served(const Where& at, std::int64_t from, std::int64_t watermark, Bytes batches) {
  PartitionModel& model = partitions[at];
  const auto name = [&] { return fmt::format("{}-{}: fetch at {}", at.first, at.second, from); };
  if (!expect(!batches.empty() || from >= watermark, Check::acknowledged,
              fmt::format("{}: nothing, though the log ends at {}", name(), watermark)))
    return;
  while (auto batch = record::next_batch(batches)) {
    const auto header = record::parse_header(*batch);
    if (!expect(header && record::compute_crc(*batch) == header->crc, Check::content, name() + ": damaged bytes"))
      return;
    const std::int64_t base = header->base_offset.value(), producer = header->producer_id.value();
    const std::int32_t sequence = header->base_sequence.value();
    if (!expect(base <= from && from < header->next_offset().value(), Check::order,
                fmt::format("{}: a batch at {}", name(), base)))
      return;
    note(at, base, producer, sequence, "served");
    const auto what = model.sent.find({producer, sequence});
    if (what == model.sent.end()) return;
    if (!expect(what->second.crc == header->crc && what->second.count == header->count, Check::content,
                name() + ": not what was sent"))
      return;
    from = header->next_offset().value();
    if (!expect(from <= watermark, Check::watermark, name() + ": beyond the high watermark")) return;
  }
}

void Model::whole(const Where& at) {
  PartitionModel& model = partitions[at];
  std::map<std::int64_t, std::int32_t> next;
  std::int64_t end = 0;
  for (const auto& [base, batch] : model.known) {
    const auto what = model.sent.find({batch.producer, batch.sequence});
    expect(base == end && batch.sequence == next[batch.producer], Check::order,
           fmt::format("{}-{}: a hole before {} (producer {}, sequence {})", at.first, at.second, base, batch.producer,
                       batch.sequence));
    next[batch.producer] = batch.sequence + what->second.count;
    end = batch.end;
  }
}

void Model::damaged(const Where& at) {
  expect(flips > 0, Check::damage, fmt::format("{}-{} is refused as damaged without cause", at.first, at.second));
  partitions[at].damaged = true;
}

void Model::committed(const std::string& group, const Where& at, std::int64_t offset) {
  auto& model = offsets[{group, at}];
  model.floor = std::max(model.floor, offset);
}

void Model::fetched(const std::string& group, const Where& at, std::int64_t offset, std::string_view metadata) {
  auto& model = offsets[{group, at}];
  const bool same = offset < 0 || metadata == fmt::format("m{}", offset);
  expect(offset >= model.floor && offset <= model.asked && same, Check::offsets,
         fmt::format("group {} has offset {} ({}) of {}-{}; {} was answered before, {} was asked for", group, offset,
                     metadata, at.first, at.second, model.floor, model.asked));
  model.floor = std::max(model.floor, offset);
}

bool Model::has_offsets(const std::string& group) const {
  return std::any_of(offsets.begin(), offsets.end(),
                     [&](const auto& each) { return each.first.first == group && each.second.floor >= 0; });
}

void Model::handed_out(std::int64_t producer) {
  expect(producer >= 0 && ids_.insert(producer).second, Check::ids,
         fmt::format("producer id {} was handed out before", producer));
}

void Model::has_partitions(const std::string& topic, int count) {
  auto& model = topics[topic];
  expect(
      count >= model.must && count <= model.asked, Check::topics,
      fmt::format("topic {} has {} partitions; {} were answered, {} asked for", topic, count, model.must, model.asked));
  model.must = std::max(model.must, count);
}

void Model::round_passes() {
  for (auto& [at, model] : partitions) model.must_before = model.must;
  for (auto& [name, model] : topics) model.must_before = model.must;
  for (auto& [key, model] : offsets) model.floor_before = model.floor;
  ids_before_ = ids_;
}

void Model::soften() {
  for (auto& [at, model] : partitions) {
    model.must = model.must_before;
    while (!model.known.empty() && model.known.rbegin()->second.end > model.must) {
      const Known& last = model.known.rbegin()->second;
      model.where.erase({last.producer, last.sequence});
      model.known.erase(std::prev(model.known.end()));
    }
  }
  for (auto& [name, model] : topics) model.must = model.must_before;
  for (auto& [key, model] : offsets) model.floor = model.floor_before;
  ids_ = ids_before_;
}

// ---- what is true of generations

void GroupModel::restarted() { seen_ = synced_; }

void GroupModel::joined(Model& model, std::size_t number, std::int32_t generation, const std::string& id,
                        const std::string& leader) {
  const auto whose = ids_.try_emplace(id, number).first;
  model.expect(whose->second == number, Check::generations, "two members have the id " + id);
  if (model.flips > 0) return;
  if (generation == 1 && !model.has_offsets("crew")) seen_ = synced_ = 0;  // all went, nothing was kept: another group
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

void GroupModel::accepted(Model& model, std::int32_t generation, std::string_view what) {
  if (model.flips > 0) return;
  model.expect(generation >= seen_, Check::generations,
               fmt::format("{} of generation {} was accepted after {} began", what, generation, seen_));
}

}  // namespace edgelog::sim::shard

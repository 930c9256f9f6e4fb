#include "tests/sim/broker/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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
  model.known[base] = {end, producer, sequence, -1};
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
  expect(watermark >= model.must, Check::acknowledged,
         fmt::format("{}-{}: the log ends at {}, {} was acknowledged or served", at.first, at.second, watermark,
                     model.must));
  expect(log_start >= 0 && log_start <= watermark && (log_start == 0 || topics[at.first].retains), Check::watermark,
         fmt::format("{}-{}: log start {}, end {}", at.first, at.second, log_start, watermark));
  model.must = std::max(model.must, watermark);
}

void Model::started(const Where& at, std::int64_t log_start) {
  PartitionModel& model = partitions[at];
  expect(
      log_start >= model.start || flips > 0, Check::watermark,
      fmt::format("{}-{} begins at {}; records before {} were deleted", at.first, at.second, log_start, model.start));
}

void Model::removed(const Where& at, std::int64_t low_watermark) {
  PartitionModel& model = partitions[at];
  model.start = std::max(model.start, low_watermark);
}

void Model::found_by_time(const Where& at, std::int64_t asked, std::int64_t offset, std::int64_t timestamp) {
  PartitionModel& model = partitions[at];
  if (flips > 0 || model.damaged) return;
  const bool whole = !topics[at.first].retains;
  expect(offset < 0 || offset >= model.start, Check::by_time,
         fmt::format("{}-{}: {} for time {}; records before {} were deleted", at.first, at.second, offset, asked,
                     model.start));
  model.must = std::max(model.must, offset + 1);  // told is as good as served
  for (const auto& [base, batch] : model.known) {
    const std::int64_t first = model.sent.at({batch.producer, batch.sequence}).timestamp;
    const std::int64_t hit = base + std::max<std::int64_t>(0, asked - first);  // the first of its records not older
    const auto name = [&] {
      return fmt::format("{}-{}: {} ({}) for time {}; {} has it from {} on", at.first, at.second, offset, timestamp,
                         asked, base, first);
    };
    if (whole && hit < batch.end && !expect(offset >= 0 && offset <= hit, Check::by_time, name())) return;
    if (offset < base || offset >= batch.end) continue;
    if (!expect(timestamp == first + offset - base && timestamp >= asked, Check::by_time, name())) return;
  }
}

void Model::found_largest(const Where& at, std::int64_t offset, std::int64_t timestamp) {
  PartitionModel& model = partitions[at];
  if (flips > 0 || model.damaged) return;
  const bool whole = !topics[at.first].retains;
  const auto name = [&] {
    return fmt::format("{}-{}: {} ({}) is the youngest", at.first, at.second, offset, timestamp);
  };
  expect(offset < 0 || offset >= model.start, Check::by_time, name() + ", and was deleted");
  model.must = std::max(model.must, offset + 1);
  for (const auto& [base, batch] : model.known) {
    const Sent& sent = model.sent.at({batch.producer, batch.sequence});
    if (whole && !expect(timestamp >= sent.timestamp + sent.count - 1, Check::by_time,
                         fmt::format("{}; {} has {}", name(), base, sent.timestamp + sent.count - 1)))
      return;
    const bool here = base <= offset && offset < batch.end;
    if (here && !expect(timestamp == sent.timestamp + offset - base, Check::by_time, name())) return;
  }
}

std::int32_t Model::newest_epoch(const Where& at) const {
  const auto found = partitions.find(at);
  std::int32_t newest = -1;
  if (found == partitions.end()) return newest;
  for (const auto& [base, batch] : found->second.known) newest = std::max(newest, batch.leader_epoch);
  return newest;
}

void Model::epoch_ended(const Where& at, std::int32_t asked, std::int32_t epoch, std::int64_t end) {
  const PartitionModel& model = partitions[at];
  if (flips > 0 || model.damaged || topics[at.first].retains) return;
  const bool over = asked < newest_epoch(at);
  for (const auto& [base, batch] : model.known) {
    if (batch.leader_epoch < 0) continue;
    const bool held = base >= end ? batch.leader_epoch > asked : batch.leader_epoch <= epoch;
    const bool last = !over || batch.end != end || batch.leader_epoch == epoch;
    if (!expect(held && last && epoch <= asked, Check::epochs,
                fmt::format("{}-{}: epoch {} of {} ends at {}; at {} is one of {}", at.first, at.second, epoch, asked,
                            end, base, batch.leader_epoch)))
      return;
  }
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
    const std::int64_t base = header->base_offset.value();
    const std::int64_t producer = producer_key(header->producer_id.value(), header->producer_epoch.value());
    const auto first = first_sequence.find(producer);
    const std::int32_t sequence =
        (header->base_sequence + -(first == first_sequence.end() ? 0 : first->second)).value();
    if (!expect(base <= from && from < header->next_offset().value(), Check::order,
                fmt::format("{}: a batch at {}", name(), base)))
      return;
    note(at, base, producer, sequence, "served");
    const auto what = model.sent.find({producer, sequence});
    if (what == model.sent.end()) return;
    if (!expect(what->second.crc == header->crc && what->second.count == header->count, Check::content,
                name() + ": not what was sent"))
      return;
    const std::int32_t epoch = header->leader_epoch.value();
    const auto known = model.known.find(base);
    if (known != model.known.end() && flips == 0) {
      const std::int32_t before = std::exchange(known->second.leader_epoch, epoch);
      if (!expect(before == -1 || before == epoch, Check::epochs,
                  fmt::format("{}: leader epoch {} at {}, before {}", name(), epoch, base, before)))
        return;
    }
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
    // What was taken back with a torn round leaves a hole where its producer goes on.
    expect(base == end && (flips > 0 || batch.sequence == next[batch.producer]), Check::order,
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

std::int32_t epoch_of_commit(std::int64_t offset, std::int16_t version) {
  constexpr std::int16_t known_since = 6;
  return version < known_since ? -1 : static_cast<std::int32_t>(offset % 100);
}
std::string metadata_of_commit(std::int64_t offset, std::int32_t epoch) {
  return fmt::format("m{} of epoch {}", offset, epoch);
}

void Model::fetched(const std::string& group, const Where& at, std::int64_t offset, std::string_view metadata,
                    std::optional<std::int32_t> epoch) {
  auto& model = offsets[{group, at}];
  const bool same = offset < 0 || (epoch ? metadata == metadata_of_commit(offset, *epoch)
                                         : metadata.starts_with(fmt::format("m{} ", offset)));
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

void Model::has_id(const std::string& topic, const Uuid& id) {
  auto& model = topics[topic];
  if (model.must == 0 || flips > 0) return;
  expect(!model.id || *model.id == id, Check::topics, "topic " + topic + " has another id than before");
  model.id = id;
}

void Model::has_largest_batch(const std::string& topic, std::int64_t bytes) {
  auto& model = topics[topic];
  expect(bytes >= largest_batch(model.steps_asked) && bytes <= largest_batch(model.steps), Check::topics,
         fmt::format("topic {} takes batches of {}; {} was answered, {} asked for", topic, bytes,
                     largest_batch(model.steps), largest_batch(model.steps_asked)));
  while (model.steps < model.steps_asked && largest_batch(model.steps) > bytes) ++model.steps;
}

void Model::round_passes() {
  for (auto& [at, model] : partitions) {
    model.must_before = model.must;
    model.start_before = model.start;
  }
  for (auto& [name, model] : topics) {
    model.must_before = model.must;
    model.steps_before = model.steps;
  }
  for (auto& [key, model] : offsets) model.floor_before = model.floor;
  ids_before_ = ids_;
}

void Model::soften() {
  for (auto& [at, model] : partitions) {
    model.must = model.must_before;
    model.start = model.start_before;
    while (!model.known.empty() && model.known.rbegin()->second.end > model.must) {
      const Known& last = model.known.rbegin()->second;
      model.where.erase({last.producer, last.sequence});
      model.known.erase(std::prev(model.known.end()));
    }
  }
  for (auto& [name, model] : topics) {
    model.must = model.must_before;
    model.steps = model.steps_before;
  }
  for (auto& [key, model] : offsets) model.floor = model.floor_before;
  ids_ = ids_before_;
}

}  // namespace edgelog::sim::shard

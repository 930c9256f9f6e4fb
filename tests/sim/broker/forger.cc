// What the broker must refuse: batches that are not the producer's next one. And what it must know again.
#include <fmt/format.h>

#include "common/record/batch.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"
#include "tests/support/batches.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

// A batch that is not the producer's next one, nor one of its last: another process has its id, or it came late.
void World::forge(Producer& producer) {
  if (producer.id < 0 || weather_.flips || model_.flips > 0) return;
  std::vector<int> known;
  for (const auto& [partition, lane] : producer.lanes)
    if (lane.known) known.push_back(partition);
  if (known.empty()) return;
  constexpr std::int32_t far = 1'000'000;
  constexpr std::int64_t unknown = (std::int64_t{1} << 62) + 1'000'000'000;
  const int partition = any(known);
  const Lane& lane = producer.lanes[partition];
  testing::BatchSpec spec;
  spec.timestamp = at_.wall.value();
  spec.value = "forged";
  spec.producer = ProducerId{producer.id};
  spec.epoch = lane.epoch;
  const std::int32_t first = lane.epoch == 0 ? producer.first_sequence : 0;
  std::int32_t sequence = lane.next + far;
  const std::int64_t which = lane.epoch > 0 && chance(2, 3) ? random_.between(0, 1) : random_.between(2, 11);
  if (which == 0) {  // of one that was fenced
    spec.epoch = lane.epoch - 1;
    sequence = far;
  } else if (which == 1) {  // of one that was fenced, with the number that comes next
    --spec.epoch;
    sequence = lane.open.empty() ? lane.next : lane.open.front().sequence;
  } else if (which == 2) {  // an edge's id that nobody knows begins at 0
    spec.producer = ProducerId{unknown};
  } else if (which == 3 && lane.batches > 12 && lane.epoch == 0) {  // behind all that is remembered
    sequence = 0;
  } else if (which == 6) {  // one number is left out
    sequence = lane.next + 1;
  } else if (which == 8) {  // a new epoch begins at 0
    ++spec.epoch;
  } else if (which == 7 && lane.last) {  // begins as one that is there, and is longer
    sequence = lane.last->sequence;
    spec.records = lane.last->count + 1;
  }
  spec.sequence = (Sequence{first} + sequence).value();
  Buffer batch = make_batch(spec);
  if (which == 4) {  // as it should be, but for one bit
    spec.sequence = (Sequence{first} + lane.next).value();
    batch = make_batch(spec);
    batch.back() ^= std::byte{1};
    sequence = lane.next + far;
  }
  std::optional<ErrorCode> due;
  if (which >= 9) {  // the next one, but for its size or its time
    const int steps = model_.topics[producer.topic].steps;
    if (which == 9) spec.value.assign(static_cast<std::size_t>(largest_batch(steps)), '.');
    if (which == 10) spec.timestamp -= 2 * to_millis(too_old);
    if (which == 11) spec.timestamp += 2 * to_millis(too_young);
    due = which == 9 ? ErrorCode::message_too_large : ErrorCode::invalid_timestamp;
    spec.sequence = (Sequence{first} + lane.next).value();
    batch = make_batch(spec);
  }
  Producer* const waits = which == 6 ? &producer : nullptr;  // else its own next ones may come before
  send_forged({producer.topic, partition}, std::move(batch), producer_key(spec.producer.value(), spec.epoch), sequence,
              waits, due);
}

void World::send_forged(const Model::Where& at, Buffer batch, std::int64_t producer, std::int32_t sequence,
                        Producer* waits, std::optional<ErrorCode> due) {
  const auto request = produce_of(at, batch);
  doubter_.asking = true;
  if (waits != nullptr) waits->asking = true;
  ask<wire::ProduceResponse>(
      doubter_.connection, request, version_of<wire::ProduceRequest>(),
      [this, at, producer, sequence, due](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        say("  {}-{}: forged {} of producer {}: error {}", at.first, at.second, sequence, producer,
            static_cast<int>(each.error_code));
        model_.expect(due ? each.error_code == *due : each.error_code != ErrorCode::none, Check::refused,
                      fmt::format("{}-{}: {} of producer {} was accepted, which is not its next", at.first, at.second,
                                  sequence, producer));
      },
      [this, waits, life = waits != nullptr ? waits->life : 0](const auto*) {
        doubter_.asking = false;
        if (waits != nullptr && waits->life == life) waits->asking = false;
      });
}

// The last one that was acknowledged, once more: answered as the first time, wherever the producer is by then.
void World::send_again(Producer& producer) {
  if (producer.id < 0 || model_.flips > 0) return;
  std::vector<int> known;
  for (const auto& [partition, lane] : producer.lanes)
    if (lane.last && !model_.partitions[{producer.topic, partition}].damaged) known.push_back(partition);
  if (known.empty()) return;
  doubter_.asking = true;
  send_again(producer, any(known), doubter_.connection);
}

void World::send_again(Producer& producer, int partition, std::size_t connection) {
  const Lane& lane = producer.lanes[partition];
  const Model::Where at{producer.topic, partition};
  auto request = produce_of(at, lane.last->bytes);
  request.timeout_ms = wire::Millis{30'000};
  const bool own = connection == doubter_.connection;
  const auto number = static_cast<std::size_t>(&producer - producers_.data());
  const std::int64_t key = producer_key(producer.id, lane.epoch);
  ask<wire::ProduceResponse>(
      connection, request, version_of<wire::ProduceRequest>(),
      [this, at, number, key, sequence = lane.last->sequence, sent = lane.last->number, life = producer.life,
       epoch = lane.epoch](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        say("  {}-{}: {} of producer {} again: error {}, at {}", at.first, at.second, sequence, key,
            static_cast<int>(each.error_code), each.base_offset.value());
        if (each.error_code == ErrorCode::none) return model_.acknowledged(at, each.base_offset.value(), key, sequence);
        const Producer& now = producers_[number];
        if (now.life != life || model_.flips > 0 || was_full_) return;
        const Lane& there = now.lanes.at(at.second);
        const bool moved_on = there.epoch != epoch || there.batches - sent > static_cast<int>(window);
        model_.expect(moved_on || each.error_code == ErrorCode::request_timed_out, Check::once,
                      fmt::format("{}-{}: error {} for {} of producer {}, which is there", at.first, at.second,
                                  static_cast<int>(each.error_code), sequence, key));
      },
      [this, own](const auto*) {
        if (own) doubter_.asking = false;
      });
}

}  // namespace edgelog::sim::shard

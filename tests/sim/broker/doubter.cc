// The doubter asks what others do not: by time, by leader epoch, for records to be deleted. And it sends what the
// broker must refuse.
#include <fmt/format.h>

#include <algorithm>

#include "common/record/batch.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"
#include "tests/support/batches.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

void World::doubt() {
  if (doubter_.asking || ending_) return;
  std::vector<Model::Where> places;
  for (const auto& [at, partition] : model_.partitions)
    if (!partition.known.empty() && !partition.damaged) places.push_back(at);
  if (places.empty()) return;
  const Model::Where at = any(places);
  switch (random_.below(6)) {
    case 0: return look_by_time(at);
    case 1:
      if (const auto newest = model_.newest_epoch(at); newest > 0)
        look_at_epoch(doubter_.connection, at, static_cast<std::int32_t>(random_.between(0, newest)));
      return;
    case 2: return delete_records(at);
    default: return forge(any(producers_));
  }
}

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
  const std::int64_t which = lane.epoch > 0 && chance(2, 3) ? random_.between(0, 1) : random_.between(2, 5);
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
  }
  spec.sequence = (Sequence{first} + sequence).value();
  Buffer batch = make_batch(spec);
  if (which == 4) {  // as it should be, but for one bit
    spec.sequence = (Sequence{first} + lane.next).value();
    batch = make_batch(spec);
    batch.back() ^= std::byte{1};
    sequence = lane.next + far;
  }
  send_forged({producer.topic, partition}, std::move(batch), producer_key(spec.producer.value(), spec.epoch), sequence);
}

void World::send_forged(const Model::Where& at, Buffer batch, std::int64_t producer, std::int32_t sequence) {
  wire::ProduceRequest request;
  request.timeout_ms = wire::Millis{10'000};
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  topic.partitions.push_back({PartitionIndex{at.second}, Bytes(batch)});
  doubter_.asking = true;
  ask<wire::ProduceResponse>(
      doubter_.connection, request, version_of<wire::ProduceRequest>(),
      [this, at, producer, sequence](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        say("  {}-{}: forged {} of producer {}: error {}", at.first, at.second, sequence, producer,
            static_cast<int>(each.error_code));
        model_.expect(each.error_code != ErrorCode::none, Check::refused,
                      fmt::format("{}-{}: {} of producer {} was accepted, which is not its next", at.first, at.second,
                                  sequence, producer));
      },
      [this](const auto*) { doubter_.asking = false; });
}

void World::look_by_time(const Model::Where& at) {
  const PartitionModel& model = model_.partitions[at];
  auto some = model.known.begin();
  std::advance(some, random_.below(model.known.size()));
  const Sent& sent = model.sent.at({some->second.producer, some->second.sequence});
  const std::int64_t time = sent.timestamp + random_.between(-1, sent.count);
  wire::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  topic.partitions.push_back({PartitionIndex{at.second}, LeaderEpoch{-1}, time});
  doubter_.asking = true;
  ask<wire::ListOffsetsResponse>(
      doubter_.connection, request, version_of<wire::ListOffsetsRequest>(),
      [this, at, time](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (model_.expect(each.error_code == ErrorCode::none || model_.flips > 0, Check::answers,
                          fmt::format("error {} for a time", static_cast<int>(each.error_code))) &&
            each.error_code == ErrorCode::none)
          model_.found_by_time(at, time, each.offset.value(), each.timestamp);
      },
      [this](const auto*) { doubter_.asking = false; });
}

void World::look_at_epoch(std::size_t connection, const Model::Where& at, std::int32_t epoch) {
  wire::OffsetForLeaderEpochRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = at.first;
  topic.partitions.push_back({PartitionIndex{at.second}, LeaderEpoch{-1}, LeaderEpoch{epoch}});
  const bool own = connection == doubter_.connection;
  if (own) doubter_.asking = true;
  ask<wire::OffsetForLeaderEpochResponse>(
      connection, request, version_of<wire::OffsetForLeaderEpochRequest>(),
      [this, at, epoch](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::none)
          model_.epoch_ended(at, epoch, each.leader_epoch.value(), each.end_offset.value());
      },
      [this, own](const auto*) {
        if (own) doubter_.asking = false;
      });
}

// Only where retention may take them anyway.
void World::delete_records(const Model::Where& at) {
  const std::int64_t end = model_.partitions[at].must;
  if (!model_.topics[at.first].retains || end == 0) return;
  wire::DeleteRecordsRequest request;
  request.timeout_ms = wire::Millis{30'000};
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  const std::int64_t start = model_.partitions[at].start;
  topic.partitions.push_back({PartitionIndex{at.second}, Offset{random_.between(start, (start + end) / 2)}});
  doubter_.asking = true;
  ask<wire::DeleteRecordsResponse>(
      doubter_.connection, request, version_of<wire::DeleteRecordsRequest>(),
      [this, at, asked = topic.partitions[0].offset.value()](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (!model_.expect(each.error_code == ErrorCode::none || model_.flips > 0, Check::answers,
                           fmt::format("error {} for records to be deleted", static_cast<int>(each.error_code))) ||
            each.error_code != ErrorCode::none)
          return;
        model_.expect(each.low_watermark.value() >= asked, Check::watermark, "fewer records were deleted than asked");
        model_.removed(at, each.low_watermark.value());
      },
      [this](const auto*) { doubter_.asking = false; });
}

// Where each epoch ended: all that were.
void World::audit_epochs() {
  Connection& connection = connections_[auditor];
  for (const auto& [at, partition] : std::map(model_.partitions)) {
    if (partition.damaged) continue;
    const std::int32_t newest = model_.newest_epoch(at);
    for (std::int32_t epoch = 0; epoch <= newest && !failed() && !frozen_; ++epoch) {
      look_at_epoch(auditor, at, epoch);
      deliver(connection);
      answer(connection);
    }
  }
}

}  // namespace edgelog::sim::shard

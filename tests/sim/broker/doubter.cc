// The doubter asks what others do not: by time, by leader epoch, outside of the log, for records to be deleted.
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
  if (Committer& committer = any(committers_); chance(1, 5) && !committer.at.empty()) {  // while it commits
    doubter_.asking = true;
    return read_offsets(committer, doubter_.connection, [this] { doubter_.asking = false; });
  }
  std::vector<Model::Where> places;
  for (const auto& [at, partition] : model_.partitions)
    if (!partition.known.empty() && !partition.damaged) places.push_back(at);
  if (places.empty()) return;
  const Model::Where at = any(places);
  switch (random_.below(12)) {
    case 0: return look_by_time(at);
    case 10: return look_from_elsewhere(at);
    case 11: return meddle();
    case 6: return look_outside(at);
    case 7: return look_at_marks(at);
    case 8:
    case 9: return send_again(any(producers_));
    case 1:
      if (const auto newest = model_.newest_epoch(at); newest > 0)
        look_at_epoch(doubter_.connection, at, static_cast<std::int32_t>(random_.between(0, newest)));
      return;
    case 2: return delete_records(at);
    default: return forge(any(producers_));
  }
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

// The beginning, and the youngest record.
void World::look_at_marks(const Model::Where& at) {
  const bool youngest = chance(1, 2);
  wire::ListOffsetsRequest request;
  request.isolation_level = chance(1, 2) ? 1 : 0;
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  topic.partitions.push_back({PartitionIndex{at.second}, LeaderEpoch{-1}, youngest ? -3 : -2});
  doubter_.asking = true;
  const auto version = std::max<wire::Version>(version_of<wire::ListOffsetsRequest>(), youngest ? 7 : 1);
  ask<wire::ListOffsetsResponse>(
      doubter_.connection, request, version,
      [this, at, youngest](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (!model_.expect(each.error_code == ErrorCode::none || model_.flips > 0, Check::answers,
                           fmt::format("error {} for a mark", static_cast<int>(each.error_code))) ||
            each.error_code != ErrorCode::none)
          return;
        if (youngest) return model_.found_largest(at, each.offset.value(), each.timestamp);
        model_.watermark(at, std::max(model_.partitions[at].must, each.offset.value()), each.offset.value());
        model_.started(at, each.offset.value());
      },
      [this](const auto*) { doubter_.asking = false; });
}

// A fetch of one that read on under an epoch that had ended before: it is told where that was.
void World::look_from_elsewhere(const Model::Where& at) {
  if (model_.flips > 0 || model_.topics[at.first].retains) return;
  const PartitionModel& model = model_.partitions[at];
  auto some = model.known.begin();
  std::advance(some, random_.below(model.known.size()));
  const std::int64_t base = some->first, end = some->second.end;
  const std::int32_t epoch = some->second.leader_epoch;
  const bool astray = chance(2, 3);
  if (epoch < 2) return;
  wire::FetchRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = at.first;
  wire::FetchRequest::Topic::Partition partition;
  partition.partition = PartitionIndex{at.second};
  partition.fetch_offset = Offset{end};
  partition.last_fetched_epoch = LeaderEpoch{astray ? epoch - 1 : epoch};
  topic.partitions.push_back(partition);
  doubter_.asking = true;
  ask<wire::FetchResponse>(
      doubter_.connection, request, 12,
      [this, at, base, end, epoch, astray](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        const auto& told = each.diverging_epoch;
        const bool held =
            astray ? told.epoch.value() < epoch && told.end_offset.value() >= 0 && told.end_offset.value() <= base
                   : told.end_offset.value() < 0;
        model_.expect(each.error_code == ErrorCode::none && held, Check::epochs,
                      fmt::format("{}-{}: who read up to {} in epoch {} is told of {} up to {}; at {} is one of {}",
                                  at.first, at.second, end, astray ? epoch - 1 : epoch, told.epoch.value(),
                                  told.end_offset.value(), base, epoch));
      },
      [this](const auto*) { doubter_.asking = false; });
}

// What is the broker's own nobody else changes.
void World::meddle() {
  static const std::string own = "__consumer_offsets";
  const auto refused = [this](ErrorCode error) {
    model_.expect(error == ErrorCode::invalid_topic || error == ErrorCode::unknown_topic_or_partition, Check::refused,
                  fmt::format("error {} for a change of an internal topic", static_cast<int>(error)));
  };
  const auto over = [this](const auto*) { doubter_.asking = false; };
  doubter_.asking = true;
  if (chance(1, 2)) {
    wire::DeleteTopicsRequest request;
    request.topic_names.push_back(own);
    return ask<wire::DeleteTopicsResponse>(
        doubter_.connection, request, 5, [refused](const auto& response) { refused(response.topics.at(0).error_code); },
        over);
  }
  if (chance(1, 2)) {
    wire::DeleteRecordsRequest request;
    request.topics.push_back({own, {{PartitionIndex{0}, Offset{-1}}}});
    return ask<wire::DeleteRecordsResponse>(
        doubter_.connection, request, version_of<wire::DeleteRecordsRequest>(),
        [refused](const auto& response) { refused(response.topics.at(0).partitions.at(0).error_code); }, over);
  }
  const Buffer batch = testing::make_batch({.timestamp = at_.wall.value(), .key = "forged"});
  const auto request = produce_of({own, 0}, batch);
  ask<wire::ProduceResponse>(
      doubter_.connection, request, version_of<wire::ProduceRequest>(),
      [refused](const auto& response) { refused(response.topics.at(0).partitions.at(0).error_code); }, over);
}

// A fetch before the beginning, or behind the end: there is nothing to be had.
void World::look_outside(const Model::Where& at) {
  const PartitionModel& model = model_.partitions[at];
  const bool before = model.start > 0 && chance(2, 3);
  const std::int64_t from = before ? random_.between(0, model.start - 1) : model.must + 1'000'000;
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = at.first;
  wire::FetchRequest::Topic::Partition partition;
  partition.partition = PartitionIndex{at.second};
  partition.fetch_offset = Offset{from};
  partition.partition_max_bytes = 1 << 20;
  topic.partitions.push_back(partition);
  doubter_.asking = true;
  ask<wire::FetchResponse>(
      doubter_.connection, request, version_of<wire::FetchRequest>(12),
      [this, at, from](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        model_.expect(each.error_code == ErrorCode::offset_out_of_range || model_.flips > 0, Check::refused,
                      fmt::format("{}-{}: error {} for a fetch at {}, outside of the log", at.first, at.second,
                                  static_cast<int>(each.error_code), from));
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
  const bool beyond = chance(1, 4);  // of what is committed: that is refused
  const bool all = !beyond && chance(1, 8);
  const std::int64_t up_to = beyond ? end + random_.between(1, 20)
                             : all  ? end
                                    : random_.between(start, (start + end) / 2);
  topic.partitions.push_back({PartitionIndex{at.second}, Offset{all ? -1 : up_to}});
  doubter_.asking = true;
  ask<wire::DeleteRecordsResponse>(
      doubter_.connection, request, version_of<wire::DeleteRecordsRequest>(),
      [this, at, beyond, asked = up_to](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (beyond && each.error_code == ErrorCode::offset_out_of_range) return;
        if (!model_.expect(each.error_code == ErrorCode::none || model_.flips > 0, Check::answers,
                           fmt::format("error {} for records to be deleted", static_cast<int>(each.error_code))) ||
            each.error_code != ErrorCode::none)
          return;
        model_.expect(each.low_watermark.value() >= asked, Check::watermark, "fewer records were deleted than asked");
        model_.removed(at, each.low_watermark.value());
        if (beyond) model_.partitions[at].must = std::max(model_.partitions[at].must, asked);
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

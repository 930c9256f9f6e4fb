// Consumers read on from where they stand.
#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

// A leader epoch that a client believes in: mostly none, else the present one or a neighbour of it.
std::int32_t World::claim(wire::Version version, wire::Version known_since) {
  const bool known = epoch_of_ == starts_ && version >= known_since && model_.flips == 0;
  return known && chance(1, 6) ? epoch_ + static_cast<std::int32_t>(random_.between(-1, 1)) : -1;
}

// True: who believes in another epoch was told so.
bool World::fenced(std::int32_t claimed, ErrorCode error) {
  if (claimed < 0 || claimed == epoch_) return false;
  const ErrorCode due = claimed < epoch_ ? ErrorCode::fenced_leader_epoch : ErrorCode::unknown_leader_epoch;
  model_.expect(
      error == due, Check::epochs,
      fmt::format("error {} for one that believes in epoch {}, in {}", static_cast<int>(error), claimed, epoch_));
  return true;
}

void World::consume(Consumer& consumer) {
  if (consumer.asking) return;
  consumer.asking = true;
  wire::FetchRequest request;
  request.max_wait_ms = wire::Millis{static_cast<std::int32_t>(random_.between(0, 800))};
  request.min_bytes = static_cast<std::int32_t>(chance(1, 2) ? 1 : random_.between(0, 5000));
  request.max_bytes = static_cast<std::int32_t>(random_.between(1, 100'000));
  request.isolation_level = chance(1, 2) ? 1 : 0;  // the same here, where there are no transactions
  auto& topic = request.topics.emplace_back();
  topic.topic = consumer.at.first;
  const auto& id = model_.topics[consumer.at.first].id;
  constexpr wire::Version last_by_name = 12;
  const wire::Version version =
      version_of<wire::FetchRequest>(id && model_.flips == 0 ? wire::FetchRequest::api.last : last_by_name);
  topic.topic_id = id.value_or(Uuid{});
  const std::int32_t claimed = claim(version, 9);
  wire::FetchRequest::Topic::Partition partition;
  partition.current_leader_epoch = LeaderEpoch{claimed};
  partition.partition = PartitionIndex{consumer.at.second};
  partition.fetch_offset = Offset{consumer.position};
  partition.partition_max_bytes = static_cast<std::int32_t>(random_.between(1, 60'000));
  topic.partitions.push_back(partition);
  const auto number = static_cast<std::size_t>(&consumer - consumers_.data());
  ask<wire::FetchResponse>(
      consumer.connection, request, version,
      [this, at = consumer.at, from = consumer.position, claimed, least = request.min_bytes,
       most = std::min(request.max_bytes, partition.partition_max_bytes),
       until = at_.now + milliseconds(request.max_wait_ms.value())](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        say("  {}-{} from {}: error {}, end {}", at.first, at.second, from, static_cast<int>(each.error_code),
            each.high_watermark.value());
        if (fenced(claimed, each.error_code)) return;
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (each.error_code == ErrorCode::unknown_topic_or_partition && model_.topics[at.first].must <= at.second)
          return;
        const bool gone = each.error_code == ErrorCode::offset_out_of_range &&
                          (model_.topics[at.first].retains || model_.flips > 0 || model_.partitions[at].must < from);
        if (gone || !model_.expect(each.error_code == ErrorCode::none, Check::answers,
                                   fmt::format("error {} for a fetch", static_cast<int>(each.error_code))))
          return;
        model_.watermark(at, each.high_watermark.value(), std::max<std::int64_t>(0, each.log_start_offset.value()));
        if (each.log_start_offset.value() >= 0) model_.started(at, each.log_start_offset.value());
        model_.served(at, from, each.high_watermark.value(), each.records.value_or(Bytes{}));
        Bytes rest = each.records.value_or(Bytes{});
        const auto bytes = static_cast<std::int64_t>(rest.size());
        model_.expect(bytes >= least || at_.now >= until || draining_, Check::answers,
                      fmt::format("{} bytes, {} were asked for and waited for", bytes, least));
        record::next_batch(rest);
        model_.expect(bytes <= most || rest.empty(), Check::answers,
                      fmt::format("{} bytes, {} were asked for", bytes, most));
      },
      [this, number](const auto* response) {
        Consumer& asked = consumers_[number];
        asked.asking = false;
        if (response == nullptr) return;
        const auto& each = response->topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::offset_out_of_range) asked.position = model_.partitions[asked.at].must;
        Bytes rest = each.records.value_or(Bytes{});
        while (const auto batch = record::next_batch(rest))
          asked.position = record::parse_header(*batch)->next_offset().value();
      });
  answered_within(consumer.connection, milliseconds(request.max_wait_ms.value()));
}

void World::look_at_offsets(Consumer& consumer) {
  if (consumer.asking) return;
  consumer.asking = true;
  wire::ListOffsetsRequest request;
  request.isolation_level = chance(1, 2) ? 1 : 0;
  auto& topic = request.topics.emplace_back();
  topic.name = consumer.at.first;
  const wire::Version version = version_of<wire::ListOffsetsRequest>();
  const std::int32_t claimed = claim(version, 4);
  topic.partitions.push_back({PartitionIndex{consumer.at.second}, LeaderEpoch{claimed}, -1});
  const auto number = static_cast<std::size_t>(&consumer - consumers_.data());
  ask<wire::ListOffsetsResponse>(
      consumer.connection, request, version,
      [this, at = consumer.at, claimed](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (fenced(claimed, each.error_code)) return;
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (model_.expect(each.error_code == ErrorCode::none || model_.flips > 0, Check::answers,
                          "error for offsets") &&
            each.error_code == ErrorCode::none)
          model_.watermark(at, each.offset.value(), 0);
      },
      [this, number](const auto*) { consumers_[number].asking = false; });
}

}  // namespace edgelog::sim::shard

// Producers: idempotent ones with ids from the broker, and edge agents with ids of their own.
#include <algorithm>

#include "common/record/batch.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"
#include "tests/support/batches.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
constexpr std::int64_t edge_bits = std::int64_t{1} << 62;
}  // namespace

void World::renew(Producer& producer) {
  producer.id = -1;
  producer.asking = false;
  ++producer.life;
  producer.lanes.clear();
  producer.topic.clear();
  producer.first_sequence = 0;
  drop(connections_[producer.connection]);
}

void World::produce(Producer& producer) {
  if (producer.topic.empty() || producer.asking) return;
  // An id that was handed out may begin anywhere, so also shortly before the numbers begin anew.
  if (producer.id < 0 && !producer.edge)
    producer.first_sequence = chance(1, 3) ? INT32_MAX - static_cast<std::int32_t>(random_.below(40)) : 0;
  if (producer.id < 0 && producer.edge) producer.id = edge_bits + static_cast<std::int64_t>(++edge_ids_);
  const auto number = static_cast<std::size_t>(&producer - producers_.data());
  if (producer.id < 0) {
    producer.asking = true;
    wire::InitProducerIdRequest request;
    return ask<wire::InitProducerIdResponse>(
        producer.connection, request, version_of<wire::InitProducerIdRequest>(),
        [this](const auto& response) {
          const bool storage =
              response.error_code == ErrorCode::coordinator_not_available && (was_full_ || model_.flips > 0);
          model_.expect(response.error_code == ErrorCode::none || storage, Check::answers,
                        fmt::format("error {} for a producer id", static_cast<int>(response.error_code)));
          if (response.error_code == ErrorCode::none) model_.handed_out(response.producer_id.value());
        },
        [this, number, life = producer.life](const auto* response) {
          Producer& asked = producers_[number];
          if (asked.life != life) return;
          asked.asking = false;
          if (response != nullptr && response->error_code == ErrorCode::none) asked.id = response->producer_id.value();
        });
  }
  std::vector<std::pair<int, std::int32_t>> batches;
  const int count = model_.topics[producer.topic].must;
  if (!ending_ && count > 0) {
    const int tries = chance(1, 3) ? 2 : 1;
    for (int i = 0; i < tries; ++i) {
      const int partition = static_cast<int>(random_.below(static_cast<std::uint64_t>(count)));
      if (i > 0 && !batches.empty() && batches[0].first == partition) continue;
      if (new_batch(producer, partition))
        batches.emplace_back(partition, producer.lanes[partition].open.back().sequence);
    }
  }
  if (!batches.empty()) send(producer, batches);
  // What failed or was lost is sent again in its order, once nothing of that partition is under way.
  for (auto& [partition, lane] : producer.lanes) {
    if (lane.open.empty() || model_.partitions[{producer.topic, partition}].damaged) continue;
    if (std::any_of(lane.open.begin(), lane.open.end(), [](const auto& b) { return b.in_flight; })) continue;
    for (auto& batch : lane.open) {
      batch.failed = false;
      send(producer, {{partition, batch.sequence}});
      if ((producer.edge || careful_) && !lane.known) break;  // one until the id is known
    }
  }
}

bool World::new_batch(Producer& producer, int partition) {
  Lane& lane = producer.lanes[partition];
  const Model::Where at{producer.topic, partition};
  if (model_.partitions[at].damaged) return false;
  const std::size_t most = (producer.edge || careful_) && !lane.known ? 1 : window;
  // The broker knows the last five: none of an id's open batches may be older than that.
  if (lane.open.size() >= most ||
      (!lane.open.empty() && lane.batches - lane.open.front().number >= static_cast<int>(window)))
    return false;
  for (const auto& batch : lane.open)
    if (!batch.in_flight || batch.failed) return false;
  if (lane.open.empty() && lane.known && chance(1, 8)) {
    ++lane.epoch;
    lane.next = 0;
    lane.known = false;
    lane.last.reset();
  }
  const std::int64_t key = producer_key(producer.id, lane.epoch);
  const std::int32_t first = lane.epoch == 0 ? producer.first_sequence : 0;
  model_.first_sequence[key] = first;  // anew where a flipped bit gave the id back (seed 167997)
  testing::BatchSpec spec;
  spec.producer = ProducerId{producer.id};
  spec.epoch = lane.epoch;
  spec.sequence = (Sequence{first} + lane.next).value();
  spec.records = static_cast<int>(random_.between(1, 6));
  spec.timestamp = at_.wall.value();
  if (chance(1, 8)) spec.codec = record::Codec::lz4;
  spec.value = fmt::format("producer {} of {}-{}, number {} ", producer.id, at.first, partition, lane.next);
  const std::int64_t longest = heavy_ || chance(1, 10) ? 3000 : bulk_ ? 2000 : 100;
  spec.value.append(static_cast<std::size_t>(random_.between(heavy_ ? longest / 2 : 0, longest)), '.');
  OpenBatch batch{make_batch(spec), lane.next, spec.records, lane.batches++, false, false};
  model_.sent(at, key, lane.next, {spec.records, record::parse_header(batch.bytes)->crc, spec.timestamp});
  lane.next += spec.records;
  lane.open.push_back(std::move(batch));
  return true;
}

void World::send(Producer& producer, const std::vector<std::pair<int, std::int32_t>>& batches) {
  wire::ProduceRequest request;
  request.timeout_ms = wire::Millis{static_cast<std::int32_t>(random_.between(1'000, 30'000))};
  request.acks = chance(1, 4) ? 1 : -1;  // an answer means durable in either case
  auto& topic = request.topics.emplace_back();
  topic.name = producer.topic;
  std::vector<std::int64_t> keys;
  for (const auto& [partition, sequence] : batches) {
    keys.push_back(producer_key(producer.id, producer.lanes[partition].epoch));
    for (auto& batch : producer.lanes[partition].open) {
      if (batch.sequence != sequence) continue;
      batch.in_flight = true;
      topic.partitions.push_back({PartitionIndex{partition}, Bytes(batch.bytes)});
    }
  }
  const auto number = static_cast<std::size_t>(&producer - producers_.data());
  ask<wire::ProduceResponse>(
      producer.connection, request, version_of<wire::ProduceRequest>(),
      [this, name = producer.topic, batches, keys](const auto& response) {
        for (std::size_t i = 0; i < batches.size(); ++i) {
          const auto& each = response.topics.at(0).partitions.at(i);
          say("  {}-{}: {} of producer {}: error {}, at {}", name, batches[i].first, batches[i].second, keys[i],
              static_cast<int>(each.error_code), each.base_offset.value());
          if (each.error_code == ErrorCode::none)
            model_.acknowledged({name, batches[i].first}, each.base_offset.value(), keys[i], batches[i].second);
        }
      },
      [this, number, name = producer.topic, batches, life = producer.life](const auto* response) {
        for (std::size_t i = 0; i < batches.size(); ++i) {
          const auto error = response == nullptr
                                 ? static_cast<std::int16_t>(-1)
                                 : static_cast<std::int16_t>(response->topics.at(0).partitions.at(i).error_code);
          produced(number, life, {name, batches[i].first}, batches[i].second, error);
        }
      });
  constexpr Duration wait_min = seconds(5);  // the broker gives its disk that much
  answered_within(producer.connection, std::max(wait_min, milliseconds(request.timeout_ms.value())));
}

// error -1: nobody knows.
void World::produced(std::size_t number, std::uint64_t life, Model::Where at, std::int32_t sequence,
                     std::int16_t error) {
  Producer& producer = producers_[number];
  if (producer.life != life) return;
  Lane& lane = producer.lanes[at.second];
  const auto batch =
      std::find_if(lane.open.begin(), lane.open.end(), [&](const auto& b) { return b.sequence == sequence; });
  if (batch == lane.open.end()) return;
  batch->in_flight = false;
  if (error == 0) {
    lane.known = true;
    lane.last = std::move(*batch);
    lane.open.erase(batch);
    return;
  }
  const bool after_failure = std::any_of(lane.open.begin(), batch, [](const auto& b) { return b.failed; });
  batch->failed = true;
  if (error == -1) return;
  const std::string what =
      fmt::format("producer {} of {}-{}: error {} for {}", producer.id, at.first, at.second, error, sequence);
  switch (static_cast<ErrorCode>(error)) {
    case ErrorCode::request_timed_out: return;
    case ErrorCode::kafka_storage_error:
      if (was_full_) return;
      return model_.damaged(at);
    case ErrorCode::out_of_order_sequence_number:
      if (after_failure) return;
      model_.expect(model_.flips > 0, Check::answers, what + ", though nothing went wrong before");
      return renew(producer);
    default: model_.expect(model_.flips > 0, Check::answers, what); return renew(producer);
  }
}

}  // namespace edgelog::sim::shard

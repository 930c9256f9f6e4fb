// Those who ask: an administrator, producers, consumers, and committers of offsets.
#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"
#include "tests/support/batches.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
constexpr std::size_t auditor = 0, administrator = 1, first_client = 2;
constexpr std::size_t window = 5;
constexpr std::int64_t edge_bits = std::int64_t{1} << 62;
constexpr int topics_max = 3, partitions_max = 4;
}  // namespace

void World::make_clients() {
  connections_.resize(first_client);
  const auto connect = [&] {
    connections_.emplace_back();
    return connections_.size() - 1;
  };
  const auto producers = random_.between(2, 5);
  for (int i = 0; i < producers; ++i) {
    Producer made;
    made.connection = connect();
    made.edge = chance(1, 2);
    producers_.push_back(std::move(made));
  }
  const auto consumers = random_.between(1, 3);
  for (int i = 0; i < consumers; ++i) {
    Consumer made;
    made.connection = connect();
    consumers_.push_back(std::move(made));
  }
  const auto committers = random_.between(1, 2);
  for (int i = 0; i < committers; ++i) {
    Committer made;
    made.connection = connect();
    made.group = fmt::format("group{}", i);
    committers_.push_back(std::move(made));
  }
}

void World::clients_act() {
  const auto dice = random_.below(100);
  if (dice < 6 || model_.topics.empty()) return administer();
  std::vector<std::string> there;
  for (const auto& [name, topic] : model_.topics)
    if (topic.must > 0) there.push_back(name);
  if (there.empty()) return administer();
  if (dice < 55) {
    Producer& producer = any(producers_);
    if (producer.topic.empty()) producer.topic = any(there);
    return produce(producer);
  }
  if (dice < 80) {
    Consumer& consumer = any(consumers_);
    if (consumer.at.first.empty() || (!consumer.asking && chance(1, 20))) {
      const std::string& topic = any(there);
      consumer.at = {topic, static_cast<int>(random_.below(static_cast<std::uint64_t>(model_.topics[topic].must)))};
      consumer.position = 0;
    }
    return chance(1, 6) ? look_at_offsets(consumer) : consume(consumer);
  }
  Committer& committer = any(committers_);
  if (committer.at.size() < 3 && chance(1, 3)) {
    const std::string& topic = any(there);
    const Model::Where at{topic,
                          static_cast<int>(random_.below(static_cast<std::uint64_t>(model_.topics[topic].must)))};
    if (std::find(committer.at.begin(), committer.at.end(), at) == committer.at.end()) committer.at.push_back(at);
  }
  if (committer.at.empty() || committer.asking) return;
  chance(2, 3) ? commit(committer) : read_offsets(committer);
}

// ---- topics

void World::administer() {
  if (admin_asking_) return;
  admin_asking_ = true;
  const auto excused = [this](ErrorCode error) {
    const bool storage = error == ErrorCode::kafka_storage_error && (was_full_ || model_.flips > 0);
    model_.expect(error == ErrorCode::none || storage, Check::answers,
                  fmt::format("error {} for a topic", static_cast<int>(error)));
  };
  std::vector<std::string> growing;
  for (const auto& [name, topic] : model_.topics)
    if (topic.must > 0 && topic.must == topic.asked && topic.asked < partitions_max) growing.push_back(name);
  if (!growing.empty() && chance(1, 2)) {
    const std::string name = any(growing);
    const int count = ++model_.topics[name].asked;
    wire::CreatePartitionsRequest request;
    request.timeout_ms = wire::Millis{30'000};
    request.topics.push_back({name, count, std::nullopt});
    return ask<wire::CreatePartitionsResponse>(
        administrator, request, version_of<wire::CreatePartitionsRequest>(),
        [=, this](const auto& response) {
          const ErrorCode error = response.results.at(0).error_code;
          excused(error);
          if (error == ErrorCode::none) model_.has_partitions(name, count);
        },
        [this](const auto*) { admin_asking_ = false; });
  }
  wire::CreateTopicsRequest request;
  request.timeout_ms = wire::Millis{30'000};
  auto& topic = request.topics.emplace_back();
  topic.name = fmt::format("t{}", random_.between(1, topics_max));
  if (model_.topics.contains(topic.name) && model_.topics[topic.name].must > 0) {
    admin_asking_ = false;
    return;
  }
  TopicModel& model = model_.topics[topic.name];
  const bool again = model.asked > 0;  // nobody knows whether it is there
  topic.num_partitions = again ? model.asked : static_cast<std::int32_t>(random_.between(1, 3));
  topic.replication_factor = -1;
  model.asked = topic.num_partitions;
  topic.configs.push_back({"message.timestamp.after.max.ms", "9223372036854775807"});
  topic.configs.push_back({"segment.bytes", std::to_string(random_.between(20'000, 120'000))});
  if (!again) model.retains = chance(1, 4);
  if (model.retains) topic.configs.push_back({"retention.bytes", std::to_string(random_.between(10'000, 60'000))});
  ask<wire::CreateTopicsResponse>(
      administrator, request, version_of<wire::CreateTopicsRequest>(),
      [=, this, name = topic.name, count = topic.num_partitions](const auto& response) {
        const ErrorCode error = response.topics.at(0).error_code;
        // It may be there and not be durable yet, so that it exists proves nothing.
        if (error == ErrorCode::topic_already_exists) return;
        excused(error);
        if (error == ErrorCode::none) model_.has_partitions(name, count);
      },
      [this](const auto*) { admin_asking_ = false; });
}

// ---- producers

void World::renew(Producer& producer) {
  producer.id = -1;
  producer.asking = false;
  ++producer.life;
  producer.lanes.clear();
  producer.topic.clear();
  drop(connections_[producer.connection]);
}

void World::produce(Producer& producer) {
  if (producer.topic.empty() || producer.asking) return;
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
  testing::BatchSpec spec;
  spec.producer = ProducerId{producer.id};
  spec.epoch = 0;
  spec.sequence = lane.next;
  spec.records = static_cast<int>(random_.between(1, 6));
  spec.timestamp = at_.wall.value();
  spec.value = fmt::format("producer {} of {}-{}, number {} ", producer.id, at.first, partition, spec.sequence);
  spec.value.append(static_cast<std::size_t>(random_.between(0, chance(1, 10) ? 3000 : bulk_ ? 2000 : 100)), '.');
  OpenBatch batch{make_batch(spec), spec.sequence, spec.records, lane.batches++, false, false};
  model_.sent(at, producer.id, spec.sequence, {spec.records, record::parse_header(batch.bytes)->crc});
  lane.next += spec.records;
  lane.open.push_back(std::move(batch));
  return true;
}

void World::send(Producer& producer, const std::vector<std::pair<int, std::int32_t>>& batches) {
  wire::ProduceRequest request;
  request.timeout_ms = wire::Millis{static_cast<std::int32_t>(random_.between(1'000, 30'000))};
  auto& topic = request.topics.emplace_back();
  topic.name = producer.topic;
  for (const auto& [partition, sequence] : batches) {
    for (auto& batch : producer.lanes[partition].open) {
      if (batch.sequence != sequence) continue;
      batch.in_flight = true;
      topic.partitions.push_back({PartitionIndex{partition}, Bytes(batch.bytes)});
    }
  }
  const auto number = static_cast<std::size_t>(&producer - producers_.data());
  ask<wire::ProduceResponse>(
      producer.connection, request, version_of<wire::ProduceRequest>(),
      [this, name = producer.topic, batches, id = producer.id](const auto& response) {
        for (std::size_t i = 0; i < batches.size(); ++i) {
          const auto& each = response.topics.at(0).partitions.at(i);
          say("  {}-{}: {} of producer {}: error {}, at {}", name, batches[i].first, batches[i].second, id,
              static_cast<int>(each.error_code), each.base_offset.value());
          if (each.error_code == ErrorCode::none)
            model_.acknowledged({name, batches[i].first}, each.base_offset.value(), id, batches[i].second);
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

// ---- consumers

void World::consume(Consumer& consumer) {
  if (consumer.asking) return;
  consumer.asking = true;
  wire::FetchRequest request;
  request.max_wait_ms = wire::Millis{static_cast<std::int32_t>(random_.between(0, 800))};
  request.min_bytes = static_cast<std::int32_t>(chance(1, 2) ? 1 : random_.between(0, 5000));
  request.max_bytes = static_cast<std::int32_t>(random_.between(1, 100'000));
  auto& topic = request.topics.emplace_back();
  topic.topic = consumer.at.first;
  wire::FetchRequest::Topic::Partition partition;
  partition.partition = PartitionIndex{consumer.at.second};
  partition.fetch_offset = Offset{consumer.position};
  partition.partition_max_bytes = static_cast<std::int32_t>(random_.between(1, 60'000));
  topic.partitions.push_back(partition);
  const auto number = static_cast<std::size_t>(&consumer - consumers_.data());
  ask<wire::FetchResponse>(
      consumer.connection, request, version_of<wire::FetchRequest>(12),
      [this, at = consumer.at, from = consumer.position](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        say("  {}-{} from {}: error {}, end {}", at.first, at.second, from, static_cast<int>(each.error_code),
            each.high_watermark.value());
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (each.error_code == ErrorCode::unknown_topic_or_partition && model_.topics[at.first].must <= at.second)
          return;
        const bool gone = each.error_code == ErrorCode::offset_out_of_range &&
                          (model_.topics[at.first].retains || model_.flips > 0 || model_.partitions[at].must < from);
        if (gone || !model_.expect(each.error_code == ErrorCode::none, Check::answers,
                                   fmt::format("error {} for a fetch", static_cast<int>(each.error_code))))
          return;
        model_.watermark(at, each.high_watermark.value(), std::max<std::int64_t>(0, each.log_start_offset.value()));
        model_.served(at, from, each.high_watermark.value(), each.records.value_or(Bytes{}));
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
}

void World::look_at_offsets(Consumer& consumer) {
  if (consumer.asking) return;
  consumer.asking = true;
  wire::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = consumer.at.first;
  topic.partitions.push_back({PartitionIndex{consumer.at.second}, LeaderEpoch{-1}, -1});
  const auto number = static_cast<std::size_t>(&consumer - consumers_.data());
  ask<wire::ListOffsetsResponse>(
      consumer.connection, request, version_of<wire::ListOffsetsRequest>(),
      [this, at = consumer.at](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::kafka_storage_error) return model_.damaged(at);
        if (model_.expect(each.error_code == ErrorCode::none || model_.flips > 0, Check::answers,
                          "error for offsets") &&
            each.error_code == ErrorCode::none)
          model_.watermark(at, each.offset.value(), 0);
      },
      [this, number](const auto*) { consumers_[number].asking = false; });
}

// ---- committed offsets

void World::commit(Committer& committer) {
  committer.asking = true;
  wire::OffsetCommitRequest request;
  request.group_id = committer.group;
  std::vector<Model::Where> places;
  const std::int64_t offset = ++committer.next;
  for (const auto& at : committer.at) {
    if (!places.empty() && chance(1, 2)) continue;
    places.push_back(at);
    auto& topic = request.topics.emplace_back();
    topic.name = at.first;
    topic.partitions.push_back(
        {PartitionIndex{at.second}, Offset{offset}, LeaderEpoch{-1}, -1, fmt::format("m{}", offset)});
    model_.offsets[{committer.group, at}].asked = offset;
  }
  const auto number = static_cast<std::size_t>(&committer - committers_.data());
  ask<wire::OffsetCommitResponse>(
      committer.connection, request, version_of<wire::OffsetCommitRequest>(),
      [this, places, offset, group = committer.group](const auto& response) {
        for (std::size_t i = 0; i < places.size(); ++i) {
          const ErrorCode error = response.topics.at(i).partitions.at(0).error_code;
          const bool storage = error == ErrorCode::coordinator_not_available && (was_full_ || model_.flips > 0);
          if (model_.expect(error == ErrorCode::none || storage || model_.flips > 0, Check::answers,
                            fmt::format("error {} for a commit", static_cast<int>(error))) &&
              error == ErrorCode::none)
            model_.committed(group, places[i], offset);
        }
      },
      [this, number](const auto*) { committers_[number].asking = false; });
}

void World::read_offsets(Committer& committer) {
  const auto number = static_cast<std::size_t>(&committer - committers_.data());
  wire::OffsetFetchRequest request;
  request.group_id = committer.group;
  request.topics.emplace();
  for (const auto& at : committer.at) request.topics->push_back({at.first, {PartitionIndex{at.second}}});
  ask<wire::OffsetFetchResponse>(
      committer.connection, request, version_of<wire::OffsetFetchRequest>(7),
      [this, places = committer.at, group = committer.group](const auto& response) {
        const bool storage =
            response.error_code == ErrorCode::coordinator_not_available && (was_full_ || model_.flips > 0);
        if (storage) return;
        for (std::size_t i = 0; i < places.size(); ++i) {
          const auto& each = response.topics.at(i).partitions.at(0);
          if (!model_.expect(each.error_code == ErrorCode::none, Check::answers,
                             fmt::format("error {} for committed offsets", static_cast<int>(each.error_code))))
            return;
          model_.fetched(group, places[i], each.committed_offset.value(), each.metadata.value_or(""));
        }
      },
      [this, number](const auto*) { committers_[number].asking = false; });
  committer.asking = true;
}

// ---- after a start: everything that was promised

void World::audit() {
  Connection& connection = connections_[auditor];
  audit_topics();
  for (const auto& [name, topic] : std::map(model_.topics)) {
    for (int partition = 0; partition < model_.topics[name].must && !failed() && !frozen_; ++partition) {
      while (audit_partition({name, partition})) {
      }
    }
  }
  // Groups' offsets are read as soon as nothing of theirs waits for the disk.
  for (auto& committer : committers_) {
    if (committer.at.empty() || committer.asking || failed() || frozen_) continue;
    const std::size_t own = std::exchange(committer.connection, auditor);
    read_offsets(committer);
    committer.connection = own;
    deliver(connection);
    answer(connection);
  }
}

void World::audit_topics() {
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  ask<wire::MetadataResponse>(auditor, request, version_of<wire::MetadataRequest>(),
                              [this](const auto& response) {
                                for (auto& [name, model] : model_.topics) {
                                  const auto found =
                                      std::find_if(response.topics.begin(), response.topics.end(),
                                                   [&](const auto& topic) { return topic.name == name; });
                                  const bool there = found != response.topics.end();
                                  model_.expect(there || model.must == 0, Check::topics, "topic " + name + " is gone");
                                  if (there) model_.has_partitions(name, static_cast<int>(found->partitions.size()));
                                }
                              },
                              {});
  deliver(connections_[auditor]);
  answer(connections_[auditor]);
}

// Reads on; false: it is done.
bool World::audit_partition(const Model::Where& at) {
  static constexpr std::int32_t much = 1 << 20;
  PartitionModel& model = model_.partitions[at];
  std::int64_t from = 0, start = 0;
  bool more = false;
  const auto fetch = [&](std::int64_t offset) {
    wire::FetchRequest request;
    request.max_bytes = much;
    auto& topic = request.topics.emplace_back();
    topic.topic = at.first;
    wire::FetchRequest::Topic::Partition partition;
    partition.partition = PartitionIndex{at.second};
    partition.fetch_offset = Offset{offset};
    partition.partition_max_bytes = much;
    topic.partitions.push_back(partition);
    from = offset;
    more = false;
    ErrorCode error = ErrorCode::none;
    ask<wire::FetchResponse>(auditor, request, 12,
                             [&](const auto& response) {
                               const auto& each = response.topics.at(0).partitions.at(0);
                               error = each.error_code;
                               say("  {}-{} from {}: error {}, {} to {}", at.first, at.second, from,
                                   static_cast<int>(error), each.log_start_offset.value(), each.high_watermark.value());
                               if (error == ErrorCode::kafka_storage_error) return model_.damaged(at);
                               if (error != ErrorCode::none) return;
                               start = each.log_start_offset.value();
                               model_.watermark(at, each.high_watermark.value(), start);
                               model_.served(at, from, each.high_watermark.value(), each.records.value_or(Bytes{}));
                               Bytes rest = each.records.value_or(Bytes{});
                               while (const auto batch = record::next_batch(rest))
                                 from = record::parse_header(*batch)->next_offset().value();
                               more = from < each.high_watermark.value();
                             },
                             {});
    deliver(connections_[auditor]);
    answer(connections_[auditor]);
    return error;
  };
  std::int64_t at_offset = 0;
  if (model_.topics[at.first].retains) {
    wire::ListOffsetsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = at.first;
    topic.partitions.push_back({PartitionIndex{at.second}, LeaderEpoch{-1}, -2});
    ask<wire::ListOffsetsResponse>(auditor, request, 5,
                                   [&](const auto& response) {
                                     at_offset = std::max<std::int64_t>(
                                         0, response.topics.at(0).partitions.at(0).offset.value());
                                   },
                                   {});
    deliver(connections_[auditor]);
    answer(connections_[auditor]);
  }
  do {
    const ErrorCode error = fetch(at_offset);
    at_offset = from;
    if (error == ErrorCode::kafka_storage_error || frozen_ || failed()) return false;
    if (!model_.expect(
            error == ErrorCode::none, Check::answers,
            fmt::format("{}-{}: error {} for a fetch at {}", at.first, at.second, static_cast<int>(error), from)))
      return false;
  } while (more);
  static_cast<void>(model);
  return false;
}

}  // namespace edgelog::sim::shard

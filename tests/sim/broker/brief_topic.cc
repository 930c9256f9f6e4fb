// One topic that is made, written, deleted and made again: nothing of an older one may be seen, nor come back.
#include <fmt/format.h>

#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"
#include "tests/support/batches.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
const std::string brief = "brief", readers = "readers";

// Calls `told(offset, record)` for what batches hold.
template <class Told>
void each_record(Bytes batches, const Told& told) {
  record::Scratch scratch;
  while (const auto batch = record::next_batch(batches)) {
    const auto header = *record::parse_header(*batch);
    auto reader = record::open_records(*batch, header, scratch, 1 << 20);
    record::RecordView view;
    while (reader && reader->next(view)) told(header.base_offset + view.offset_delta, view);
  }
}
}  // namespace

// The error of an answer; false: nothing more is to be learnt from it.
bool World::brief_told(ErrorCode error, std::initializer_list<ErrorCode> good) {
  if (error == ErrorCode::none) return true;
  const bool storage = (error == ErrorCode::kafka_storage_error || error == ErrorCode::coordinator_not_available ||
                        error == ErrorCode::request_timed_out) &&
                       (was_full_ || model_.flips > 0 || error == ErrorCode::request_timed_out);
  const bool fine = std::find(good.begin(), good.end(), error) != good.end();
  model_.expect(storage || fine || model_.flips > 0, Check::answers,
                fmt::format("error {} for the brief topic", static_cast<int>(error)));
  return fine;
}

void World::brief_acts() {
  if (brief_.asking) return;
  brief_.asking = true;
  if (!brief_.there) return brief_.ends ? delete_brief() : create_brief();
  if (brief_.ends) return delete_brief();
  const auto dice = random_.below(10);
  if (brief_.compacts && dice < 9 && !chance(1, 4))
    return chance(3, 5) || brief_.latest.empty() ? write_brief() : read_latest();
  if (dice < 4) return write_brief();
  if (dice < 8) return read_brief();
  if (dice < 9) return offsets_of_brief();
  if (brief_.compacts && !chance(1, 8)) return offsets_of_brief();
  brief_.ends = true;
  delete_brief();
}

void World::create_brief() {
  wire::CreateTopicsRequest request;
  request.timeout_ms = wire::Millis{30'000};
  auto& topic = request.topics.emplace_back();
  topic.name = brief;
  topic.num_partitions = 1;
  topic.replication_factor = -1;
  topic.configs.push_back({"message.timestamp.after.max.ms", "9223372036854775807"});
  const bool again = std::exchange(brief_.asked, true);
  if (!again) brief_.compacts = bulk_;
  if (brief_.compacts) {
    topic.configs.push_back({"cleanup.policy", "compact"});
    topic.configs.push_back({"segment.bytes", "1000"});
    topic.configs.push_back({"min.cleanable.dirty.ratio", "0.1"});
  }
  ask<wire::CreateTopicsResponse>(brief_.connection, request, version_of<wire::CreateTopicsRequest>(), {},
                                  [this, again](const auto* response) {
                                    brief_.asking = false;
                                    if (response == nullptr) return;
                                    // Asked for before: it may exist and not be durable yet.
                                    const ErrorCode error = response->topics.at(0).error_code;
                                    if (brief_told(error, again ? std::initializer_list{ErrorCode::topic_already_exists}
                                                                : std::initializer_list<ErrorCode>{}))
                                      brief_.there = true;
                                    if (error == ErrorCode::none) brief_.durable = true;
                                  });
}

void World::write_brief() {
  testing::BatchSpec spec;
  spec.timestamp = at_.wall.value();
  spec.value = fmt::format("life {}", brief_.life);
  if (brief_.compacts) spec.key = fmt::format("key {}", random_.below(5));
  brief_.latest.erase(spec.key);
  brief_.batch = make_batch(spec);
  wire::ProduceRequest request;
  request.timeout_ms = wire::Millis{10'000};
  auto& topic = request.topics.emplace_back();
  topic.name = brief;
  topic.partitions.push_back({PartitionIndex{0}, Bytes(brief_.batch)});
  ask<wire::ProduceResponse>(
      brief_.connection, request, version_of<wire::ProduceRequest>(),
      [this, key = spec.key](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code == ErrorCode::none) {
          if (!key.empty()) brief_.latest[key] = each.base_offset.value();
          brief_.end = std::max(brief_.end, each.base_offset.value() + 1);
          brief_.durable = true;
        }
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

// Made, and not durable when the process died: it is made again. Else it must be there.
void World::brief_gone(ErrorCode error) {
  if (error != ErrorCode::unknown_topic_or_partition || brief_.durable) {
    brief_told(error, {});
    return;
  }
  brief_.there = false;
}

void World::read_brief() {
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = brief;
  wire::FetchRequest::Topic::Partition partition;
  partition.partition_max_bytes = 1 << 20;
  topic.partitions.push_back(partition);
  ask<wire::FetchResponse>(
      brief_.connection, request, version_of<wire::FetchRequest>(12),
      [this](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code != ErrorCode::none) return;
        model_.expect(each.high_watermark.value() >= brief_.end || model_.flips > 0, Check::deleted,
                      fmt::format("the topic that was made again ends at {}, {} was acknowledged",
                                  each.high_watermark.value(), brief_.end));
        const std::string mine = fmt::format("life {}", brief_.life);
        each_record(each.records.value_or(Bytes{}), [&](Offset at, const record::RecordView& view) {
          model_.expect(
              view.value && as_text(*view.value) == mine, Check::deleted,
              fmt::format("{} at {}, in {}", view.value ? as_text(*view.value) : "nothing", at.value(), mine));
        });
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

// Compaction keeps the last record of each key where it stands.
void World::read_latest() {
  auto some = brief_.latest.begin();
  std::advance(some, random_.below(brief_.latest.size()));
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = brief;
  wire::FetchRequest::Topic::Partition partition;
  partition.fetch_offset = Offset{some->second};
  partition.partition_max_bytes = 1 << 20;
  topic.partitions.push_back(partition);
  ask<wire::FetchResponse>(
      brief_.connection, request, version_of<wire::FetchRequest>(12),
      [this, key = some->first, offset = some->second](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code != ErrorCode::none || model_.flips > 0) return;
        bool found = false;
        each_record(each.records.value_or(Bytes{}), [&](Offset at, const record::RecordView& view) {
          found |= at.value() == offset && view.key && as_text(*view.key) == key;
        });
        model_.expect(found, Check::compacted, fmt::format("the last record of {}, at {}, is gone", key, offset));
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

// What a group committed for the topic goes with it.
void World::offsets_of_brief() {
  if (brief_.committed || chance(1, 2)) {
    wire::OffsetFetchRequest request;
    request.group_id = readers;
    request.topics.emplace();
    request.topics->push_back({brief, {PartitionIndex{0}}});
    return ask<wire::OffsetFetchResponse>(
        brief_.connection, request, version_of<wire::OffsetFetchRequest>(7),
        [this](const auto& response) {
          if (response.error_code != ErrorCode::none) return;
          const auto& each = response.topics.at(0).partitions.at(0);
          if (each.error_code != ErrorCode::none || model_.flips > 0) return;
          const std::int64_t offset = each.committed_offset.value();
          model_.expect(offset == brief_.life || (offset == -1 && !brief_.committed), Check::deleted,
                        fmt::format("an offset committed in life {} of the topic, now {}", offset, brief_.life));
        },
        [this](const auto*) { brief_.asking = false; });
  }
  wire::OffsetCommitRequest request;
  request.group_id = readers;
  auto& topic = request.topics.emplace_back();
  topic.name = brief;
  topic.partitions.push_back({PartitionIndex{0}, Offset{brief_.life}, LeaderEpoch{-1}, -1, "m"});
  ask<wire::OffsetCommitResponse>(
      brief_.connection, request, version_of<wire::OffsetCommitRequest>(),
      [this](const auto& response) {
        if (response.topics.at(0).partitions.at(0).error_code == ErrorCode::none) brief_.committed = true;
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

void World::delete_brief() {
  wire::DeleteTopicsRequest request;
  request.timeout_ms = wire::Millis{30'000};
  request.topic_names.push_back(brief);
  request.topics.push_back({brief, {}});
  const wire::Version version = version_of<wire::DeleteTopicsRequest>();
  (version < 6 ? request.topics.clear() : request.topic_names.clear());
  const bool again = std::exchange(brief_.deleting, true) || !brief_.durable;
  ask<wire::DeleteTopicsResponse>(brief_.connection, request, version, {}, [this, again](const auto* response) {
    brief_.asking = false;
    if (response == nullptr) return;
    const ErrorCode error = response->topics.at(0).error_code;
    const bool gone = brief_told(error, again ? std::initializer_list{ErrorCode::unknown_topic_or_partition}
                                              : std::initializer_list<ErrorCode>{});
    if (!gone) return;
    fault(Fault::deleted_topic);
    const std::int64_t life = brief_.life + 1;
    const std::size_t connection = brief_.connection;
    brief_ = {};
    brief_.life = life;
    brief_.connection = connection;
  });
}

}  // namespace edgelog::sim::shard

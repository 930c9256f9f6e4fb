// One topic that is made, written, deleted and made again: nothing of an older one may be seen, nor come back.
#include <fmt/format.h>

#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"
#include "common/wire/all.h"
#include "tests/sim/broker/each_record.h"
#include "tests/sim/broker/world.h"
#include "tests/support/batches.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
const std::string brief = "brief", readers = "readers";
constexpr std::int64_t writers = (std::int64_t{1} << 62) + 2'000'000'000;  // an id for each life
constexpr Duration tombstones_kept = seconds(120);

// What a record says of itself.
std::string said(std::int64_t life, std::string_view key, std::int64_t timestamp) {
  return fmt::format("life {}: {} at {}", life, key, timestamp);
}

// Several records, each with a key of its own or none; what is buried has no value.
template <class Value>
Buffer make_brief(const std::vector<BriefTopic::Wrote>& records, const record::BatchBuilder::Finish& how,
                  std::int64_t timestamp, const Value& value_of) {
  record::BatchBuilder builder;
  builder.reset();
  for (const auto& each : records) {
    const auto key = each.key.empty() ? std::nullopt : std::optional(as_bytes(each.key));
    const std::string value = value_of(each.key, timestamp);
    builder.append(timestamp++, key, each.buries ? std::nullopt : std::optional(as_bytes(value)));
  }
  record::Compressor compressor;
  return builder.finish(how, compressor);
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
  if (brief_.compacts && chance(1, 20)) return keyless_brief();
  if (brief_.compacts && dice < 9 && !chance(1, 4)) {
    if (brief_.reads_at > 0) return read_on();
    return chance(3, 5) || brief_.latest.empty() ? write_brief() : chance(1, 3) ? read_on() : read_latest();
  }
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
  if (!again) brief_.forgets = bulk_ && !weather_.jumps && chance(1, 2);
  if (brief_.forgets) topic.configs.push_back({"delete.retention.ms", std::to_string(to_millis(tombstones_kept))});
  if (brief_.compacts) {
    topic.configs.push_back({"cleanup.policy", "compact"});
    topic.configs.push_back({"segment.bytes", "1000"});
    topic.configs.push_back({"min.cleanable.dirty.ratio", "0.1"});
  }
  ask<wire::CreateTopicsResponse>(brief_.connection, request, version_of<wire::CreateTopicsRequest>(), {},
                                  [this, again](const auto* response) {
                                    brief_.asking = false;
                                    if (response == nullptr) return;
                                    // Asked for before, it may be there.
                                    const ErrorCode error = response->topics.at(0).error_code;
                                    brief_.id = response->topics.at(0).topic_id;  // or none
                                    if (brief_told(error, again ? std::initializer_list{ErrorCode::topic_already_exists}
                                                                : std::initializer_list<ErrorCode>{}))
                                      brief_.there = brief_.durable = true;
                                  });
}

void World::write_brief() {
  if (!brief_.open) {
    brief_.writer = chance(1, 6) ? 1 : 0;
    brief_.wrote.clear();
    for (auto left = random_.between(1, 3); left > 0; --left) {
      auto& each = brief_.wrote.emplace_back();
      if (!brief_.compacts) continue;
      // Some are written seldom: what is last of them is in a closed segment.
      each.key = fmt::format("key {}", chance(1, 6) ? 5 + random_.below(12) : random_.below(5));
      each.buries = chance(1, 4);
      brief_.latest.erase(each.key);
    }
    record::BatchBuilder::Finish how;
    how.producer_id = ProducerId{writers + 2 * brief_.life + static_cast<std::int64_t>(brief_.writer)};
    how.producer_epoch = ProducerEpoch{0};
    how.base_sequence = Sequence{brief_.sequences[brief_.writer]};
    if (chance(1, 4)) how.codec = record::Codec::lz4;
    brief_.timestamp = at_.wall.value();
    brief_.batch =
        make_brief(brief_.wrote, how, brief_.timestamp,
                   [this](std::string_view key, std::int64_t timestamp) { return said(brief_.life, key, timestamp); });
    brief_.open = true;
  }
  const auto request = produce_of({brief, 0}, brief_.batch);
  ask<wire::ProduceResponse>(
      brief_.connection, request, version_of<wire::ProduceRequest>(),
      [this](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code != ErrorCode::none) return;
        std::int64_t at = each.base_offset.value();
        std::map<std::string, BriefTopic::Last> last;
        std::int64_t timestamp = brief_.timestamp;
        for (const auto& wrote : brief_.wrote) last[wrote.key] = {at++, timestamp++, wrote.buries};
        last.erase("");
        for (const auto& [key, here] : last) {
          const auto [known, fresh] = brief_.latest.try_emplace(key, here);
          model_.expect(fresh || known->second.offset == here.offset, Check::once,
                        fmt::format("{} stands at {}, and once more at {}", key, known->second.offset, here.offset));
        }
        brief_.end = std::max(brief_.end, at);
        brief_.durable = true;
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response == nullptr) return;
        const ErrorCode error = response->topics.at(0).partitions.at(0).error_code;
        if (error != ErrorCode::none) return brief_gone(error);
        brief_.open = false;
        brief_.sequences[brief_.writer] += static_cast<std::int32_t>(brief_.wrote.size());
      });
}

// Compaction comes when there is something new: a record that fills a segment.
bool World::fill_brief() {
  const Buffer batch = make_brief({{"filler", false}}, {}, at_.wall.value(),
                                  [](std::string_view, std::int64_t) { return std::string(800, '.'); });
  const auto request = produce_of({brief, 0}, batch);
  auto error = ErrorCode::unknown_server_error;
  ask<wire::ProduceResponse>(auditor, request, wire::ProduceRequest::api.last,
                             [&](const auto& response) { error = response.topics.at(0).partitions.at(0).error_code; },
                             {});
  deliver(connections_[auditor]);
  shard_->end_of_turn(at_);
  disk_.complete_all();
  answer(connections_[auditor]);
  return model_.expect(error == ErrorCode::none, Check::answers,
                       fmt::format("error {} for a record that fills a segment", static_cast<int>(error)));
}

// Where the last record of a key stays, each must have one.
void World::keyless_brief() {
  const Buffer batch = testing::make_batch({.timestamp = at_.wall.value()});
  const auto request = produce_of({brief, 0}, batch);
  ask<wire::ProduceResponse>(
      brief_.connection, request, version_of<wire::ProduceRequest>(),
      [this](const auto& response) {
        const ErrorCode error = response.topics.at(0).partitions.at(0).error_code;
        model_.expect(error == ErrorCode::invalid_record || error == ErrorCode::unknown_topic_or_partition,
                      Check::refused, fmt::format("error {} for a record without a key", static_cast<int>(error)));
      },
      [this](const auto*) { brief_.asking = false; });
}

// Made, and not durable when the process died: it is made again. Else it must be there.
void World::brief_gone(ErrorCode error) {
  if (error != ErrorCode::unknown_topic_or_partition || brief_.durable) {
    brief_told(error, {});
    return;
  }
  brief_.there = false;
}

// No other one's, nor another record's value, key or time.
bool World::of_this_life(const record::RecordView& view, std::int64_t timestamp) const {
  if (!view.value) return brief_.compacts;
  return as_text(*view.value) == said(brief_.life, view.key ? as_text(*view.key) : "", timestamp);
}

// By the id of the topic that was there before: that one is gone for ever.
void World::fetch_earlier_brief() {
  wire::FetchRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = brief_.id_before;
  topic.partitions.emplace_back().partition_max_bytes = 1 << 20;
  ask<wire::FetchResponse>(
      brief_.connection, request, wire::FetchRequest::api.last,
      [this](const auto& response) {
        const ErrorCode error = response.topics.at(0).partitions.at(0).error_code;
        model_.expect(error == ErrorCode::unknown_topic_id || model_.flips > 0, Check::deleted,
                      fmt::format("error {} for a fetch by the id of a deleted topic", static_cast<int>(error)));
      },
      [this](const auto*) { brief_.asking = false; });
}

void World::read_brief() {
  if (brief_.id_before != Uuid{} && chance(1, 6)) return fetch_earlier_brief();
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = brief;
  wire::FetchRequest::Topic::Partition partition;
  partition.partition_max_bytes = 1 << 20;
  topic.partitions.push_back(partition);
  topic.topic_id = brief_.id;
  const bool by_id = brief_.id != Uuid{} && model_.flips == 0;
  ask<wire::FetchResponse>(
      brief_.connection, request, version_of<wire::FetchRequest>(by_id ? wire::FetchRequest::api.last : 12),
      [this](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code != ErrorCode::none) return;
        model_.expect(each.high_watermark.value() >= brief_.end || model_.flips > 0, Check::deleted,
                      fmt::format("the topic that was made again ends at {}, {} was acknowledged",
                                  each.high_watermark.value(), brief_.end));
        each_record(
            each.records.value_or(Bytes{}), [&](Offset at, const record::RecordView& view, std::int64_t timestamp) {
              model_.expect(model_.flips > 0 || of_this_life(view, timestamp), Check::deleted,
                            fmt::format("{} ({}) at {}, in life {}", view.value ? as_text(*view.value) : "nothing",
                                        timestamp, at.value(), brief_.life));
            });
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

// What a group committed for the topic goes with it.
void World::offsets_of_brief() {
  if (chance(1, 4)) return forget_offsets_of_brief();
  if (brief_.committed || brief_.forgotten ? chance(3, 4) : chance(1, 2))
    return read_offset_of_brief(brief_.connection, [this] { brief_.asking = false; });
  wire::OffsetCommitRequest request;
  request.group_id = readers;
  auto& topic = request.topics.emplace_back();
  topic.name = brief;
  topic.partitions.push_back({PartitionIndex{0}, Offset{brief_.life}, LeaderEpoch{-1}, -1, "m"});
  brief_.forgotten = false;
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

void World::read_offset_of_brief(std::size_t connection, std::function<void()> done) {
  wire::OffsetFetchRequest request;
  request.group_id = readers;
  request.topics.emplace();
  request.topics->push_back({brief, {PartitionIndex{0}}});
  ask<wire::OffsetFetchResponse>(
      connection, request, version_of<wire::OffsetFetchRequest>(7),
      [this](const auto& response) {
        if (response.error_code != ErrorCode::none) return;
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code != ErrorCode::none || model_.flips > 0) return;
        const std::int64_t offset = each.committed_offset.value();
        model_.expect((offset == brief_.life && !brief_.forgotten) || (offset == -1 && !brief_.committed),
                      Check::deleted,
                      fmt::format("an offset committed in life {} of the topic, now {}", offset, brief_.life));
      },
      [done = std::move(done)](const auto*) { done(); });
}

// The group's offset alone, or the whole group, which has no members.
void World::forget_offsets_of_brief() {
  brief_.committed = false;
  const auto seen = [this](ErrorCode error) { brief_.forgotten = error == ErrorCode::none; };
  const auto over = [this](ErrorCode error) {
    if (error == ErrorCode::unknown_topic_or_partition) return brief_gone(error);
    brief_told(error, {ErrorCode::group_id_not_found});
  };
  if (chance(1, 2)) {
    wire::DeleteGroupsRequest request;
    request.groups.push_back(readers);
    return ask<wire::DeleteGroupsResponse>(
        brief_.connection, request, version_of<wire::DeleteGroupsRequest>(),
        [seen](const auto& response) { seen(response.results.at(0).error_code); },
        [this, over](const auto* response) {
          brief_.asking = false;
          if (response != nullptr) over(response->results.at(0).error_code);
        });
  }
  wire::OffsetDeleteRequest request;
  request.group_id = readers;
  request.topics.push_back({brief, {{PartitionIndex{0}}}});
  const auto error_of = [](const wire::OffsetDeleteResponse& response) {
    return response.error_code != ErrorCode::none ? response.error_code
                                                  : response.topics.at(0).partitions.at(0).error_code;
  };
  ask<wire::OffsetDeleteResponse>(
      brief_.connection, request, 0, [seen, error_of](const auto& response) { seen(error_of(response)); },
      [this, over, error_of](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) over(error_of(*response));
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
    const Uuid id = brief_.id;
    brief_ = {};
    brief_.id_before = id;
    brief_.life = life;
    brief_.connection = connection;
  });
}

}  // namespace edgelog::sim::shard

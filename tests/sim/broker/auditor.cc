// After a start the auditor looks at everything that was promised.
#include <algorithm>

#include "common/record/batch.h"
#include "common/record/check.h"
#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

void World::audit() {
  Connection& connection = connections_[auditor];
  audit_topics();
  for (const auto& [name, topic] : std::map(model_.topics)) {
    if (topic.must > 0 && !failed() && !frozen_) {
      look_at_settings(auditor, name, [] {});
      deliver(connection);
      answer(connection);
    }
    for (int partition = 0; partition < model_.topics[name].must && !failed() && !frozen_; ++partition) {
      while (audit_partition({name, partition})) {
      }
    }
  }
  if (brief_.there && !brief_.ends && !failed() && !frozen_) {
    read_offset_of_brief(auditor, [] {});
    deliver(connection);
    answer(connection);
  }
  // Groups' offsets are read as soon as nothing of theirs waits for the disk.
  for (auto& committer : committers_) {
    if (committer.at.empty() || committer.asking || failed() || frozen_) continue;
    read_offsets(committer, auditor, [] {});
    deliver(connection);
    answer(connection);
  }
}

void World::audit_topics() {
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  const auto version = version_of<wire::MetadataRequest>();
  ask<wire::MetadataResponse>(auditor, request, version,
                              [this, version](const auto& response) {
                                std::int32_t epoch = -1;
                                for (const auto& topic : response.topics)
                                  model_.expect(topic.name != "never", Check::topics, "a topic was made in vain");
                                for (auto& [name, model] : model_.topics) {
                                  const auto found =
                                      std::find_if(response.topics.begin(), response.topics.end(),
                                                   [&](const auto& topic) { return topic.name == name; });
                                  const bool there = found != response.topics.end();
                                  model_.expect(there || model.must == 0, Check::topics, "topic " + name + " is gone");
                                  if (!there) continue;
                                  model_.has_partitions(name, static_cast<int>(found->partitions.size()));
                                  if (found->topic_id != Uuid{}) model_.has_id(name, found->topic_id);
                                  if (version < 7) continue;
                                  for (const auto& each : found->partitions)
                                    epoch = std::max(epoch, each.leader_epoch.value());
                                }
                                if (epoch < 0 || model_.flips > 0) return;
                                model_.expect(epoch_of_ == starts_ ? epoch == epoch_ : epoch > epoch_, Check::epochs,
                                              fmt::format("it is in epoch {}, before in {}", epoch, epoch_));
                                epoch_ = epoch;
                                epoch_of_ = starts_;
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
                               model_.started(at, start);
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

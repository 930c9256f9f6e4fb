// Committers store offsets of a group without members, and read them.
#include <algorithm>

#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

void World::commit(Committer& committer) {
  committer.asking = true;
  wire::OffsetCommitRequest request;
  request.group_id = committer.group;
  std::vector<Model::Where> places;
  const std::int64_t offset = ++committer.next;
  const wire::Version version = version_of<wire::OffsetCommitRequest>();
  const std::int32_t epoch = epoch_of_commit(offset, version);
  for (const auto& at : committer.at) {
    if (!places.empty() && chance(1, 2)) continue;
    places.push_back(at);
    auto& topic = request.topics.emplace_back();
    topic.name = at.first;
    topic.partitions.push_back(
        {PartitionIndex{at.second}, Offset{offset}, LeaderEpoch{epoch}, -1, metadata_of_commit(offset, epoch)});
    model_.offsets[{committer.group, at}].asked = offset;
  }
  const auto number = static_cast<std::size_t>(&committer - committers_.data());
  ask<wire::OffsetCommitResponse>(
      committer.connection, request, version,
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
  committer.asking = true;
  read_offsets(committer, committer.connection, [this, number] { committers_[number].asking = false; });
}

void World::read_offsets(Committer& committer, std::size_t connection, std::function<void()> done) {
  wire::OffsetFetchRequest request;
  request.group_id = committer.group;
  const bool all = chance(1, 4);
  auto& group = request.groups.emplace_back();
  group.group_id = committer.group;
  if (!all) {
    request.topics.emplace();
    group.topics.emplace();
  }
  for (const auto& at : committer.at) {
    if (all) break;
    request.topics->push_back({at.first, {PartitionIndex{at.second}}});
    group.topics->push_back({at.first, {PartitionIndex{at.second}}});
  }
  auto version = version_of<wire::OffsetFetchRequest>();
  if (all) version = std::max<wire::Version>(version, 2);
  version >= 8 ? request.topics.reset() : request.groups.clear();
  const bool tells_epoch = version >= 5;
  ask<wire::OffsetFetchResponse>(
      connection, request, version,
      [this, places = committer.at, group = committer.group, tells_epoch](const auto& response) {
        const auto look = [&](const auto& answer) {
          const bool storage =
              answer.error_code == ErrorCode::coordinator_not_available && (was_full_ || model_.flips > 0);
          if (storage) return;
          for (const auto& place : places) {
            std::int64_t offset = -1;
            std::string metadata;
            std::int32_t epoch = -1;
            for (const auto& topic : answer.topics) {
              for (const auto& each : topic.partitions) {
                if (topic.name != place.first || each.partition_index.value() != place.second) continue;
                if (!model_.expect(each.error_code == ErrorCode::none, Check::answers,
                                   fmt::format("error {} for committed offsets", static_cast<int>(each.error_code))))
                  return;
                offset = each.committed_offset.value();
                metadata = each.metadata.value_or("");
                epoch = each.committed_leader_epoch.value();
              }
            }
            model_.fetched(group, place, offset, metadata, tells_epoch ? std::optional(epoch) : std::nullopt);
          }
        };
        response.groups.empty() ? look(response) : look(response.groups.front());
      },
      [done = std::move(done)](const auto*) { done(); });
}

}  // namespace edgelog::sim::shard

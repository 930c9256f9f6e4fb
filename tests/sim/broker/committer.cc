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

}  // namespace edgelog::sim::shard

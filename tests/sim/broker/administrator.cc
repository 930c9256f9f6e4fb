// The administrator makes topics and adds partitions.
#include <algorithm>

#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
constexpr int topics_max = 3, partitions_max = 4;
}

void World::administer() {
  if (admin_asking_) return;
  admin_asking_ = true;
  const auto excused = [this](ErrorCode error, bool removed) {
    const bool storage = error == ErrorCode::kafka_storage_error && (was_full_ || model_.flips > 0 || removed);
    model_.expect(error == ErrorCode::none || storage, Check::answers,
                  fmt::format("error {} for a topic", static_cast<int>(error)));
  };
  std::vector<std::string> growing;
  for (const auto& [name, topic] : model_.topics)
    if (topic.must > 0 && (topic.must < topic.asked || topic.asked < partitions_max)) growing.push_back(name);
  if (!growing.empty() && chance(1, 2)) {
    const std::string name = any(growing);
    TopicModel& model = model_.topics[name];
    const bool again = model.must < model.asked;  // it was refused, or the answer was lost
    const int count = again ? model.asked : ++model.asked;
    wire::CreatePartitionsRequest request;
    request.timeout_ms = wire::Millis{30'000};
    request.topics.push_back({name, count, std::nullopt});
    return ask<wire::CreatePartitionsResponse>(
        administrator, request, version_of<wire::CreatePartitionsRequest>(),
        [=, this](const auto& response) {
          const ErrorCode error = response.results.at(0).error_code;
          const bool there = error == ErrorCode::none || (again && error == ErrorCode::invalid_partitions);
          // What a refused request or a start took back is made again when a checkpoint has left it behind.
          if (!there) return excused(error, again);
          model_.has_partitions(name, count);
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
        const bool there = error == ErrorCode::none || (again && error == ErrorCode::topic_already_exists);
        if (!there) return excused(error, false);
        model_.has_partitions(name, count);
      },
      [this](const auto*) { admin_asking_ = false; });
}

}  // namespace edgelog::sim::shard

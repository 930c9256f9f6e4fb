// The administrator makes topics and adds partitions.
#include <algorithm>

#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
constexpr int topics_max = 3, partitions_max = 4;
constexpr std::int8_t of_topic = 2;  // what a setting is of
const std::string largest = "max.message.bytes";
}  // namespace

void World::administer() {
  if (admin_asking_) return;
  admin_asking_ = true;
  const auto excused = [this](ErrorCode error, bool removed) {
    const bool storage = error == ErrorCode::kafka_storage_error && (was_full_ || model_.flips > 0 || removed);
    model_.expect(error == ErrorCode::none || storage, Check::answers,
                  fmt::format("error {} for a topic", static_cast<int>(error)));
  };
  std::vector<std::string> known;
  for (const auto& [name, topic] : model_.topics)
    if (topic.must > 0) known.push_back(name);
  if (!known.empty() && chance(1, 3)) return change(any(known));
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
  topic.configs.push_back({"message.timestamp.after.max.ms", std::to_string(to_millis(too_young))});
  topic.configs.push_back({"message.timestamp.before.max.ms", std::to_string(to_millis(too_old))});
  topic.configs.push_back({largest, std::to_string(largest_batch(0))});
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

// Of a topic that is there: its largest batch is lowered or asked for, and what is refused or asked for in vain.
void World::change(const std::string& name) {
  const auto over = [this](const auto*) { admin_asking_ = false; };
  TopicModel& model = model_.topics[name];
  switch (random_.below(5)) {
    case 0: {  // fewer partitions than there are
      wire::CreatePartitionsRequest request;
      request.topics.push_back({name, static_cast<std::int32_t>(random_.between(1, model.must)), std::nullopt});
      return ask<wire::CreatePartitionsResponse>(
          administrator, request, version_of<wire::CreatePartitionsRequest>(),
          [this](const auto& response) {
            model_.expect(response.results.at(0).error_code != ErrorCode::none, Check::refused,
                          "a topic may have fewer partitions than before");
          },
          over);
    }
    case 1: {  // nothing is made of it
      wire::CreateTopicsRequest request;
      request.topics.push_back({"never", 1, -1, {}, {}});
      request.validate_only = true;
      return ask<wire::CreateTopicsResponse>(
          administrator, request, std::max<wire::Version>(version_of<wire::CreateTopicsRequest>(), 1), {}, over);
    }
    case 2: return lower_largest_batch(name);
    default: return look_at_settings(administrator, name, [this] { admin_asking_ = false; });
  }
}

void World::lower_largest_batch(const std::string& name) {
  TopicModel& model = model_.topics[name];
  const int steps = model.steps_asked = std::max(model.steps_asked, std::min(model.steps + 1, steps_max));
  wire::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = of_topic;
  resource.resource_name = name;
  resource.configs.push_back({largest, 0, std::to_string(largest_batch(steps))});
  ask<wire::IncrementalAlterConfigsResponse>(
      administrator, request, version_of<wire::IncrementalAlterConfigsRequest>(),
      [this, name, steps](const auto& response) {
        const ErrorCode error = response.topics.at(0).error_code;
        if (error == ErrorCode::none) return model_.has_largest_batch(name, largest_batch(steps));
        model_.expect((error == ErrorCode::kafka_storage_error && was_full_) || model_.flips > 0, Check::answers,
                      fmt::format("error {} for a setting", static_cast<int>(error)));
      },
      [this](const auto*) { admin_asking_ = false; });
}

void World::look_at_settings(std::size_t connection, const std::string& name, std::function<void()> done) {
  wire::DescribeConfigsRequest request;
  request.resources.push_back({of_topic, name, std::vector<std::string>{largest, "message.timestamp.before.max.ms"}});
  ask<wire::DescribeConfigsResponse>(
      connection, request, version_of<wire::DescribeConfigsRequest>(),
      [this, name](const auto& response) {
        const auto& each = response.results.at(0);
        if (each.error_code != ErrorCode::none) {
          model_.expect(model_.flips > 0, Check::answers,
                        fmt::format("error {} for settings", static_cast<int>(each.error_code)));
          return;
        }
        for (const auto& setting : each.configs) {
          const std::int64_t value = std::stoll(setting.value.value_or("0"));
          if (setting.name == largest)
            model_.has_largest_batch(name, value);
          else
            model_.expect(value == to_millis(too_old), Check::topics,
                          fmt::format("topic {} takes what is {} ms old", name, value));
        }
      },
      [done = std::move(done)](const auto*) { done(); });
}

}  // namespace edgelog::sim::shard

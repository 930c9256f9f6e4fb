// Who asks, and how often.
#include <algorithm>

#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

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
  const auto members = random_.between(2, 4);
  for (int i = 0; i < members; ++i) members_.emplace_back().connection = connect();
  Committer& crew = committers_.emplace_back();
  crew.connection = connect();
  crew.group = "crew";
  crew.reads_only = true;
  brief_.connection = connect();
  doubter_.connection = connect();
  const auto dice = random_.below(6);
  much_ = dice == 0 ? Much::members : dice == 1 ? Much::brief : Much::nothing;
}

void World::clients_act() {
  if (much_ == Much::members ? chance(3, 4) : chance(1, 4)) return member_acts(any(members_));
  if (much_ == Much::brief ? chance(3, 4) : chance(1, brief_.compacts ? 5 : 10)) return brief_acts();
  if (chance(1, 10)) return doubt();
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
  if (committer.at.size() < 4 && chance(1, 3)) {
    const std::string& topic = any(there);
    const Model::Where at{topic,
                          static_cast<int>(random_.below(static_cast<std::uint64_t>(model_.topics[topic].must)))};
    if (std::find(committer.at.begin(), committer.at.end(), at) == committer.at.end()) committer.at.push_back(at);
  }
  if (committer.at.empty() || committer.asking) return;
  !committer.reads_only&& chance(2, 3) ? commit(committer) : read_offsets(committer);
}

}  // namespace edgelog::sim::shard

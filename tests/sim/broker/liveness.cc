// The end of a run: without faults all must arrive, and stay when the power fails.
#include <algorithm>

#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using testing::Survival;

std::string World::busy() const {
  for (const auto& member : members_)
    if (!member.dead && (!member.synced || member.generation != members_.front().generation))
      return fmt::format("member {} in generation {}", &member - members_.data(), member.generation);
  for (const auto& connection : connections_)
    if (!connection.asked.empty()) return std::string(connection.asked.front().api->name);
  for (const auto& producer : producers_) {
    for (const auto& [partition, lane] : producer.lanes) {
      const auto at = model_.partitions.find({producer.topic, partition});
      if (!lane.open.empty() && !(at != model_.partitions.end() && at->second.damaged))
        return fmt::format("producer {} of {}-{}", producer.id, producer.topic, partition);
    }
  }
  return {};
}

// Clients go on without faults, a second at a time, until nothing is left to be done.
void World::quiet(int rounds, const std::function<bool()>& done) {
  for (int round = 0; round < rounds && !failed() && !refused_ && !(round > 20 && done()); ++round) {
    if (round < 10) clients_act();
    for (auto& producer : producers_) produce(producer);
    for (auto& member : members_) member_acts(member);
    for (auto& connection : connections_)
      while (deliver(connection)) {
      }
    shard_->end_of_turn(at_);
    disk_.complete_all();
    if (fatal_) {
      crash();
      continue;
    }
    for (auto& connection : connections_)
      while (answer(connection)) {
      }
    time_passes(seconds(1));
    if (round > 10 && !shard_->store().full()) was_full_ = false;
  }
}

// One is heard of no more: when its session is over the others share what it had.
void World::member_dies() {
  Member& gone = members_.back();
  const std::int32_t generation = gone.generation;
  const std::string id = gone.id;
  gone.dead = true;
  say("member {} is heard of no more", members_.size() - 1);
  quiet(200, [&] { return busy().empty() && members_.front().generation > generation; });
  if (failed() || refused_) return;
  model_.expect(busy().empty() && members_.front().generation > generation, Check::progress,
                fmt::format("{} died in generation {}, which goes on", id, generation));
  for (const auto& member : members_)
    model_.expect(member.dead || std::find(member.others.begin(), member.others.end(), id) == member.others.end(),
                  Check::owners, fmt::format("{} has died, and is given a share", id));
}

// What producers were answered last is known again, after so long: of ids that were handed out for a day, of those of
// edge agents for months.
void World::days_pass(Duration by, bool agents_only) {
  time_passes(by);
  shard_->end_of_turn(at_);
  disk_.complete_all();
  for (auto& producer : producers_) {
    if (producer.id < 0 || (agents_only && !producer.edge)) continue;
    for (const auto& [partition, lane] : producer.lanes) {
      const Model::Where at{producer.topic, partition};
      if (!lane.last || model_.partitions[at].damaged || failed()) continue;
      send_again(producer, partition, auditor);
      deliver(connections_[auditor]);
      shard_->end_of_turn(at_);
      disk_.complete_all();
      answer(connections_[auditor]);
    }
  }
}

// Nobody has been heard of for days.
void World::audit_group() {
  wire::DescribeGroupsRequest request;
  request.groups.emplace_back("crew");
  ask<wire::DescribeGroupsResponse>(auditor, request, version_of<wire::DescribeGroupsRequest>(),
                                    [this](const auto& response) {
                                      const auto& each = response.groups.at(0);
                                      model_.expect(each.members.empty(), Check::generations,
                                                    fmt::format("{} of {} members that nobody has heard of for days",
                                                                each.group_state, each.members.size()));
                                    },
                                    {});
  deliver(connections_[auditor]);
  shard_->end_of_turn(at_);
  disk_.complete_all();
  answer(connections_[auditor]);
}

// No faults any more: all that was sent must arrive, and stay when the power fails.
void World::liveness() {
  say("no more faults");
  const bool crashes = weather_.power;
  const Survival survival = weather_.survival;
  weather_ = {};
  ending_ = true;
  freeze_after_ = 0;
  disk_.no_faults();
  disk_.set_capacity(std::uint64_t{1} << 40);
  full_ = false;
  quiet(400, [this] { return busy().empty(); });
  if (failed() || refused_) return;
  const std::string busy_one = busy();
  model_.expect(busy_one.empty(), Check::progress, "not all is answered in the end: " + busy_one);
  if (!failed() && model_.flips == 0) member_dies();
  if (failed() || refused_) return;
  audit();
  weather_.survival = crashes ? survival : Survival::nothing;
  lose(true);
  for (auto& connection : connections_) drop(connection);
  start();
  if (refused_ || failed()) return;
  if (!shard_) return fail("it does not start in the end");
  audit();
  audit_epochs();
  audit_brief();
  for (const auto& [at, partition] : model_.partitions)
    if (!partition.damaged && !model_.topics[at.first].retains) model_.whole(at);
  if (failed() || model_.flips > 0) return;
  if (faults_[static_cast<std::size_t>(Fault::clock_jump)] == 0) days_pass(seconds(20 * 3600), false);
  days_pass(seconds(2 * 86'400), true);
  audit_group();
  audit();
}

}  // namespace edgelog::sim::shard

#pragma once
// The coordinators' driver: one Coordinator per partition of `__consumer_offsets`, a group belonging to
// hash(group) mod count as in Kafka. A step's records are appended and replayed before the next step, and
// whatever the step answers is held until they are committed; so is what only reads, since it may show what
// is not durable yet. Shard thread only.
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cloud-broker/controller/controller.h"
#include "cloud-broker/group/coordinator.h"
#include "cloud-broker/partition/store.h"
#include "cloud-broker/server/commit_waits.h"
#include "cloud-broker/server/internal_log.h"
#include "cloud-broker/server/metadata_log.h"
#include "cloud-broker/server/metrics.h"
#include "common/base/prng.h"

namespace edgelog::broker {

// Java's String.hashCode() without its sign, mod count: where Kafka puts a group. Of bytes that are not
// ASCII Kafka hashes UTF-16 instead, so only there does the place differ.
std::int32_t group_partition(const std::string& group, std::int32_t count);

class GroupService {
 public:
  GroupService(Store& store, CommitWaits& waits, InternalLog& log, Controller& controller, MetadataLog& metadata,
               BrokerMetrics& metrics, Prng& prng, group::Settings settings);

  // Replays `__consumer_offsets` if it is there.
  Status start(group::At at);
  // Calls `done` with true once the coordinators run, which makes the topic if it is missing; false: it
  // cannot be made now.
  void when_ready(group::At at, std::function<void(bool)> done);

  using JoinDone = std::function<void(const group::JoinResponse&)>;
  using SyncDone = std::function<void(const group::SyncResponse&)>;
  void join(group::At at, const group::JoinRequest& request, JoinDone done);
  void sync(group::At at, const group::SyncRequest& request, SyncDone done);
  wire::ErrorCode heartbeat(group::At at, const std::string& group, const group::Who& who);

  // A step of the group's coordinator that may write records: `step` fills effects and gives the answer,
  // `done` gets it once they are durable, or COORDINATOR_NOT_AVAILABLE where the log refused them.
  template <class Answer>
  void write(group::At at, const std::string& group, std::function<Answer(group::Coordinator&, group::Effects&)> step,
             std::function<void(wire::ErrorCode, Answer)> done) {
    Shard& shard = shard_of(group);
    group::Effects effects;
    auto answer = std::make_shared<Answer>(step(*shard.coordinator, effects));
    carry_out(at, shard, std::move(effects),
              [answer, done = std::move(done)](wire::ErrorCode error) { done(error, std::move(*answer)); });
  }
  // Shows the group's coordinator as it is now to `look`, and calls `done` once all that it holds now is durable: what
  // comes while that is awaited is not seen.
  void read(const std::string& group, const std::function<void(const group::Coordinator&)>& look,
            std::function<void()> done);
  // Every coordinator, in order: lists and counts.
  std::vector<const group::Coordinator*> coordinators() const;
  std::vector<const Partition*> partitions() const;  // theirs

  void topic_removed(group::At at, const std::string& topic);
  // Offsets that were committed for a removed topic of this name: what a start now would bring back of them.
  Remains remains_of(const std::string& topic) const;
  void tick(group::At at);
  Instant deadline() const;
  void count();  // groups and members for the metrics, where a step was made since
  bool ready() const { return !shards_.empty(); }
  std::size_t groups() const;
  std::size_t members() const;

 private:
  struct Shard {
    Partition* partition;
    std::unique_ptr<group::Coordinator> coordinator;
    // Tombstones of deleted topics' offsets that a full disk refused, and up to where those stand that are written.
    // Until all are durable no topic of that name is made: a start would bring its predecessor's offsets back into it.
    std::deque<group::OffsetRecord> unwritten = {};
    std::map<std::string, Offset> written = {};
    Instant write_again{};
  };

  Status load(group::At at, const Topic& topic);
  Shard& shard_of(const std::string& group);
  void carry_out(group::At at, Shard& shard, group::Effects effects, std::function<void(wire::ErrorCode)> done);
  wire::ErrorCode append(group::At at, Shard& shard, const group::Effects& effects, Offset& commit_at);
  void deliver(std::vector<group::Answer> answers, wire::ErrorCode error);
  void write_tombstones(group::At at, Shard& shard);

  Store& store_;
  CommitWaits& waits_;
  InternalLog& log_;
  Controller& controller_;
  MetadataLog& metadata_;
  BrokerMetrics& metrics_;
  Prng& prng_;
  const group::Settings settings_;
  std::vector<Shard> shards_;
  std::map<group::Token, std::variant<JoinDone, SyncDone>> waiting_;
  std::uint64_t next_token_ = 0, counted_at_ = 0;
};

}  // namespace edgelog::broker

#include "cloud-broker/server/group_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {

using group::At;
using wire::ErrorCode;

namespace {
constexpr std::size_t tombstones_bytes = 1 << 20;  // of one batch
constexpr std::size_t record_overhead_bytes = 100;
}  // namespace

std::int32_t group_partition(const std::string& group, std::int32_t count) {
  std::uint32_t hash = 0;
  for (const char c : group) hash = hash * 31 + static_cast<unsigned char>(c);
  return static_cast<std::int32_t>(hash & 0x7fffffffU) % count;
}

GroupService::GroupService(Store& store, CommitWaits& waits, InternalLog& log, Controller& controller,
                           MetadataLog& metadata, BrokerMetrics& metrics, Prng& prng, group::Settings settings)
    : store_(store),
      waits_(waits),
      log_(log),
      controller_(controller),
      metadata_(metadata),
      metrics_(metrics),
      prng_(prng),
      settings_(settings) {}

Status GroupService::start(At at) {
  const Topic* topic = controller_.find(offsets_topic);
  if (topic == nullptr) return Ok{};
  TRY(load(at, *topic));
  // A topic's deletion is durable before that of its offsets: the process may have ended in between.
  std::set<std::string> gone;
  for (const Shard& shard : shards_)
    for (const std::string& name : shard.coordinator->topics())
      if (controller_.find(name) == nullptr) gone.insert(name);
  for (const std::string& name : gone) topic_removed(at, name);
  return Ok{};
}

Status GroupService::load(At at, const Topic& topic) {
  ASSERT(shards_.empty());
  std::vector<Shard> loaded;
  for (std::int32_t index = 0; index < topic.partitions; ++index) {
    Shard shard{store_.find({topic.id, PartitionIndex{index}}),
                std::make_unique<group::Coordinator>(settings_, prng_.next())};
    ASSERT(shard.partition != nullptr);
    if (!shard.partition->damage().empty()) {
      return Error{Code::corrupt, std::string(offsets_topic) + ": " + shard.partition->damage()};
    }
    TRY(log_.replay(*shard.partition, [&](Bytes key, std::optional<Bytes> value) -> Status {
      const char* why = "";
      // Records that only a newer coordinator understands are left alone, as Kafka does.
      if (const auto record = group::decode(key, value, why))
        shard.coordinator->replay(*record);
      else
        LOG(warning, "{}-{}: record left out: {}", offsets_topic, index, why);
      return Ok{};
    }));
    shard.coordinator->loaded(at);
    loaded.push_back(std::move(shard));
  }
  shards_ = std::move(loaded);
  return Ok{};
}

void GroupService::when_ready(At at, std::function<void(bool)> done) {
  if (ready()) return done(true);
  metadata_.perform(controller_.create_offsets_topic(metadata_.fresh_id()), at.wall, [](ErrorCode, std::string) {});
  const Topic* topic = controller_.find(offsets_topic);
  // Its records are appended after the topic's own, so nothing has to wait for that one.
  done(topic != nullptr && load(at, *topic));
}

GroupService::Shard& GroupService::shard_of(const std::string& group) {
  ASSERT(ready());
  return shards_[static_cast<std::size_t>(group_partition(group, static_cast<std::int32_t>(shards_.size())))];
}

void GroupService::join(At at, const group::JoinRequest& request, JoinDone done) {
  const group::Token token{next_token_++};
  waiting_.emplace(token, std::move(done));
  Shard& shard = shard_of(request.group);
  group::Effects effects;
  shard.coordinator->join(at, token, request, effects);
  carry_out(at, shard, std::move(effects), [](ErrorCode) {});
}

void GroupService::sync(At at, const group::SyncRequest& request, SyncDone done) {
  const group::Token token{next_token_++};
  waiting_.emplace(token, std::move(done));
  Shard& shard = shard_of(request.group);
  group::Effects effects;
  shard.coordinator->sync(at, token, request, effects);
  carry_out(at, shard, std::move(effects), [](ErrorCode) {});
}

ErrorCode GroupService::heartbeat(At at, const std::string& group, const group::Who& who) {
  return shard_of(group).coordinator->heartbeat(at, group, who);
}

// Appends, replays, and holds the answers.
void GroupService::carry_out(At at, Shard& shard, group::Effects effects, std::function<void(ErrorCode)> done) {
  metrics_.group_steps.add();
  Offset commit_at = shard.partition->end();
  ErrorCode error = ErrorCode::none;
  if (!effects.records.empty()) error = append(at, shard, effects, commit_at);
  for (const group::Record& record : effects.records) {
    // What could not be written is not so: no offset, no group is gone, and no share, which the leader then hands in
    // again. But that nobody is in a group any more is seen by all of them.
    const auto* const about = std::get_if<group::GroupRecord>(&record);
    const bool empties = about != nullptr && about->value && about->value->members.empty();
    if (error == ErrorCode::none || empties) shard.coordinator->replay(record);
  }
  auto answers = std::make_shared<std::vector<group::Answer>>(std::move(effects.answers));
  const auto finish = [this, answers, error, done = std::move(done)](bool) {
    done(error);
    deliver(std::move(*answers), error);
  };
  if (error != ErrorCode::none) return finish(false);
  waits_.when(*shard.partition, commit_at, finish);
}

ErrorCode GroupService::append(At at, Shard& shard, const group::Effects& effects, Offset& commit_at) {
  std::vector<LogRecord> records;
  records.reserve(effects.records.size());
  for (const group::Record& record : effects.records) {
    group::EncodedRecord encoded = group::encode(record);
    records.push_back({std::move(encoded.key), std::move(encoded.value)});
  }
  const AppendResult result = log_.append(*shard.partition, records, at.wall);
  commit_at = result.commit_at;
  return result.error == 0 ? ErrorCode::none : ErrorCode::coordinator_not_available;
}

void GroupService::deliver(std::vector<group::Answer> answers, ErrorCode error) {
  for (group::Answer& answer : answers) {
    auto node = waiting_.extract(answer.token);
    ASSERT(!node.empty());
    if (auto* join = std::get_if<group::JoinResponse>(&answer.response)) {
      if (error != ErrorCode::none) join->error = error;
      std::get<JoinDone>(node.mapped())(*join);
    } else {
      auto& sync = std::get<group::SyncResponse>(answer.response);
      if (error != ErrorCode::none) sync.error = error;
      std::get<SyncDone>(node.mapped())(sync);
    }
  }
}

void GroupService::read(const std::string& group, const std::function<void(const group::Coordinator&)>& look,
                        std::function<void()> done) {
  Shard& shard = shard_of(group);
  look(*shard.coordinator);
  waits_.when(*shard.partition, shard.partition->end(), [done = std::move(done)](bool) { done(); });
}

std::vector<const group::Coordinator*> GroupService::coordinators() const {
  std::vector<const group::Coordinator*> all;
  for (const Shard& shard : shards_) all.push_back(shard.coordinator.get());
  return all;
}

std::vector<const Partition*> GroupService::partitions() const {
  std::vector<const Partition*> all;
  for (const Shard& shard : shards_) all.push_back(shard.partition);
  return all;
}

void GroupService::topic_removed(At at, const std::string& topic) {
  for (Shard& shard : shards_) {
    group::Effects effects;
    shard.coordinator->topic_removed(topic, effects);
    for (const group::Record& record : effects.records) {
      shard.coordinator->replay(record);
      shard.unwritten.push_back(std::get<group::OffsetRecord>(record));
    }
    if (!effects.records.empty()) write_tombstones(at, shard);
  }
}

Remains GroupService::remains_of(const std::string& topic) const {
  Remains all = Remains::nothing;
  for (const Shard& shard : shards_) {
    if (std::any_of(shard.unwritten.begin(), shard.unwritten.end(),
                    [&](const group::OffsetRecord& record) { return record.key.topic == topic; }))
      return Remains::unwritten;
    const auto written = shard.written.find(topic);
    if (written != shard.written.end() && written->second > shard.partition->committed()) all = Remains::on_their_way;
  }
  return all;
}

// In batches that any partition takes, however many offsets there were.
void GroupService::write_tombstones(At at, Shard& shard) {
  std::erase_if(shard.written, [&](const auto& each) { return each.second <= shard.partition->committed(); });
  while (!shard.unwritten.empty()) {
    group::Effects effects;
    std::size_t bytes = 0;
    auto next = shard.unwritten.begin();
    for (; next != shard.unwritten.end() && bytes < tombstones_bytes; ++next) {
      bytes += next->key.group.size() + next->key.topic.size() + record_overhead_bytes;
      effects.records.emplace_back(*next);
    }
    Offset commit_at;
    if (append(at, shard, effects, commit_at) != ErrorCode::none) {
      shard.write_again = at.now + seconds(1);
      return;
    }
    for (auto each = shard.unwritten.begin(); each != next; ++each) shard.written[each->key.topic] = commit_at;
    shard.unwritten.erase(shard.unwritten.begin(), next);
  }
}

void GroupService::tick(At at) {
  for (Shard& shard : shards_) {
    if (!shard.unwritten.empty() && shard.write_again <= at.now) write_tombstones(at, shard);
    if (shard.coordinator->deadline() > at.now) continue;
    group::Effects effects;
    shard.coordinator->expire(at, effects);
    carry_out(at, shard, std::move(effects), [](ErrorCode) {});
  }
}

void GroupService::count() {
  if (counted_at_ == metrics_.group_steps.value()) return;
  counted_at_ = metrics_.group_steps.value();
  metrics_.groups.set(static_cast<std::int64_t>(groups()));
  metrics_.members.set(static_cast<std::int64_t>(members()));
}

Instant GroupService::deadline() const {
  Instant first = never;
  for (const Shard& shard : shards_) {
    first = std::min(first, shard.coordinator->deadline());
    if (!shard.unwritten.empty()) first = std::min(first, shard.write_again);
  }
  return first;
}

std::size_t GroupService::groups() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.coordinator->groups();
  return sum;
}

std::size_t GroupService::members() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.coordinator->members();
  return sum;
}

}  // namespace edgelog::broker

#include "cloud-broker/server/metadata_log.h"

#include <utility>

#include "cloud-broker/server/topic_settings.h"
#include "common/base/assert.h"
#include "common/base/log.h"

namespace edgelog::broker {

using wire::ErrorCode;

namespace {
constexpr std::size_t postponed_max = 1'000;

// Compacted, so that it holds what is, not what was.
TopicSettings metadata_settings() {
  return settings_of({{"cleanup.policy", "compact"}, {"segment.bytes", "16777216"}, {"max.message.bytes", "16777216"}});
}
}  // namespace

MetadataLog::MetadataLog(Store& store, CommitWaits& waits, InternalLog& log, Controller& controller, Prng& prng,
                         Removed removed, RemainsOf remains_of)
    : store_(store),
      waits_(waits),
      log_(log),
      controller_(controller),
      prng_(prng),
      removed_(std::move(removed)),
      remains_of_(std::move(remains_of)) {}

Uuid MetadataLog::fresh_id() {
  Uuid id;
  store_big(id.data(), (prng_.next() & ~0xf000ULL) | 0x4000ULL);
  store_big(id.data() + sizeof(std::uint64_t), (prng_.next() & ~(3ULL << 62)) | (2ULL << 62));
  return id;
}

Status MetadataLog::start(WallMillis) {
  const PartitionId id{metadata_topic_id, PartitionIndex{0}};
  partition_ = store_.find(id);
  if (partition_ == nullptr) {
    // Data without metadata is not ours to tidy up.
    if (!store_.all().empty())
      return Error{Code::corrupt, "the data directory holds partitions but no cluster metadata"};
    auto made = store_.create(id, metadata_settings());
    if (!made) return std::move(made).error();
    partition_ = *made;
  }
  partition_->set_settings(
      metadata_settings());  // settings are not kept with a partition; it would be retained for days
  if (!partition_->damage().empty()) return Error{Code::corrupt, "cluster metadata: " + partition_->damage()};
  // Compaction leaves the beginning where it is: what begins later has lost topics, and their data would be removed.
  if (partition_->log_start() > Offset{0}) return Error{Code::corrupt, "cluster metadata: its beginning is missing"};
  TRY(log_.replay(*partition_, [this](Bytes key, std::optional<Bytes> value) -> Status {
    const auto record = decode_metadata(key, value);
    if (!record) return Error{Code::unsupported, "cluster metadata: a record of an unknown kind or version"};
    controller_.replay(*record);
    return Ok{};
  }));
  controller_.loaded();
  return align_store();
}

Status MetadataLog::align_store() {
  std::vector<PartitionId> unknown;
  for (const Partition* partition : store_.all()) {
    const PartitionId& id = partition->id();
    if (id.topic == metadata_topic_id) continue;
    const Topic* topic = controller_.find(id.topic);
    if (topic == nullptr || id.index.value() >= topic->partitions) unknown.push_back(id);
  }
  for (const PartitionId& id : unknown) store_.remove(id);
  for (const auto& [name, topic] : controller_.topics()) {
    TRY(create_partitions(topic, 0));
    const TopicSettings settings = settings_of(topic.config);
    for (std::int32_t index = 0; index < topic.partitions; ++index) {
      store_.find({topic.id, PartitionIndex{index}})->set_settings(settings);
    }
  }
  return Ok{};
}

Status MetadataLog::create_partitions(const Topic& topic, std::int32_t from) {
  const TopicSettings settings = settings_of(topic.config);
  for (std::int32_t index = from; index < topic.partitions; ++index) {
    const PartitionId id{topic.id, PartitionIndex{index}};
    if (store_.find(id) != nullptr) continue;
    if (auto made = store_.create(id, settings); !made) {
      Topic partial = topic;
      partial.partitions = index;
      remove_partitions(partial, from);
      return std::move(made).error();
    }
  }
  return Ok{};
}

void MetadataLog::remove_partitions(const Topic& topic, std::int32_t from) {
  for (std::int32_t index = from; index < topic.partitions; ++index) {
    const PartitionId id{topic.id, PartitionIndex{index}};
    waits_.removed(id);
    store_.remove(id);
  }
}

ErrorCode MetadataLog::append(const MetadataRecord& record, WallMillis wall, Offset& commit_at) {
  EncodedMetadata encoded = encode(record);
  const std::vector<LogRecord> records{{std::move(encoded.key), std::move(encoded.value)}};
  const AppendResult result = log_.append(*partition_, records, wall);
  if (result.error != 0) return static_cast<ErrorCode>(result.error);
  commit_at = result.commit_at;
  return ErrorCode::none;
}

void MetadataLog::perform(MetadataDecision decision, WallMillis wall, Done done) {
  if (decision.error != ErrorCode::none || !decision.record) {
    // It was read from what may not be durable yet: that a topic is gone, or is there already.
    waits_.when(*partition_, partition_->end(),
                [error = decision.error, message = std::move(decision.message), done = std::move(done)](bool) {
                  done(error, message);
                });
    return;
  }
  const auto& record = std::get<TopicRecord>(*decision.record);
  if (!record.value || controller_.find(record.name) != nullptr) return write(record, wall, std::move(done));
  switch (remains(record.name)) {
    case Remains::nothing: return write(record, wall, std::move(done));
    case Remains::on_their_way: return postpone(record, std::move(done));
    case Remains::unwritten:
      return done(ErrorCode::kafka_storage_error, "What belonged to an earlier topic of this name is not removed yet.");
  }
}

void MetadataLog::postpone(const TopicRecord& record, Done done) {
  if (postponed_.size() >= postponed_max)
    return done(ErrorCode::request_timed_out, "An earlier topic of this name is being deleted.");
  postponed_.push_back({record, std::move(done)});
}

void MetadataLog::write(const TopicRecord& record, WallMillis wall, Done done) {
  const Topic* known = controller_.find(record.name);
  const std::int32_t had = known != nullptr ? known->partitions : 0;
  const Topic before = known != nullptr ? *known : Topic{record.name, {}, 0, {}};
  Topic after = before;
  if (record.value) {
    after = {record.name, record.value->id, record.value->partitions, record.value->config};
    // Before the record, so that the topic is never visible without its partitions.
    if (Status made = create_partitions(after, had); !made) {
      LOG(warning, "create topic {}: {}", record.name, made.error().what);
      return done(ErrorCode::kafka_storage_error, made.error().what);
    }
  }
  Offset commit_at;
  if (const ErrorCode error = append(record, wall, commit_at); error != ErrorCode::none) {
    if (record.value) remove_partitions(after, had);
    return done(error, "The cluster metadata could not be written.");
  }
  controller_.replay(record);
  const bool changes = record.value && known != nullptr, removes = !record.value;
  if (removes) leaving_.insert(record.name);
  uncommitted_[record.name] = commit_at;
  waits_.when(*partition_, commit_at, [=, this, done = std::move(done)](bool) {
    std::erase_if(uncommitted_, [&](const auto& each) { return each.second <= commit_at; });
    if (changes) apply_settings(after);  // not before: what retention then takes does not come back
    if (removes) to_remove_.push_back(before);
    done(ErrorCode::none, {});
  });
}

void MetadataLog::apply_settings(const Topic& topic) {
  for (std::int32_t index = 0; index < topic.partitions; ++index) {
    Partition* const partition = store_.find({topic.id, PartitionIndex{index}});
    if (partition != nullptr) partition->set_settings(settings_of(topic.config));
  }
}

Offset MetadataLog::told_from(const std::string& topic) const {
  const auto found = uncommitted_.find(topic);
  return found != uncommitted_.end() ? found->second : Offset{0};
}

void MetadataLog::producer_id(WallMillis wall, std::function<void(ErrorCode, ProducerId)> done) {
  auto id = controller_.take_producer_id();
  if (!id) {
    const MetadataRecord claim = controller_.claim_producer_ids();
    if (const ErrorCode error = append(claim, wall, ids_claimed_at_); error != ErrorCode::none) {
      return done(error, no_producer);
    }
    controller_.replay(claim);
    id = controller_.take_producer_id();
    ASSERT(id.has_value());
  }
  waits_.when(*partition_, ids_claimed_at_, [id = *id, done = std::move(done)](bool) { done(ErrorCode::none, id); });
}

Remains MetadataLog::remains(const std::string& name) const {
  return leaving_.contains(name) ? Remains::on_their_way : remains_of_(name);
}

void MetadataLog::end_of_turn(WallMillis wall) {
  for (const Topic& topic : std::exchange(to_remove_, {})) {
    removed_(topic);
    remove_partitions(topic, 0);
    leaving_.erase(topic.name);
  }
  for (Postponed& each : std::exchange(postponed_, {})) {
    if (remains(each.record.name) == Remains::on_their_way) {
      postponed_.push_back(std::move(each));
      continue;
    }
    // Decided once more: another one may have made it meanwhile, or used up the limits.
    const TopicRecord::Value& wanted = *each.record.value;
    perform(controller_.create({each.record.name, wanted.partitions, -1, wanted.config}, wanted.id), wall,
            std::move(each.done));
  }
}

}  // namespace edgelog::broker

// Produce (0), versions 3-11 (0-2 are offered, for librdkafka before 2.11, but close the connection). One v2
// batch per partition, checked to the last record, appended in the order of requests, and answered once it is
// committed: acks=1 waits as acks=-1 does, since an answer means durable here. acks=0 gets no answer; an
// error closes its connection.
// Refuses per partition, in this order: 29 not authorized, 3 unknown, 17 internal topic, 19 too few replicas
// for min.insync.replicas; then the batch itself: 87, 43, 2, 10, 76, 32, 48 (transactional); then the log: 45,
// 47, 18, 56. All: 21 for acks other than -1, 0, 1. After timeout_ms: 7, and the batch may be committed later.
#include "common/wire/produce.h"

#include <algorithm>
#include <limits>

#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/recompress.h"
#include "cloud-broker/server/handlers/shared.h"
#include "common/record/check.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Answer = wire::ProduceResponse::Topic::Partition;

struct Refusal {
  ErrorCode error = ErrorCode::none;
  std::string why;
};

std::int64_t saturated(std::int64_t from, std::int64_t by, bool up) {
  std::int64_t result = 0;
  const bool overflow = up ? __builtin_add_overflow(from, by, &result) : __builtin_sub_overflow(from, by, &result);
  if (!overflow) return result;
  return up ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

record::Limits limits_for(const World& world, const TopicSettings& settings, WallMillis wall) {
  record::Limits limits;
  limits.batch_bytes_max = static_cast<std::size_t>(settings.max_message_bytes);
  limits.plain_bytes_max = world.settings.plain_bytes_max;
  limits.keys_required = settings.cleanup_compact;
  if (settings.timestamp_type == TimestampType::create_time) {
    limits.timestamp_min = saturated(wall.value(), settings.timestamp_before_max_ms, false);
    limits.timestamp_max = saturated(wall.value(), settings.timestamp_after_max_ms, true);
  }
  return limits;
}

// Exactly one batch that is what it says. `header` is filled where it is.
Refusal check_batch(World& world, const Context& context, Bytes records, const TopicSettings& settings,
                    record::BatchHeader& header) {
  if (records.empty()) return {ErrorCode::invalid_record, "Produce requests must hold a record batch per partition"};
  Bytes run = records;
  if (const auto first = record::next_batch(run); first && !run.empty()) {
    return {ErrorCode::invalid_record, "Produce requests with version " + std::to_string(context.version) +
                                           " are only allowed to contain exactly one record batch per partition"};
  }
  const record::Verdict verdict =
      record::check_deep(records, limits_for(world, settings, context.at.wall), world.scratch);
  if (!verdict) return {static_cast<ErrorCode>(verdict.kafka_error()), verdict.why};
  header = *record::parse_header(records);
  if (header.transactional()) return {ErrorCode::invalid_txn_state, "This broker has no transactions."};
  if (header.codec() == record::Codec::zstd && context.version < 7) {
    return {ErrorCode::unsupported_compression_type, "Produce requests with version below 7 may not use zstd"};
  }
  return {};
}

AppendResult append(World& world, const Context& context, Partition& partition, Bytes records,
                    const record::BatchHeader& header) {
  const TopicSettings& settings = partition.settings();
  MutableBytes batch = context.writable(records);
  Buffer rewritten;
  if (const auto codec = wanted_codec(settings.compression, header)) {
    auto made = recompress(records, header, *codec, world.scratch, world.compressor, world.settings.plain_bytes_max);
    if (!made) return {code(ErrorCode::invalid_record)};
    rewritten = std::move(*made);
    batch = rewritten;
  }
  if (settings.timestamp_type == TimestampType::log_append_time)
    record::stamp_append_time(batch, context.at.wall.value());
  return partition.append(batch, Appender::client, context.at.wall);
}

Refusal check_partition(const World& world, const Context& context, const std::string& topic,
                        const Partition* partition, std::int16_t acks) {
  if (!world.authorizer.allows(context, Operation::write, Resource::topic, topic)) {
    return {ErrorCode::topic_authorization_failed, not_authorized};
  }
  if (is_internal(topic)) return {ErrorCode::invalid_topic, "An internal topic is written by the broker only."};
  if (partition == nullptr) return {ErrorCode::unknown_topic_or_partition, {}};
  if (acks == -1 && partition->settings().min_insync_replicas > world.controller.settings().brokers) {
    return {ErrorCode::not_enough_replicas, {}};
  }
  return {};
}

Answer produce_one(World& world, const Context& context, const std::string& topic,
                   const wire::ProduceRequest::Topic::Partition& wanted, std::int16_t acks, Partition*& partition,
                   Offset& commit_at) {
  Answer answer;
  answer.index = wanted.index;
  answer.base_offset = Offset{-1};
  partition = world.find(topic, wanted.index);
  Refusal refusal = check_partition(world, context, topic, partition, acks);
  record::BatchHeader header;
  if (refusal.error == ErrorCode::none) {
    refusal = check_batch(world, context, wanted.records.value_or(Bytes{}), partition->settings(), header);
  }
  if (refusal.error == ErrorCode::none) {
    const AppendResult result = append(world, context, *partition, *wanted.records, header);
    refusal.error = static_cast<ErrorCode>(result.error);
    if (result.error == 0) {
      answer.base_offset = result.base_offset;
      answer.log_start_offset = result.log_start;
      const bool stamped = partition->settings().timestamp_type == TimestampType::log_append_time;
      if (stamped) answer.log_append_time_ms = context.at.wall.value();
      commit_at = result.commit_at;
      world.metrics.produced_batches.add();
      world.metrics.produced_records.add(static_cast<std::uint64_t>(header.count));
      world.metrics.produced_bytes.add(wanted.records->size());
      return answer;
    }
  }
  partition = nullptr;
  answer.error_code = refusal.error;
  answer.error_message = text_or_null(std::move(refusal.why));
  world.metrics.produce_errors.add();
  return answer;
}

}  // namespace

void handle_produce(World& world, const Context& context, const wire::ProduceRequest& request) {
  wire::ProduceResponse response;
  std::vector<Produces::Await> awaited;
  bool failed = false;
  const bool bad_acks = request.acks < -1 || request.acks > 1;
  const bool overloaded = world.produces.waiting() >= static_cast<std::size_t>(world.settings.produce_waiting_max);
  for (const auto& topic : request.topics) {
    auto& topic_out = response.topics.emplace_back();
    topic_out.name = topic.name;
    for (const auto& wanted : topic.partitions) {
      Partition* partition = nullptr;
      Offset commit_at;
      Answer answer;
      if (bad_acks || overloaded) {
        answer.index = wanted.index;
        answer.base_offset = Offset{-1};
        answer.error_code = bad_acks ? ErrorCode::invalid_required_acks : ErrorCode::request_timed_out;
      } else {
        answer = produce_one(world, context, topic.name, wanted, request.acks, partition, commit_at);
      }
      failed = failed || answer.error_code != ErrorCode::none;
      if (partition != nullptr) {
        awaited.push_back({partition, commit_at, response.topics.size() - 1, topic_out.partitions.size()});
      }
      topic_out.partitions.push_back(std::move(answer));
    }
  }
  if (request.acks == 0) return failed ? world.replies.close(context) : world.replies.nothing(context);
  const auto timeout = milliseconds(std::max(0, request.timeout_ms.value()));
  world.produces.hold(context, std::move(response), awaited, context.at.now + timeout);
}

}  // namespace edgelog::broker

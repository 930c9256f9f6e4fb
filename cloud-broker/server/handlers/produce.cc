// Produce (0), versions 3-11 (0-2 are offered, for librdkafka before 2.11, but close the connection). One v2
// batch per partition, checked to the last record, appended in the order of requests, and answered once it is
// committed: acks=1 waits as acks=-1 does, since an answer means durable here. acks=0 gets no answer; an
// error closes its connection.
// Refuses per partition, in this order: 29 not authorized, 3 unknown, 87 no batch or more than one, 21 acks,
// 17 internal topic; then the batch itself: 87, 2, 10, 76, 32, 53 (transactional); then the log: 45, 47,
// 18, 56. All that exist: 21 for acks other than -1, 0, 1. After timeout_ms, but not before wait_min: 7, and the
// batch may be committed later.
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

// A disk takes its time, and Kafka, which acknowledges out of memory, has taught clients to ask for none.
constexpr Duration wait_min = seconds(5);

struct Refusal {
  ErrorCode error = ErrorCode::none;
  std::string why;
  std::vector<std::int32_t> records;  // those that are at fault themselves
  bool judged = false;                // by what the batch says, not by its frame
};

// What was checked of a batch.
struct Checked {
  Bytes batch;
  record::BatchHeader header;
  record::Depth depth;
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

// As ProduceRequest.validateRecords: one whole batch of format 2. What is cut short behind it is left out, and
// what is damaged within it is found later. `batch`: the batch, where that much can be told.
Refusal check_shape(const Context& context, Bytes records, Bytes& batch) {
  const std::string these = "Produce requests with version " + std::to_string(context.version);
  constexpr std::size_t length_at = 8, head_bytes = 12;
  const auto whole = [](Bytes run) {
    if (run.size() <= record::at::magic) return false;
    const auto length = load_big<std::int32_t>(run.data() + length_at);
    return length < 0 || static_cast<std::size_t>(length) <= run.size() - head_bytes;
  };
  if (!whole(records)) return {ErrorCode::invalid_record, these + " must have at least one record batch", {}};
  if (load_big<std::int8_t>(records.data() + record::at::magic) < record::magic_v2) {
    return {ErrorCode::invalid_record, these + " are only allowed to contain record batches with magic version 2", {}};
  }
  Bytes rest = records;
  const auto first = record::next_batch(rest);
  batch = first.value_or(records);
  if (first && whole(rest)) {
    return {ErrorCode::invalid_record, these + " are only allowed to contain exactly one record batch", {}};
  }
  const auto header = first ? record::parse_header(*first) : std::nullopt;
  if (!header) return {};
  if (header->codec() == record::Codec::zstd && context.version < 7) {
    return {ErrorCode::unsupported_compression_type, "Produce requests with version below 7 may not use zstd", {}};
  }
  if (header->transactional()) {
    return {ErrorCode::transactional_id_authorization_failed, "This broker has no transactions.", {}};
  }
  return {};
}

// Exactly one batch that is what it says. `checked` is filled where it is.
Refusal check_batch(World& world, const Context& context, Bytes records, const TopicSettings& settings,
                    Checked& checked) {
  if (Refusal refusal = check_shape(context, records, checked.batch); refusal.error != ErrorCode::none) return refusal;
  const record::Verdict verdict =
      record::check_deep(checked.batch, limits_for(world, settings, context.at.wall), world.scratch, &checked.depth);
  if (!verdict) {
    const bool judged =
        verdict.fault == record::Fault::invalid_record || verdict.fault == record::Fault::invalid_timestamp;
    return {static_cast<ErrorCode>(verdict.kafka_error()), verdict.why, std::move(checked.depth.refused), judged};
  }
  checked.header = *record::parse_header(checked.batch);
  return {};
}

AppendResult append(World& world, const Context& context, Partition& partition, const Checked& checked) {
  const TopicSettings& settings = partition.settings();
  MutableBytes batch = context.writable(checked.batch);
  Buffer rewritten;
  if (const auto codec = wanted_codec(settings.compression, checked.header)) {
    auto made = recompress(checked.batch, checked.header, *codec, world.scratch, world.compressor,
                           world.settings.plain_bytes_max);
    if (!made) return {code(ErrorCode::invalid_record)};
    rewritten = std::move(*made);
    batch = rewritten;
  }
  if (settings.timestamp_type == TimestampType::log_append_time) {
    record::stamp_append_time(batch, context.at.wall.value());
  } else if (record::parse_header(batch)->max_timestamp != checked.depth.max_timestamp) {
    record::stamp_max_timestamp(batch, checked.depth.max_timestamp);  // lookups by time go by it
  }
  return partition.append(batch, Appender::client, context.at.wall);
}

Refusal check_partition(const World& world, const Context& context, const std::string& topic,
                        const Partition* partition, Bytes records, std::int16_t acks) {
  if (!world.authorizer.allows(context, Operation::write, Resource::topic, topic)) {
    return {ErrorCode::topic_authorization_failed, not_authorized, {}};
  }
  if (partition == nullptr) return {ErrorCode::unknown_topic_or_partition, {}, {}};
  Bytes batch;
  if (Refusal refusal = check_shape(context, records, batch); refusal.error != ErrorCode::none) return refusal;
  if (acks < -1 || acks > 1) return {ErrorCode::invalid_required_acks, {}, {}};
  if (is_internal(topic)) return {ErrorCode::invalid_topic, "An internal topic is written by the broker only.", {}};
  return {};  // min.insync.replicas counts for no more than a partition has replicas, and that is one
}

Answer produce_one(World& world, const Context& context, const std::string& topic,
                   const wire::ProduceRequest::Topic::Partition& wanted, std::int16_t acks, Partition*& partition,
                   Offset& commit_at) {
  Answer answer;
  answer.index = wanted.index;
  answer.base_offset = Offset{-1};
  partition = world.find(topic, wanted.index);
  Refusal refusal = check_partition(world, context, topic, partition, wanted.records.value_or(Bytes{}), acks);
  Checked checked;
  if (refusal.error == ErrorCode::none) {
    refusal = check_batch(world, context, wanted.records.value_or(Bytes{}), partition->settings(), checked);
    // As Kafka does where its validator refuses; where it cannot even read the batch, it does not.
    if (refusal.judged) answer.log_start_offset = partition->log_start();
  }
  if (refusal.error == ErrorCode::none) {
    const AppendResult result = append(world, context, *partition, checked);
    refusal.error = static_cast<ErrorCode>(result.error);
    if (result.error == 0) {
      answer.base_offset = result.base_offset;
      answer.log_start_offset = result.log_start;
      const bool stamped = partition->settings().timestamp_type == TimestampType::log_append_time;
      if (stamped) answer.log_append_time_ms = context.at.wall.value();
      commit_at = result.commit_at;
      world.metrics.produced_batches.add();
      world.metrics.produced_records.add(static_cast<std::uint64_t>(checked.header.count));
      world.metrics.produced_bytes.add(checked.batch.size());
      return answer;
    }
  }
  partition = nullptr;
  answer.error_code = refusal.error;
  for (const std::int32_t index : refusal.records) answer.record_errors.push_back({index, refusal.why});
  answer.error_message = text_or_null(std::move(refusal.why));
  world.metrics.produce_errors.add();
  return answer;
}

}  // namespace

void handle_produce(World& world, const Context& context, const wire::ProduceRequest& request) {
  wire::ProduceResponse response;
  std::vector<Produces::Await> awaited;
  bool failed = false;
  const bool overloaded = world.produces.waiting() >= static_cast<std::size_t>(world.settings.produce_waiting_max);
  for (const auto& topic : request.topics) {
    auto& topic_out = response.topics.emplace_back();
    topic_out.name = topic.name;
    for (const auto& wanted : topic.partitions) {
      Partition* partition = nullptr;
      Offset commit_at;
      Answer answer;
      if (overloaded) {
        answer.index = wanted.index;
        answer.base_offset = Offset{-1};
        answer.error_code = ErrorCode::request_timed_out;
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
  const auto timeout = std::max(wait_min, milliseconds(std::max(0, request.timeout_ms.value())));
  world.produces.hold(context, std::move(response), awaited, context.at.now + timeout);
}

}  // namespace edgelog::broker

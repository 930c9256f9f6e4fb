#include "common/client/produce_lane.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/assert.h"
#include "common/wire/header.h"

namespace edgelog::client {
using wire::ErrorCode;

bool ProduceLane::add(Batch&& batch) {
  if (waiting_.size() >= options_.waiting_max) return false;
  waiting_.push_back(std::move(batch));
  if (!link_.ready()) link_.connect();
  return true;
}

bool ProduceLane::cancel(ProduceToken token) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Batch& b) { return b.token == token; });
  if (found == waiting_.end()) return false;
  waiting_.erase(found);
  return true;
}

// The oldest of each partition, as many as one request takes.
std::vector<ProduceLane::Batch> ProduceLane::gather(std::vector<Batch>& late) {
  const Instant now = timer_.now();
  std::vector<Batch> batches;
  std::set<std::pair<std::string, PartitionIndex>> partitions;
  std::size_t bytes = 0;
  std::deque<Batch> rest;
  while (!waiting_.empty()) {
    Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    if (batch.not_after <= now) {
      late.push_back(std::move(batch));
      continue;
    }
    const std::size_t size = batch.bytes->size();
    const bool fits = batches.size() < options_.request_batches_max &&
                      (batches.empty() || bytes + size <= options_.request_bytes_max);
    // A partition whose turn was refused stays refused: its next batch must not overtake.
    if (partitions.emplace(batch.topic, batch.partition).second && fits) {
      bytes += size;
      batches.push_back(std::move(batch));
    } else {
      rest.push_back(std::move(batch));
    }
    if (!fits) break;
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  return batches;
}

void ProduceLane::tick() {
  const Instant now = timer_.now();
  std::vector<Batch> late;
  while (!waiting_.empty() && waiting_.front().not_after <= now) {
    late.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  while (!waiting_.empty() && under_way_ < options_.requests_max && link_.ready()) {
    const auto batches = std::make_shared<Sent>(gather(late));
    if (!batches->empty() && !send(batches)) {
      std::move(batches->begin(), batches->end(), std::back_inserter(late));
      break;
    }
  }
  for (Batch& batch : late) batch.done({ErrorCode::request_timed_out});
}

void ProduceLane::fail_waiting(ErrorCode error) {
  auto failed = std::exchange(waiting_, {});
  for (Batch& batch : failed) batch.done({error});
}

bool ProduceLane::send(const std::shared_ptr<Sent>& batches) {
  Call call{&wire::produce_api, INT16_MAX, {}, timer_.now() + options_.answer_timeout, {}};
  call.encode = [this, batches](wire::Version version, std::int32_t correlation_id, Buffer& out) {
    wire::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = wire::Millis{static_cast<std::int32_t>(to_millis(options_.log_timeout))};
    std::map<std::string, wire::ProduceRequest::Topic> topics;
    std::size_t bytes = 256;
    for (const Batch& batch : *batches) {
      topics[batch.topic].partitions.push_back({batch.partition, Bytes(*batch.bytes)});
      bytes += batch.bytes->size() + batch.topic.size() + 32;
    }
    for (auto& [name, topic] : topics) {
      topic.name = name;
      request.topics.push_back(std::move(topic));
    }
    out.reserve(bytes);
    wire::encode_request({wire::produce_api.key, version, correlation_id, client_id_}, request, out);
  };
  call.done = [this, batches](ErrorCode error, wire::Version version, Bytes body) {
    answered(*batches, error, version, body);
  };
  if (!link_.call(std::move(call))) return false;
  ++under_way_;
  return true;
}

void ProduceLane::answered(Sent& batches, ErrorCode error, wire::Version version, Bytes body) {
  ASSERT(under_way_ > 0);
  --under_way_;
  wire::ProduceResponse response;
  if (error == ErrorCode::none && !wire::decode(body, version, response)) error = ErrorCode::network_exception;
  std::map<std::pair<std::string, PartitionIndex>, ProduceResult> results;
  for (auto& topic : response.topics)
    for (auto& partition : topic.partitions)
      results[{topic.name, partition.index}] = {partition.error_code, partition.base_offset, LeaderEpoch{-1},
                                                partition.error_message.value_or("")};
  for (Batch& batch : batches) {
    ProduceResult result{error == ErrorCode::none ? ErrorCode::network_exception : error};
    if (const auto found = results.find({batch.topic, batch.partition}); found != results.end()) result = found->second;
    result.leader_epoch = batch.leader_epoch;
    batch.done(result);
  }
}

Instant ProduceLane::deadline() const {
  if (waiting_.empty()) return never;
  return under_way_ < options_.requests_max && link_.ready() ? timer_.now() : waiting_.front().not_after;
}

}  // namespace edgelog::client

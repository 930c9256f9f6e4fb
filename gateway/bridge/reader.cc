#include "gateway/bridge/reader.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/record/check.h"
#include "gateway/bridge/batch_facts.h"

namespace edgelog::gateway {
using wire::code;
using wire::ErrorCode;

namespace {

bool wanted(const Read& what, ProducerId id) {
  const auto prefix = static_cast<std::uint32_t>(static_cast<std::uint64_t>(id.value()) >> 32);
  return std::binary_search(what.prefixes.begin(), what.prefixes.end(), prefix);
}

}  // namespace

void Reader::ask(const AskRange& what, std::function<void(RangeKnown)> done) {
  const client::TopicPartitionName name{what.topic, what.partition};
  const auto* const state = client_.metadata().find(what.topic, what.partition);
  auto known = std::make_shared<RangeKnown>();
  known->id = what.id;
  known->leader_epoch = state ? state->leader_epoch : LeaderEpoch{-1};
  // The start first: retention moves it towards the end only, so start <= end holds.
  client_.list_offsets({name}, client::earliest_offset, [this, name, known, done](client::Client::Offsets starts) {
    const auto& start = starts.at(name);
    known->error = code(start.error);
    known->log_start = start.offset;
    if (start.error != ErrorCode::none) return done(*known);
    client_.list_offsets({name}, client::latest_offset, [name, known, done](client::Client::Offsets ends) {
      const auto& end = ends.at(name);
      known->error = code(end.error);
      known->end = end.offset;
      known->leader_epoch = std::max(known->leader_epoch, end.leader_epoch);
      done(*known);
    });
  });
}

void Reader::read(const Read& what, std::function<void(RangeRead)> done) {
  // The first batch comes whole, whatever is asked for.
  client_.fetch(
      {what.topic, what.partition}, what.from,
      [this, what, done](const client::FetchResult& fetched) { done(scan(what, fetched)); }, what.spot ? 1 : INT32_MAX);
}

RangeRead Reader::scan(const Read& what, const client::FetchResult& fetched) {
  RangeRead out{what.id, code(fetched.error), what.from, {}};
  if (fetched.error != ErrorCode::none) return out;
  // Nothing stands there although the range was said to go on: the log has gone back.
  if (fetched.high_watermark <= what.from) out.error = code(ErrorCode::offset_out_of_range);
  Bytes rest = fetched.records;
  std::size_t plain_bytes = 0;
  while (const auto batch = record::next_batch(rest)) {
    if (plain_bytes >= config_.piece_plain_bytes_max) break;
    const auto header = record::parse_header(*batch);
    if (!header || header->magic != record::magic_v2)
      return RangeRead{what.id, code(ErrorCode::corrupt_message), what.from, {}};
    if (header->last_offset() < what.from) continue;
    if (header->base_offset >= what.to) {
      out.next = what.to;
      break;
    }
    out.next = header->next_offset();
    const bool looked_for = wanted(what, header->producer_id);
    if ((!what.spot && !looked_for) || header->control()) continue;
    if (record::compute_crc(*batch) != header->crc)
      return RangeRead{what.id, code(ErrorCode::corrupt_message), what.from, {}};
    BatchSeen seen{header->base_offset,
                   header->last_offset(),
                   header->leader_epoch,
                   header->producer_id,
                   header->producer_epoch,
                   header->base_sequence,
                   header->last_offset_delta + 1,
                   {},
                   false};
    if (looked_for) {
      const FirstRecord first = read_first_record(*batch, *header, scratch_, config_.plain_bytes_max);
      plain_bytes += first.plain_bytes;
      seen.origin = first.origin;
      seen.fence = first.fenced.has_value();
    }
    out.batches.push_back(seen);
  }
  return out;
}

}  // namespace edgelog::gateway

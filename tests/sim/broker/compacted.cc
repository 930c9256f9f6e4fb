// What is compacted keeps the last record of each key where it stands, forgets older ones, and tombstones after a
// while.
#include <fmt/format.h>

#include <algorithm>

#include "common/wire/all.h"
#include "tests/sim/broker/each_record.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {

// Who reads all of it must be done before the first tombstone that he has not seen may go: half of the time they stay.
constexpr Duration reading_takes = seconds(60);
constexpr Duration tombstones_over = seconds(130);  // and a round of maintenance
constexpr std::int64_t keys = 18, fillers = 4;      // keys: with that of the fillers

wire::FetchRequest piece_from(std::int64_t offset) {
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = "brief";
  wire::FetchRequest::Topic::Partition partition;
  partition.fetch_offset = Offset{offset};
  partition.partition_max_bytes = 1 << 20;
  topic.partitions.push_back(partition);
  return request;
}

}  // namespace

void World::read_latest() {
  auto some = brief_.latest.begin();
  std::advance(some, random_.below(brief_.latest.size()));
  if (some->second.buried && brief_.forgets) return read_on();
  ask<wire::FetchResponse>(
      brief_.connection, piece_from(some->second.offset), version_of<wire::FetchRequest>(12),
      [this, key = some->first, offset = some->second.offset](const auto& response) {
        const auto& each = response.topics.at(0).partitions.at(0);
        if (each.error_code != ErrorCode::none || model_.flips > 0) return;
        bool found = false;
        each_record(each.records.value_or(Bytes{}), [&](Offset at, const record::RecordView& view, std::int64_t) {
          found |= at.value() == offset && view.key && as_text(*view.key) == key;
        });
        model_.expect(found, Check::compacted, fmt::format("the last record of {}, at {}, is gone", key, offset));
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response != nullptr) brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

// From the beginning to the end, a piece at a time. Nobody writes meanwhile.
void World::read_on() {
  if (brief_.reads_at > 0 && at_.now - brief_.since > reading_takes) brief_.reads_at = 0;
  if (brief_.reads_at == 0) {
    brief_.seen.clear();
    brief_.since = at_.now;
  }
  ask<wire::FetchResponse>(
      brief_.connection, piece_from(brief_.reads_at), version_of<wire::FetchRequest>(12),
      [this](const auto& response) {
        const bool late = at_.now - brief_.since > reading_takes;
        if (!take_piece(response) || late)
          brief_.reads_at = 0;
        else if (brief_.reads_at >= response.topics.at(0).partitions.at(0).high_watermark.value()) {
          seen_all();
          brief_.reads_at = 0;
        }
      },
      [this](const auto* response) {
        brief_.asking = false;
        if (response == nullptr)
          brief_.reads_at = 0;
        else
          brief_gone(response->topics.at(0).partitions.at(0).error_code);
      });
}

// False: nothing is to be had.
bool World::take_piece(const wire::FetchResponse& response) {
  const auto& each = response.topics.at(0).partitions.at(0);
  if (each.error_code != ErrorCode::none || model_.flips > 0) return false;
  Bytes rest = each.records.value_or(Bytes{});
  each_record(rest, [&](Offset at, const record::RecordView& view, std::int64_t timestamp) {
    if (view.key) brief_.seen[std::string(as_text(*view.key))] = {at.value(), timestamp, !view.value};
  });
  const std::int64_t before = brief_.reads_at;
  while (const auto batch = record::next_batch(rest))
    brief_.reads_at = record::parse_header(*batch)->next_offset().value();
  if (brief_.reads_at == before) brief_.reads_at = each.high_watermark.value();  // compaction took what stood there
  return true;
}

void World::seen_all() {
  for (const auto& [key, last] : brief_.latest) {
    const auto found = brief_.seen.find(key);
    const bool gone = found == brief_.seen.end() && last.buried && brief_.forgets;
    model_.expect(
        gone || (found != brief_.seen.end() && found->second == last), Check::compacted,
        fmt::format("{} was written at {}{} last, and is seen at {}", key, last.offset,
                    last.buried ? " (a tombstone)" : "", found == brief_.seen.end() ? -1 : found->second.offset));
  }
}

// In the end, when time has passed: nothing that was written over is left in what is closed.
void World::audit_brief() {
  if (!brief_.compacts || !brief_.there || !brief_.durable || brief_.ends || model_.flips > 0) return;
  for (int i = 0; i < fillers; ++i) {
    if (!fill_brief()) return;
    time_passes(tombstones_over);
    shard_->end_of_turn(at_);
    disk_.complete_all();
  }
  const std::int64_t filled = brief_.end;
  std::int64_t end = 1, records = 0, buried = 0;
  brief_.seen.clear();
  for (brief_.reads_at = 0; brief_.reads_at < end && !failed();) {
    bool good = false;
    ask<wire::FetchResponse>(auditor, piece_from(brief_.reads_at), 12,
                             [&](const auto& response) {
                               const auto& each = response.topics.at(0).partitions.at(0);
                               end = each.high_watermark.value();
                               each_record(each.records.value_or(Bytes{}),
                                           [&](Offset at, const record::RecordView& view, std::int64_t) {
                                             ++records;
                                             if (!view.value && at.value() < filled) ++buried;
                                           });
                               good = take_piece(response);
                             },
                             {});
    deliver(connections_[auditor]);
    answer(connections_[auditor]);
    if (!good) return;
  }
  seen_all();
  brief_.reads_at = 0;
  model_.expect(records <= keys + fillers, Check::compacted,
                fmt::format("{} records of {} are left when all that is closed is compacted", records, end));
  model_.expect(!brief_.forgets || buried == 0, Check::compacted,
                fmt::format("{} tombstones are left long after their time", buried));
}

}  // namespace edgelog::sim::shard

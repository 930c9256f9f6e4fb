#include "edge-agent/agent/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/base/assert.h"
#include "common/uplink/names.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t plain_bytes_max = std::size_t{64} << 20;

// A batch that is small and took its time is squeezed (level 15: 3 MB/s on one core, so at most 2 % of it), all else is
// packed fast. On a slow link the small ones are what costs: 9 % of their bytes are saved.
constexpr int level_fast = 3, level_squeezed = 15;
constexpr std::size_t squeezed_bytes_max = 16 << 10;
constexpr std::int64_t squeezed_ms_min = 250;

bool is(const record::HeaderView& header, std::string_view name) { return header.key == name; }

}  // namespace

void Sealer::begin(const BatchRow& row) {
  ASSERT(row.last >= row.first);
  builder_.reset();
  earliest_ = latest_ = WallMillis{-1};
  origin_ = uplink::encode(uplink::OriginMark{row.origin, row.first});
}

// `headers_` has the record's own headers; the transport's are added here.
void Sealer::add(const BatchRow& row, EventIndex index, WallMillis time, std::optional<Bytes> key,
                 std::optional<Bytes> value, const Marking& marking) {
  const auto has = [&](std::string_view name) {
    return std::any_of(headers_.begin(), headers_.end(), [&](const auto& h) { return is(h, name); });
  };
  if (earliest_.value() < 0) earliest_ = time;
  latest_ = time;
  if (index < marking.late_before && !has(uplink::header_late)) headers_.push_back({uplink::header_late, Bytes{}});
  if (marking.stamp.value() >= 0) {
    taken_.clear();
    fmt::format_to(std::back_inserter(taken_), "{}", time.value());
    if (!has(uplink::header_taken)) headers_.push_back({uplink::header_taken, as_bytes(taken_)});
    time = marking.stamp;
  }
  if (index == row.first) headers_.insert(headers_.begin(), {uplink::header_origin, Bytes(origin_)});
  builder_.append(time.value(), key, value, headers_);
}

Buffer Sealer::finish(const BatchRow& row) {
  record::BatchBuilder::Finish how;
  how.codec = record::Codec::zstd;
  const bool squeezed =
      builder_.plain_bytes() <= squeezed_bytes_max && latest_.value() - earliest_.value() >= squeezed_ms_min;
  how.level = squeezed ? level_squeezed : level_fast;
  how.producer_id = row.producer;
  how.producer_epoch = uplink::event_epoch;
  how.base_sequence = Sequence{row.sequence < 0 ? 0 : static_cast<std::int32_t>(row.sequence & 0x7fffffff)};
  return builder_.finish(how, compressor_);
}

Result<Buffer> Sealer::seal(const BatchRow& row, std::span<const RunPart> parts, const Marking& marking) {
  begin(row);
  EventIndex next = row.first;
  EventView event;
  for (const RunPart& part : parts) {
    RunReader reader(part.events, part.base_time);
    for (EventIndex index = part.first; index <= row.last && reader.next(event); index = index + 1) {
      if (index < row.first) continue;
      if (index != next) return Error{Code::corrupt, fmt::format("seal: event {} is missing", next.value())};
      headers_.clear();
      for (const auto& header : event.headers) headers_.push_back({header.name, as_bytes(header.value)});
      add(row, index, event.timestamp, as_bytes(event.key), as_bytes(event.value), marking);
      next = next + 1;
    }
    if (!reader.ok()) return Error{Code::corrupt, fmt::format("seal: malformed run at event {}", part.first.value())};
  }
  if (next != row.last + 1) return Error{Code::corrupt, fmt::format("seal: event {} is missing", next.value())};
  return finish(row);
}

Result<Buffer> Sealer::reseal(const BatchRow& row, Bytes batch, EventIndex first, const Marking& marking) {
  const auto header = record::parse_header(batch);
  if (!header) return Error{Code::corrupt, "reseal: no batch"};
  auto reader = record::open_records(batch, *header, scratch_, plain_bytes_max);
  if (!reader) return std::move(reader).error();
  begin(row);
  record::RecordView view;
  while (reader->next(view)) {
    const EventIndex index = first + view.offset_delta;
    if (index < row.first || index > row.last) continue;
    headers_.clear();
    record::HeaderReader headers(view);
    for (record::HeaderView h; headers.next(h);)
      if (!is(h, uplink::header_origin)) headers_.push_back(h);
    add(row, index, WallMillis{header->base_timestamp + view.timestamp_delta}, view.key, view.value, marking);
  }
  if (!reader->ok() || builder_.count() != row.count()) return Error{Code::corrupt, "reseal: records are missing"};
  return finish(row);
}

Result<RunSplit> split_run(const RunPart& run, EventIndex index) {
  RunReader reader(run.events, run.base_time);
  EventView event;
  for (EventIndex at = run.first; at < index; at = at + 1)
    if (!reader.next(event)) return Error{Code::corrupt, "split: the run is shorter than its row says"};
  const Bytes rest = reader.rest();
  return RunSplit{{run.events.first(run.events.size() - rest.size()), run.first, run.base_time},
                  {rest, index, reader.timestamp()}};
}

}  // namespace edgelog::agent

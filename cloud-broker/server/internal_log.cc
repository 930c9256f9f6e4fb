#include "cloud-broker/server/internal_log.h"

#include "common/base/assert.h"
#include "common/record/check.h"

namespace edgelog::broker {

namespace {
constexpr std::size_t read_bytes = 1 << 20;
constexpr std::size_t plain_bytes_max = 256 << 20;
constexpr std::int16_t record_list_too_large = 18;  // as the partition answers a batch above its segment.bytes

std::optional<Bytes> view(const std::optional<Buffer>& value) {
  return value ? std::optional<Bytes>(*value) : std::nullopt;
}
}  // namespace

AppendResult InternalLog::append(Partition& partition, std::span<const LogRecord> records, WallMillis wall) {
  ASSERT(!records.empty());
  // Asked before the batch is there: it may be more than a batch can be at all.
  std::size_t bytes = record::header_bytes;
  for (const LogRecord& each : records) bytes += record::BatchBuilder::record_bytes(Bytes(each.key), view(each.value));
  if (bytes > static_cast<std::size_t>(partition.settings().segment_bytes)) return {.error = record_list_too_large};
  builder_.reset();
  for (const LogRecord& each : records) builder_.append(wall.value(), Bytes(each.key), view(each.value));
  Buffer batch = builder_.finish({}, compressor_);
  return partition.append(batch, Appender::coordinator, wall);
}

Status InternalLog::replay(Partition& partition, const Take& take) {
  const Offset end = partition.end();
  for (Offset at = partition.log_start(); at < end;) {
    const ReadResult read = partition.read(at, read_bytes, true, end);
    if (read.error != 0) return Error{Code::corrupt, "internal log: " + partition.damage()};
    if (read.batches.empty()) break;
    TRY(replay_batches(read.batches, take));
    at = read.next;
  }
  return Ok{};
}

Status InternalLog::replay_batches(Bytes run, const Take& take) {
  while (const auto batch = record::next_batch(run)) {
    const auto header = record::parse_header(*batch);
    if (!header) return Error{Code::corrupt, "internal log: batch without a header"};
    if (header->control() || header->count == 0) continue;
    auto reader = record::open_records(*batch, *header, scratch_, plain_bytes_max);
    if (!reader) return std::move(reader).error();
    record::RecordView each;
    while (reader->next(each)) {
      if (each.key) TRY(take(*each.key, each.value));
    }
    if (!reader->ok()) return Error{Code::corrupt, "internal log: malformed records"};
  }
  return Ok{};
}

}  // namespace edgelog::broker

// Record batches from strangers: as they are, and once more with length and CRC put right, so that what
// stands behind the CRC is reached too. What passes the deep check must be readable to the end.
#include "common/base/assert.h"
#include "common/record/check.h"

namespace {

using namespace edgelog;

constexpr std::size_t plain_bytes_max = 1 << 20;

void check_and_read(Bytes batch) {
  static record::Scratch scratch;
  for (const bool from_client : {true, false}) {
    record::Limits limits;
    limits.plain_bytes_max = plain_bytes_max;
    limits.from_client = from_client;
    record::Depth learned;
    if (!record::check_deep(batch, limits, scratch, &learned)) continue;
    ASSERT(learned.plain_bytes <= plain_bytes_max);
    const record::BatchHeader header = *record::parse_header(batch);
    auto reader = record::open_records(batch, header, scratch, plain_bytes_max);
    ASSERT(reader);
    std::int32_t count = 0;
    for (record::RecordView r; reader->next(r); ++count) {
      record::HeaderReader headers(r);
      for (record::HeaderView h; headers.next(h);) continue;
    }
    ASSERT(reader->ok() && count == header.count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes given(reinterpret_cast<const std::byte*>(data), size);
  Bytes run = given;
  while (const auto batch = record::next_batch(run)) check_and_read(*batch);
  if (size < record::header_bytes) return 0;
  Buffer mended(given.begin(), given.end());
  store_big(mended.data() + record::at::length, static_cast<std::int32_t>(size - record::length_end));
  store_big(mended.data() + record::at::magic, record::magic_v2);
  store_big(mended.data() + record::at::crc, record::compute_crc(mended));
  check_and_read(mended);
  return 0;
}

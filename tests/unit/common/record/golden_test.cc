#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "common/record/check.h"
#include "tests/support/hex.h"

namespace edgelog::record {
namespace {

std::string hex(std::optional<Bytes> bytes) {
  if (!bytes) return "null";
  return "0x" + testing::to_hex(*bytes);
}

std::string describe(const BatchHeader& header, const RecordView& record) {
  std::ostringstream out;
  out << '{' << (header.base_offset + record.offset_delta).value() << ", "
      << header.base_timestamp + record.timestamp_delta << ", " << hex(record.key) << ", " << hex(record.value);
  HeaderReader headers(record);
  for (HeaderView h; headers.next(h);) out << ", " << h.key << '=' << hex(h.value);
  out << '}';
  return out.str();
}

// tests/golden/record/batches.txt: what Apache Kafka 4.3.0 writes, see tests/golden/make.
TEST(Golden, BatchesOfApacheKafka) {
  std::ifstream file("tests/golden/record/batches.txt");
  int batches = 0;
  for (std::string line; std::getline(file, line); ++batches) {
    std::istringstream words(line);
    std::string name, digits, records;
    words >> name >> digits;
    std::getline(words >> std::ws, records);
    SCOPED_TRACE(name);
    const Buffer batch = testing::from_hex(digits);
    const bool control = name == "commit" || name == "abort";
    Scratch scratch;
    Depth learned;
    const Verdict verdict = check_deep(batch, {.from_client = !control}, scratch, &learned);
    ASSERT_TRUE(verdict) << verdict.why;
    const BatchHeader header = *parse_header(batch);
    EXPECT_EQ(header.control(), control);
    EXPECT_EQ(header.max_timestamp, learned.max_timestamp);
    auto reader = open_records(batch, header, scratch, 1 << 20);
    ASSERT_TRUE(reader);
    std::string found;
    for (RecordView record; reader->next(record);) found += (found.empty() ? "" : " ") + describe(header, record);
    EXPECT_TRUE(reader->ok());
    EXPECT_EQ(found, records);
  }
  EXPECT_EQ(batches, 12);
}

}  // namespace
}  // namespace edgelog::record

#include "common/record/varint.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace edgelog::record {
namespace {

TEST(RecordProperty, Varints) {
  EXPECT_TRUE(rc::check([](std::int64_t v, std::uint8_t shift) {
    v >>= shift % 64;
    std::byte buffer[10];
    const auto size = static_cast<std::size_t>(put_varint(buffer, v) - buffer);
    RC_ASSERT(size == varint_bytes(v));
    Bytes from(buffer, size);
    std::int64_t read = 0;
    RC_ASSERT(take_varint(from, read, INT64_MIN, INT64_MAX) && read == v && from.empty());
    Bytes cut(buffer, size - 1);
    RC_ASSERT(!take_varint(cut, read, INT64_MIN, INT64_MAX));
  }));
}

}  // namespace
}  // namespace edgelog::record

#include "common/record/crc32c.h"

#include <gtest/gtest.h>

#include "common/base/prng.h"

namespace edgelog::record {
namespace {

// RFC 3720, appendix B.4.
TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c(Buffer(32, std::byte{0})), 0x8a9136aau);
  EXPECT_EQ(crc32c(Buffer(32, std::byte{0xff})), 0x62a8ab43u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, TableAndFastWayAgreeAndContinue) {
  Prng random(1);
  for (std::size_t size = 0; size < 700; size += 1 + random.below(9)) {
    Buffer data(size);
    for (auto& b : data) b = static_cast<std::byte>(random.next());
    const std::uint32_t whole = crc32c(data);
    EXPECT_EQ(detail::crc32c_table(data, 0), whole);
    const std::size_t cut = size == 0 ? 0 : random.below(size);
    EXPECT_EQ(crc32c(Bytes(data).subspan(cut), crc32c(Bytes(data).first(cut))), whole);
  }
}

}  // namespace
}  // namespace edgelog::record

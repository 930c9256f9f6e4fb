// Each decompressor on anything: first byte the codec, then what it is to decompress. Never more than the
// bound comes out, and what comes out goes in and out again.
#include <algorithm>

#include "common/base/assert.h"
#include "common/record/compress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edgelog;
  static record::Compressor compressor;
  static record::Decompressor decompressor;
  static Buffer scratch, scratch2;
  if (size < 1) return 0;
  const auto codec = static_cast<record::Codec>(data[0] % record::codec_count);
  const Bytes in(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  constexpr std::size_t bytes_max = 1 << 18;
  auto plain = decompressor.decompress(codec, in, bytes_max, scratch);
  if (!plain) return 0;
  ASSERT(plain->size() <= bytes_max);
  Buffer packed;
  compressor.compress(codec, *plain, packed);
  auto again = decompressor.decompress(codec, packed, plain->size(), scratch2);
  ASSERT(again);
  ASSERT(std::ranges::equal(*again, *plain));
  return 0;
}

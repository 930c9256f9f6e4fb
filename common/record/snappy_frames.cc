#include "common/record/snappy_frames.h"

#include <snappy-c.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/base/assert.h"

namespace edgelog::record::snappy_frames {
namespace {

constexpr std::array<unsigned char, 8> magic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t preamble = magic.size() + 4 + 4;
constexpr std::size_t block_bytes = 32 << 10;  // the Java library's default

Error corrupt() { return {Code::corrupt, "decompress snappy: malformed"}; }
Error too_large() { return {Code::full, "decompress snappy: beyond the bound"}; }

bool has_preamble(Bytes in) { return in.size() >= preamble && std::memcmp(in.data(), magic.data(), magic.size()) == 0; }
const char* chars(const std::byte* p) { return reinterpret_cast<const char*>(p); }

// Decompresses one raw block behind the `used` bytes that are there already.
Status add_block(Bytes block, std::size_t bytes_max, Buffer& scratch, std::size_t& used) {
  std::size_t size = 0;
  if (snappy_uncompressed_length(chars(block.data()), block.size(), &size) != SNAPPY_OK) return corrupt();
  if (size > bytes_max - used) return too_large();
  // A copy of 64 bytes costs two to three: what claims to be larger than that does not decompress.
  if (size / 64 > block.size()) return corrupt();
  if (scratch.size() < used + size) scratch.resize(std::max(used + size, std::min(bytes_max, 2 * scratch.size())));
  char* to = reinterpret_cast<char*>(scratch.data() + used);
  if (snappy_uncompress(chars(block.data()), block.size(), to, &size) != SNAPPY_OK) return corrupt();
  used += size;
  return Ok{};
}

}  // namespace

void compress(Bytes in, Buffer& out) {
  for (const unsigned char c : magic) out.push_back(static_cast<std::byte>(c));
  const std::size_t versions = out.size();
  out.resize(versions + 8);
  store_big(out.data() + versions, std::int32_t{1});
  store_big(out.data() + versions + 4, std::int32_t{1});
  while (!in.empty()) {
    const Bytes block = in.first(std::min(in.size(), block_bytes));
    const std::size_t start = out.size();
    std::size_t size = snappy_max_compressed_length(block.size());
    out.resize(start + 4 + size);
    char* to = reinterpret_cast<char*>(out.data() + start + 4);
    ASSERT(snappy_compress(chars(block.data()), block.size(), to, &size) == SNAPPY_OK);
    store_big(out.data() + start, static_cast<std::int32_t>(size));
    out.resize(start + 4 + size);
    in = in.subspan(block.size());
  }
}

Result<Bytes> decompress(Bytes in, std::size_t bytes_max, Buffer& scratch) {
  std::size_t used = 0;
  if (!has_preamble(in)) {
    TRY(add_block(in, bytes_max, scratch, used));
    return Bytes(scratch).first(used);
  }
  while (!in.empty()) {
    if (has_preamble(in)) {  // streams may be joined end to end
      in = in.subspan(preamble);
      continue;
    }
    if (in.size() < 4) return corrupt();
    const auto size = load_big<std::uint32_t>(in.data());
    in = in.subspan(4);
    if (size > in.size()) return corrupt();
    TRY(add_block(in.first(size), bytes_max, scratch, used));
    in = in.subspan(size);
  }
  return Bytes(scratch).first(used);
}

}  // namespace edgelog::record::snappy_frames

#pragma once
// The compressions of the record batch format (attributes, bits 0-2), in the framings that Kafka's
// clients write and read: gzip members, snappy in xerial's blocks (raw snappy is read too), LZ4 frames of
// independent blocks, zstd frames. One object per thread: contexts are kept between calls.
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace edgelog::record {

enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
inline constexpr int codec_count = 5;

std::string_view codec_name(Codec);                         // as in Kafka's compression.type, "none" for none
std::optional<Codec> codec_of_name(std::string_view name);  // also knows "uncompressed"
std::optional<Codec> codec_of_attributes(std::int16_t attributes);

inline constexpr int level_default = -1000;  // the codec's own: gzip 6, lz4 fast, zstd 3

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Appends `in`, compressed, to `out`. Levels: gzip 1-9, lz4 1-12, zstd -7 to 22; out of range is brought
  // into it. Cannot fail but for memory.
  void compress(Codec codec, Bytes in, Buffer& out, int level = level_default);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // A view of the plain bytes: of `in` itself for Codec::none, else of `scratch`, which grows as needed
  // (never beyond `bytes_max`) and is meant to be passed again and again.
  // Errors: corrupt (not what the codec writes, or cut short), full (more than bytes_max would come out:
  // nothing beyond it was produced).
  Result<Bytes> decompress(Codec codec, Bytes in, std::size_t bytes_max, Buffer& scratch);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace edgelog::record

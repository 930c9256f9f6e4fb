#include "common/record/compress.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "common/base/assert.h"
#include "common/record/snappy_frames.h"

namespace edgelog::record {
namespace {

constexpr std::array<std::string_view, codec_count> names{"none", "gzip", "snappy", "lz4", "zstd"};
constexpr int gzip_window = 15 + 16;     // 32 KiB, with gzip's header rather than zlib's
constexpr int zstd_window_log_max = 27;  // zstd's own default bound: 128 MiB

int level_in(int level, int fallback, int low, int high) {
  return level == level_default ? fallback : std::clamp(level, low, high);
}

Error corrupt(const char* codec) { return {Code::corrupt, std::string("decompress ") + codec + ": malformed"}; }
Error too_large(const char* codec) { return {Code::full, std::string("decompress ") + codec + ": beyond the bound"}; }

// Room to decompress into: grows in steps up to one byte above the bound (only who takes that byte is
// known to be too large), so that a claim of size alone costs nothing.
class Room {
 public:
  Room(Buffer& buffer, std::size_t hint, std::size_t bytes_max) : buffer_(buffer), bytes_max_(bytes_max + 1) {
    const std::size_t first = std::min(std::max<std::size_t>(hint, 4096), bytes_max_);
    if (buffer_.size() < first) buffer_.resize(first);
  }
  std::byte* at() { return buffer_.data() + used_; }
  std::size_t left() const { return std::min(buffer_.size(), bytes_max_) - used_; }
  void took(std::size_t bytes) { used_ += bytes; }
  // False: the bound is reached.
  bool grow() {
    if (buffer_.size() < bytes_max_) buffer_.resize(std::min(bytes_max_, 2 * buffer_.size()));
    return left() > 0;
  }
  Result<Bytes> result(const char* codec) const {
    if (used_ >= bytes_max_) return too_large(codec);
    return Bytes(buffer_).first(used_);
  }

 private:
  Buffer& buffer_;
  std::size_t bytes_max_, used_ = 0;
};

}  // namespace

std::string_view codec_name(Codec codec) { return names[static_cast<std::size_t>(codec)]; }

std::optional<Codec> codec_of_name(std::string_view name) {
  if (name == "uncompressed") return Codec::none;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return {};
  return static_cast<Codec>(found - names.begin());
}

std::optional<Codec> codec_of_attributes(std::int16_t attributes) {
  const int number = attributes & 7;
  if (number >= codec_count) return {};
  return static_cast<Codec>(number);
}

// ---- compressing

struct Compressor::Contexts {
  z_stream gzip{};
  int gzip_level = level_default;
  bool gzip_open = false;
  ZSTD_CCtx* zstd = nullptr;
  LZ4F_cctx* lz4 = nullptr;
  ~Contexts() {
    if (gzip_open) deflateEnd(&gzip);
    ZSTD_freeCCtx(zstd);
    LZ4F_freeCompressionContext(lz4);
  }
};

Compressor::Compressor() = default;
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

namespace {

void gzip_open(z_stream& stream, bool& open, int& open_level, int level) {
  if (open && open_level == level) {
    ASSERT(deflateReset(&stream) == Z_OK);
    return;
  }
  if (open) deflateEnd(&stream);
  ASSERT(deflateInit2(&stream, level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  open = true;
  open_level = level;
}

void gzip_compress(z_stream& stream, Bytes in, Buffer& out) {
  const std::size_t start = out.size();
  out.resize(start + deflateBound(&stream, in.size()));
  // zlib's next_in lacks a const in its default build; it only reads.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data() + start);
  stream.avail_out = static_cast<uInt>(out.size() - start);
  ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
}

// As Kafka's own clients: independent blocks of 64 KiB, no checksums but the header's. The Java reader
// refuses dependent blocks.
void lz4_compress(LZ4F_cctx* context, int level, Bytes in, Buffer& out) {
  LZ4F_preferences_t how{};
  how.frameInfo.blockSizeID = LZ4F_max64KB;
  how.frameInfo.blockMode = LZ4F_blockIndependent;
  how.compressionLevel = level;
  const std::size_t start = out.size();
  const std::size_t room = LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(in.size(), &how);
  out.resize(start + room);
  std::size_t used = LZ4F_compressBegin(context, out.data() + start, room, &how);
  ASSERT(!LZ4F_isError(used));
  std::size_t more =
      LZ4F_compressUpdate(context, out.data() + start + used, room - used, in.data(), in.size(), nullptr);
  ASSERT(!LZ4F_isError(more));
  used += more;
  more = LZ4F_compressEnd(context, out.data() + start + used, room - used, nullptr);
  ASSERT(!LZ4F_isError(more));
  out.resize(start + used + more);
}

void zstd_compress(ZSTD_CCtx* context, int level, Bytes in, Buffer& out) {
  const std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(in.size()));
  const std::size_t size =
      ZSTD_compressCCtx(context, out.data() + start, out.size() - start, in.data(), in.size(), level);
  ASSERT(!ZSTD_isError(size));
  out.resize(start + size);
}

}  // namespace

void Compressor::compress(Codec codec, Bytes in, Buffer& out, int level) {
  ASSERT(in.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
  if (!contexts_) contexts_ = std::make_unique<Contexts>();
  Contexts& c = *contexts_;
  switch (codec) {
    case Codec::none: append(out, in); return;
    case Codec::gzip:
      gzip_open(c.gzip, c.gzip_open, c.gzip_level, level_in(level, 6, 1, 9));
      gzip_compress(c.gzip, in, out);
      return;
    case Codec::snappy: snappy_frames::compress(in, out); return;
    case Codec::lz4:
      if (c.lz4 == nullptr) ASSERT(!LZ4F_isError(LZ4F_createCompressionContext(&c.lz4, LZ4F_VERSION)));
      lz4_compress(c.lz4, level_in(level, 0, 1, 12), in, out);
      return;
    case Codec::zstd:
      if (c.zstd == nullptr) c.zstd = ZSTD_createCCtx();
      ASSERT(c.zstd != nullptr);
      zstd_compress(c.zstd, level_in(level, 3, -7, ZSTD_maxCLevel()), in, out);
      return;
  }
  UNREACHABLE();
}

// ---- decompressing

struct Decompressor::Contexts {
  z_stream gzip{};
  bool gzip_open = false;
  ZSTD_DCtx* zstd = nullptr;
  LZ4F_dctx* lz4 = nullptr;
  ~Contexts() {
    if (gzip_open) inflateEnd(&gzip);
    ZSTD_freeDCtx(zstd);
    LZ4F_freeDecompressionContext(lz4);
  }
};

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

namespace {

// RFC 1952: members may follow one another.
Result<Bytes> gzip_decompress(z_stream& stream, Bytes in, Room room) {
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  while (true) {
    if (room.left() == 0 && !room.grow()) return too_large("gzip");
    const std::size_t offered = room.left();
    stream.next_out = reinterpret_cast<Bytef*>(room.at());
    stream.avail_out = static_cast<uInt>(offered);
    const int status = inflate(&stream, Z_NO_FLUSH);
    room.took(offered - stream.avail_out);
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) return room.result("gzip");
      if (inflateReset(&stream) != Z_OK) return corrupt("gzip");
    } else if (status != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return corrupt("gzip");
    }
  }
}

Result<Bytes> lz4_decompress(LZ4F_dctx* context, Bytes in, Room room) {
  std::size_t hint = 1;  // 0 at the end of a frame
  while (!in.empty() || hint != 0) {
    if (room.left() == 0 && !room.grow()) return too_large("lz4");
    std::size_t taken = in.size(), given = room.left();
    hint = LZ4F_decompress(context, room.at(), &given, in.data(), &taken, nullptr);
    if (LZ4F_isError(hint)) return corrupt("lz4");
    in = in.subspan(taken);
    room.took(given);
    if (taken == 0 && given == 0 && hint != 0) return corrupt("lz4");  // it waits for bytes that are not there
  }
  return room.result("lz4");
}

Result<Bytes> zstd_decompress(ZSTD_DCtx* context, Bytes in, Room room) {
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  std::size_t hint = 1;  // 0 at the end of a frame
  while (from.pos < from.size || hint != 0) {
    if (room.left() == 0 && !room.grow()) return too_large("zstd");
    ZSTD_outBuffer to{room.at(), room.left(), 0};
    const std::size_t before = from.pos;
    hint = ZSTD_decompressStream(context, &to, &from);
    if (ZSTD_isError(hint)) return corrupt("zstd");
    room.took(to.pos);
    if (from.pos == before && to.pos == 0 && hint != 0) return corrupt("zstd");
  }
  return room.result("zstd");
}

}  // namespace

Result<Bytes> Decompressor::decompress(Codec codec, Bytes in, std::size_t bytes_max, Buffer& scratch) {
  if (codec == Codec::none) {
    if (in.size() > bytes_max) return too_large("none");
    return in;
  }
  if (in.empty()) return corrupt("anything: no bytes");
  if (in.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) return too_large("input");
  if (!contexts_) contexts_ = std::make_unique<Contexts>();
  Contexts& c = *contexts_;
  const Room room(scratch, 4 * in.size(), bytes_max);
  switch (codec) {
    case Codec::none: break;
    case Codec::gzip:
      if (c.gzip_open)
        ASSERT(inflateReset(&c.gzip) == Z_OK);
      else
        ASSERT(inflateInit2(&c.gzip, gzip_window) == Z_OK);
      c.gzip_open = true;
      return gzip_decompress(c.gzip, in, room);
    case Codec::snappy: return snappy_frames::decompress(in, bytes_max, scratch);
    case Codec::lz4:
      if (c.lz4 == nullptr) ASSERT(!LZ4F_isError(LZ4F_createDecompressionContext(&c.lz4, LZ4F_VERSION)));
      LZ4F_resetDecompressionContext(c.lz4);
      return lz4_decompress(c.lz4, in, room);
    case Codec::zstd:
      if (c.zstd == nullptr) {
        c.zstd = ZSTD_createDCtx();
        ASSERT(c.zstd != nullptr);
        ASSERT(!ZSTD_isError(ZSTD_DCtx_setParameter(c.zstd, ZSTD_d_windowLogMax, zstd_window_log_max)));
      }
      ZSTD_DCtx_reset(c.zstd, ZSTD_reset_session_only);
      return zstd_decompress(c.zstd, in, room);
  }
  UNREACHABLE();
}

}  // namespace edgelog::record

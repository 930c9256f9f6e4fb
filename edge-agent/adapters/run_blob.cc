#include "edge-agent/adapters/run_blob.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t worth_compressing = 512;
constexpr int fast_level = 1;
constexpr std::size_t plain_bytes_max = std::size_t{64} << 20;

}  // namespace

Bytes RunBlob::pack(Bytes events) {
  packed_.clear();
  if (events.size() >= worth_compressing) {
    packed_.push_back(static_cast<std::byte>(record::Codec::zstd));
    compressor_.compress(record::Codec::zstd, events, packed_, fast_level);
    if (packed_.size() < events.size()) return packed_;
    packed_.clear();
  }
  packed_.push_back(static_cast<std::byte>(record::Codec::none));
  append(packed_, events);
  return packed_;
}

Result<Bytes> RunBlob::unpack(Bytes blob) {
  if (blob.empty()) return Error{Code::corrupt, "an empty run"};
  const auto codec = static_cast<record::Codec>(blob[0]);
  if (codec != record::Codec::none && codec != record::Codec::zstd)
    return Error{Code::corrupt, "a run of an unknown kind"};
  return decompressor_.decompress(codec, blob.subspan(1), plain_bytes_max, scratch_);
}

}  // namespace edgelog::agent

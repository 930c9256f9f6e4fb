#pragma once
// Snappy as Kafka has it: blocks in the framing of the xerial Java library (magic, version, compatible
// version, then length and raw block, repeated), which Java clients write; others write one raw block.
// Internal to common/record.
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace edgelog::record::snappy_frames {

void compress(Bytes in, Buffer& out);
// As Decompressor::decompress().
Result<Bytes> decompress(Bytes in, std::size_t bytes_max, Buffer& scratch);

}  // namespace edgelog::record::snappy_frames

#pragma once
// CRC-32C (Castagnoli), as record batches carry it. ISA-L's assembly on amd64 and arm64, a table where
// configure found no ISA-L. Thread-safe.
#include <cstdint>

#include "common/base/bytes.h"

namespace edgelog::record {

// `so_far` continues a checksum: crc32c(b, crc32c(a)) is that of a followed by b.
std::uint32_t crc32c(Bytes data, std::uint32_t so_far = 0);

namespace detail {
// The portable way, here so that a test can hold the two against each other.
std::uint32_t crc32c_table(Bytes data, std::uint32_t so_far);
}  // namespace detail

}  // namespace edgelog::record

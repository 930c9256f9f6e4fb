#pragma once
// A topic whose compression.type is not `producer` keeps its batches in that compression, whatever came.
#include "cloud-broker/partition/settings.h"
#include "common/record/builder.h"

namespace edgelog::broker {

// The same records under `codec`, with the batch's producer fields. `batch` was checked deeply.
Result<Buffer> recompress(Bytes batch, const record::BatchHeader& header, record::Codec codec, record::Scratch& scratch,
                          record::Compressor& compressor, std::size_t plain_bytes_max);

// The codec that a batch must be brought to; nothing where it may stay.
std::optional<record::Codec> wanted_codec(TopicCompression compression, const record::BatchHeader& header);

}  // namespace edgelog::broker

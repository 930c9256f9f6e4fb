#include "cloud-broker/server/handlers/recompress.h"

namespace edgelog::broker {

std::optional<record::Codec> wanted_codec(TopicCompression compression, const record::BatchHeader& header) {
  if (compression == TopicCompression::producer) return std::nullopt;
  const auto codec = static_cast<record::Codec>(compression);
  return header.codec() == codec ? std::nullopt : std::optional(codec);
}

Result<Buffer> recompress(Bytes batch, const record::BatchHeader& header, record::Codec codec, record::Scratch& scratch,
                          record::Compressor& compressor, std::size_t plain_bytes_max) {
  auto reader = record::open_records(batch, header, scratch, plain_bytes_max);
  if (!reader) return std::move(reader).error();
  record::BatchBuilder builder;
  builder.reset(header.base_timestamp);
  record::RecordView each;
  while (reader->next(each)) builder.append_record(each, header.base_timestamp + each.timestamp_delta);
  if (!reader->ok()) return Error{Code::corrupt, "malformed records"};
  record::BatchBuilder::Finish how;
  how.codec = codec;
  how.keep_codec = true;
  how.producer_id = header.producer_id;
  how.producer_epoch = header.producer_epoch;
  how.base_sequence = header.base_sequence;
  how.transactional = header.transactional();
  return builder.finish(how, compressor);
}

}  // namespace edgelog::broker

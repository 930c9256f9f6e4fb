#include "gateway/bridge/batch_facts.h"

namespace edgelog::gateway {

FirstRecord read_first_record(Bytes batch, const record::BatchHeader& header, record::Scratch& scratch,
                              std::size_t plain_bytes_max) {
  FirstRecord first;
  auto records = record::open_records(batch, header, scratch, plain_bytes_max);
  first.plain_bytes = records ? records->bytes_left() : plain_bytes_max;
  record::RecordView record;
  if (!records || !records->next(record)) return first;
  if (const auto mark = record::find_header(record, uplink::header_origin)) first.origin = uplink::decode_origin(*mark);
  if (const auto id = record::find_header(record, uplink::header_fence); id && id->size() == sizeof(std::int64_t))
    first.fenced = ProducerId{load_big<std::int64_t>(id->data())};
  return first;
}

BatchFacts read_facts(Bytes payload, record::Scratch& scratch) {
  BatchFacts facts;
  facts.bytes = static_cast<std::int64_t>(payload.size());
  const auto size = record::peek_size(payload);
  const auto header = record::parse_header(payload);
  if (!header || !size || *size != payload.size() || header->magic != record::magic_v2) return facts;
  facts.well_formed = true;
  facts.crc = header->crc;
  facts.crc_ok = record::compute_crc(payload) == header->crc;
  facts.producer_id = header->producer_id;
  facts.producer_epoch = header->producer_epoch;
  facts.first = header->base_sequence;
  facts.record_count = header->count;
  facts.last_offset_delta = header->last_offset_delta;
  facts.control = header->control();
  facts.transactional = header->transactional();
  facts.log_append_time = header->has(record::attribute::log_append_time);
  const bool fence = facts.crc_ok && facts.producer_epoch == uplink::fence_epoch && facts.record_count == 1;
  if (fence && payload.size() <= fence_bytes_max)
    facts.fence_record = read_first_record(payload, *header, scratch, fence_bytes_max).fenced == header->producer_id;
  return facts;
}

}  // namespace edgelog::gateway

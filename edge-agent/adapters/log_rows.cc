#include "edge-agent/adapters/log_rows.h"

#include "common/wire/codec.h"

namespace edgelog::agent {
namespace {

constexpr std::int8_t row_version = 1;

template <class V>
void describe(V& v, auto& version, auto& row, const MetaRow&) {
  v.field(version);
  v.field(row.opening);
  v.field(row.source_used);
}

template <class V>
void describe(V& v, auto& version, auto& row, const StreamRow&) {
  v.field(version);
  v.field(row.topic);
  v.field(row.next);
  v.field(row.floor);
  v.field(row.partition);
  v.field(row.leader_epoch);
  v.field(row.look_from);
  v.field(row.acknowledged.producer);
  v.field(row.acknowledged.producer_epoch);
  v.field(row.acknowledged.first_sequence);
  v.field(row.acknowledged.last_sequence);
  v.field(row.acknowledged.origin);
  v.field(row.acknowledged.last_index);
  v.field(row.acknowledged.offset);
}

template <class V>
void describe(V& v, auto& version, auto& row, const OriginRow&) {
  v.field(version);
  v.field(row.first);
  v.field(row.opening);
  v.field(row.producer);
  v.field(row.numbered);
  v.field(row.must_resolve);
  v.field(row.late_before);
}

template <class V>
void describe(V& v, auto& version, auto& row, const GapRow&) {
  v.field(version);
  v.field(row.timestamp);
  v.field(row.gap.reason);
  v.field(row.gap.stream);
  v.field(row.gap.origin);
  v.field(row.gap.first);
  v.field(row.gap.last);
  v.field(row.gap.count);
  v.field(row.gap.first_time);
  v.field(row.gap.last_time);
  v.field(row.gap.source.input);
  v.field(row.gap.source.device);
  v.field(row.gap.incarnation);
  v.field(row.gap.source_first);
  v.field(row.gap.source_last);
}

template <class V>
void describe(V& v, auto& version, auto& row, const ProducerRow&) {
  v.field(version);
  v.field(row.stranger);
}

template <class V>
void describe(V& v, auto& version, auto& row, const BatchRow&) {
  v.field(version);
  v.field(row.last);
  v.field(row.origin);
  v.field(row.producer);
  v.field(row.sequence);
  v.field(row.oldest);
  v.field(row.newest);
  v.field(row.taken);
  v.field(row.bytes);
  v.field(row.published);
  v.field(row.anew);
}

template <class Row>
Buffer encode(const Row& row) {
  Buffer out;
  wire::Encoder encoder(out, 0, false);
  describe(encoder, row_version, row, row);
  return out;
}

template <class Row>
bool decode(Bytes bytes, Row& row) {
  wire::Decoder decoder(bytes, 0, false);
  std::int8_t version = 0;
  describe(decoder, version, row, row);
  return decoder.ok() && decoder.left() == 0 && version == row_version;
}

template <class Row, class Key>
bool add(std::vector<Row>& to, Bytes bytes, Key set_key) {
  Row row;
  if (!decode(bytes, row)) return false;
  set_key(row);
  to.push_back(std::move(row));
  return true;
}

}  // namespace

Buffer encode_row(const MetaRow& row) { return encode(row); }
Buffer encode_row(const StreamRow& row) { return encode(row); }
Buffer encode_row(const OriginRow& row) { return encode(row); }
Buffer encode_row(const GapRow& row) { return encode(row); }
Buffer encode_row(const ProducerRow& row) { return encode(row); }
Buffer encode_row(const BatchRow& row) { return encode(row); }
bool decode_row(Bytes bytes, MetaRow& row) { return decode(bytes, row); }
bool decode_row(Bytes bytes, StreamRow& row) { return decode(bytes, row); }
bool decode_row(Bytes bytes, OriginRow& row) { return decode(bytes, row); }
bool decode_row(Bytes bytes, GapRow& row) { return decode(bytes, row); }
bool decode_row(Bytes bytes, ProducerRow& row) { return decode(bytes, row); }
bool decode_row(Bytes bytes, BatchRow& row) { return decode(bytes, row); }

bool add_state_row(Persisted& to, std::int64_t kind, StreamId stream, std::int64_t id, Bytes bytes) {
  switch (static_cast<StateKind>(kind)) {
    case StateKind::meta: return decode(bytes, to.meta);
    case StateKind::stream: return add(to.streams, bytes, [&](StreamRow& row) { row.id = stream; });
    case StateKind::origin:
      return add(to.origins, bytes, [&](OriginRow& row) {
        row.stream = stream;
        row.origin = ProducerId{id};
      });
    case StateKind::producer:
      return add(to.producers, bytes, [&](ProducerRow& row) {
        row.stream = stream;
        row.id = ProducerId{id};
      });
    case StateKind::gap: return add(to.gaps, bytes, [&](GapRow& row) { row.index = EventIndex{id}; });
  }
  return false;
}

}  // namespace edgelog::agent

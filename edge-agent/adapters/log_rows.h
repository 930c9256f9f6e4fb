#pragma once
// The small rows of the agent's log as bytes: big-endian fields, as the uplink's messages are written.
// docs/FORMATS.md, "The agent's log", table `state`.
#include "common/base/bytes.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

// Column `kind` of the table `state`. The key is (kind, stream, id).
enum class StateKind : std::int64_t {
  meta = 1,      // stream 0, id 0
  stream = 2,    // stream, id 0
  origin = 3,    // stream, id: origin
  producer = 4,  // stream, id: producer id
  gap = 5,       // stream 0, id: index
};

Buffer encode_row(const MetaRow&);
Buffer encode_row(const StreamRow&);
Buffer encode_row(const OriginRow&);
Buffer encode_row(const ProducerRow&);
Buffer encode_row(const GapRow&);
Buffer encode_row(const BatchRow&);  // column `head` of the table `batches`: always of one size
// False: not what encode_row wrote. Key fields are the caller's.
bool decode_row(Bytes, MetaRow&);
bool decode_row(Bytes, StreamRow&);
bool decode_row(Bytes, OriginRow&);
bool decode_row(Bytes, ProducerRow&);
bool decode_row(Bytes, GapRow&);
bool decode_row(Bytes, BatchRow&);
// A row of the table `state` with its key. False: malformed, and nothing was added.
bool add_state_row(Persisted& to, std::int64_t kind, StreamId stream, std::int64_t id, Bytes row);

}  // namespace edgelog::agent

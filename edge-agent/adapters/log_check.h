#pragma once
// Whether rows that were read agree with each other. The core asserts what is checked here
// (edge-agent/core/opening.cc), so that damage which SQLite does not see would end every start of the agent.
#include <cstdint>
#include <vector>

#include "edge-agent/core/rows.h"

namespace edgelog::agent {

// How rows contradict each other; null: they do not.
const char* contradiction(const Persisted& all);

// A batch, a run or an unsealed gap: events of one stream that stand or fall together.
struct Piece {
  enum class Kind : std::uint8_t { batch, run, gap };
  Kind kind = Kind::batch;
  StreamId stream;
  EventIndex first, last;
  ProducerId origin{no_producer};  // a batch's
  bool published = false;          // a batch
  bool malformed = false;          // only the key is known
  WallMillis oldest{-1}, newest{-1};
  bool copied = false;  // durable in the new log
};

struct LeftOut {
  std::int64_t pieces = 0;
  std::vector<Gap> lost;  // log_lost, in the order of streams and indexes; not all where there are very many
};
// Takes out of `rows` (but for its batches, events and gaps) and of `pieces` what is malformed or contradicts the rest,
// as little as it can, so that what is left is without contradiction.
LeftOut leave_out_contradictions(Persisted& rows, std::vector<Piece>& pieces);
// What `left` held, between what is kept: both in the order of streams and indexes, `rows` without contradiction.
std::vector<Gap> name_lost(const Persisted& rows, const std::vector<Piece>& kept, const std::vector<Piece>& left);

}  // namespace edgelog::agent

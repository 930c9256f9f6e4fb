#pragma once
// What a partition remembers of its idempotent producers: per id the epoch, the last sequence and the last
// five batches, so that a batch that comes again is answered with its old offset and a hole is refused
// (kafka-protocol.md 3.5; KIP-98, KIP-360). A pure function of the batches applied and the horizons, in
// order: replicas and a recovered log agree byte for byte. Shard thread only.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace edgelog::broker {

// What the state needs of a batch. `count`: sequence numbers, which is last offset delta + 1.
struct ProducerBatch {
  ProducerId id;
  ProducerEpoch epoch;
  Sequence first;
  std::int32_t count = 0;
  Offset base;
};

enum class ProducerKind : std::int8_t { handed_out = 0, agent = 1 };
constexpr ProducerKind kind_of(ProducerId id) {
  return is_agent_producer_id(id) ? ProducerKind::agent : ProducerKind::handed_out;
}

struct ProducerVerdict {
  std::int16_t error = 0;  // 45 OUT_OF_ORDER_SEQUENCE_NUMBER, 47 INVALID_PRODUCER_EPOCH
  bool duplicate = false;  // then: where it was appended the first time
  Offset base{-1}, last{-1};
};

class Producers {
 public:
  static constexpr std::size_t window = 5;

  Producers();
  ~Producers();
  Producers(Producers&&) noexcept;
  Producers& operator=(Producers&&) noexcept;

  // `base` is not looked at.
  ProducerVerdict check(const ProducerBatch& batch) const;
  // The batch stands in the log. Not checked again: what a log holds is a fact.
  void apply(const ProducerBatch& batch);

  // Forgets the ids of a kind whose last batch lies below `before`; gives their number. This is how ids expire:
  // time is turned into an offset by the leader, which decides and journals it.
  std::size_t forget(ProducerKind kind, Offset before);
  // A horizon that forgets at least `count` ids, the longest idle ones (count <= size()).
  Offset horizon_forgetting(std::size_t count) const;

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;
  // Offset after the last batch of the id; -1: unknown id. For tests and compaction.
  Offset last_offset(ProducerId id) const;

  // Sorted by id, so equal states give equal bytes.
  Buffer snapshot() const;
  static Result<Producers> restore(Bytes snapshot);

 private:
  struct Entry;
  struct Block;
  Entry& at(std::uint32_t number) const;
  std::uint32_t* slot_of(ProducerId id);
  const Entry* find(ProducerId id) const;
  Entry& insert(ProducerId id);
  void rehash(std::size_t slots);

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::uint32_t> slots_;  // number + 1 of an entry, 0: empty; a power of two of them
  std::size_t size_ = 0;
};

}  // namespace edgelog::broker

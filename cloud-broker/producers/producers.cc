#include "cloud-broker/producers/producers.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace edgelog::broker {
namespace {

constexpr std::int16_t out_of_order = 45, invalid_epoch = 47;
constexpr std::uint64_t distance_bits = 40, count_max = 1u << 24;
constexpr std::size_t entries_per_block = 16;
constexpr std::int8_t snapshot_version = 1;

// splitmix64's finisher: ids of agents differ in their low bits only, handed-out ids count up.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

// 64 bytes: two million of them are what a fleet of ten thousand agents leaves behind in 90 days.
struct Producers::Entry {
  std::int64_t id;
  std::int64_t last_offset;
  std::int32_t last_sequence;
  std::int16_t epoch;
  std::uint8_t batches;  // how many of `recent` are valid, newest first
  std::uint8_t unused;
  std::array<std::uint64_t, window> recent;  // 40 bits: last_offset minus the batch's last offset; 24: count - 1

  void push(const ProducerBatch& batch);
  Offset last_of(std::size_t i) const { return Offset{last_offset - static_cast<std::int64_t>(recent[i] >> 24)}; }
  std::int32_t count_of(std::size_t i) const { return static_cast<std::int32_t>(recent[i] & (count_max - 1)) + 1; }
};

struct Producers::Block {
  std::array<Entry, entries_per_block> entries;
};

void Producers::Entry::push(const ProducerBatch& batch) {
  const std::int64_t last = batch.base.value() + batch.count - 1;
  const auto moved = static_cast<std::uint64_t>(last - last_offset);
  std::size_t kept = std::min<std::size_t>(batches, window - 1);
  for (std::size_t i = 0; i < kept; ++i) {
    const std::uint64_t distance = (recent[i] >> 24) + moved;
    if (distance >> distance_bits != 0) kept = i;  // a trillion records ago: beyond what can come again
  }
  for (std::size_t i = kept; i > 0; --i) recent[i] = recent[i - 1] + (moved << 24);
  recent[0] = static_cast<std::uint64_t>(batch.count - 1);
  batches = static_cast<std::uint8_t>(kept + 1);
  // More numbers than a count holds: the batch and what stands before it cannot be recognised again.
  if (static_cast<std::uint64_t>(batch.count) > count_max) batches = 0;
  last_offset = last;
  last_sequence = (batch.first + (batch.count - 1)).value();
}

Producers::Producers() = default;
Producers::~Producers() = default;
Producers::Producers(Producers&&) noexcept = default;
Producers& Producers::operator=(Producers&&) noexcept = default;

Producers::Entry& Producers::at(std::uint32_t number) const {
  return blocks_[number / entries_per_block]->entries[number % entries_per_block];
}

std::uint32_t* Producers::slot_of(ProducerId id) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = mixed(static_cast<std::uint64_t>(id.value())) & mask;; i = (i + 1) & mask) {
    if (slots_[i] == 0 || at(slots_[i] - 1).id == id.value()) return &slots_[i];
  }
}

const Producers::Entry* Producers::find(ProducerId id) const {
  if (slots_.empty()) return nullptr;
  const std::uint32_t slot = *const_cast<Producers*>(this)->slot_of(id);
  return slot == 0 ? nullptr : &at(slot - 1);
}

void Producers::rehash(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::uint32_t i = 0; i < size_; ++i) *slot_of(ProducerId{at(i).id}) = i + 1;
}

Producers::Entry& Producers::insert(ProducerId id) {
  ASSERT(size_ < UINT32_MAX - 1);
  if ((size_ + 1) * 8 > slots_.size() * 7) rehash(std::max<std::size_t>(8, slots_.size() * 2));
  if (size_ == blocks_.size() * entries_per_block) blocks_.push_back(std::make_unique<Block>());
  const auto number = static_cast<std::uint32_t>(size_++);
  Entry& entry = at(number);
  entry = Entry{id.value(), -1, -1, -1, 0, 0, {}};
  std::uint32_t* const slot = slot_of(id);
  ASSERT(*slot == 0);
  *slot = number + 1;
  return entry;
}

ProducerVerdict Producers::check(const ProducerBatch& batch) const {
  const Entry* const known = find(batch.id);
  if (known == nullptr) {
    // Kafka takes any beginning. An agent's ids begin at 0, so another beginning means that this log has lost
    // or forgotten the id, and the agent must look before it goes on (docs/ARCHITECTURE.md).
    if (kind_of(batch.id) == ProducerKind::agent && batch.first != Sequence{0}) return {.error = out_of_order};
    return {};
  }
  const ProducerEpoch epoch{known->epoch};
  if (batch.epoch == epoch) {
    Sequence last{known->last_sequence};
    for (std::size_t i = 0; i < known->batches; ++i) {
      const Sequence first = last + (1 - known->count_of(i));
      if (first == batch.first && known->count_of(i) == batch.count) {
        return {.duplicate = true, .base = known->last_of(i) + (1 - known->count_of(i)), .last = known->last_of(i)};
      }
      last = first + -1;
    }
    return batch.first == Sequence{known->last_sequence} + 1 ? ProducerVerdict{}
                                                             : ProducerVerdict{.error = out_of_order};
  }
  if (batch.epoch < epoch) return {.error = invalid_epoch};
  return batch.first == Sequence{0} ? ProducerVerdict{} : ProducerVerdict{.error = out_of_order};
}

void Producers::apply(const ProducerBatch& batch) {
  ASSERT(batch.count > 0);  // P1
  const Entry* const known = find(batch.id);
  Entry& entry = known != nullptr ? const_cast<Entry&>(*known) : insert(batch.id);
  ASSERT(batch.base.value() > entry.last_offset);  // P2
  // Another epoch, or a hole (an id that the log had forgotten in between): what came before cannot come again.
  if (entry.epoch != batch.epoch.value() || Sequence{entry.last_sequence} + 1 != batch.first) entry.batches = 0;
  entry.epoch = batch.epoch.value();
  entry.push(batch);
}

std::size_t Producers::forget(ProducerKind kind, Offset before) {
  const std::size_t had = size_;
  for (std::size_t i = size_; i > 0; --i) {
    Entry& entry = at(static_cast<std::uint32_t>(i - 1));
    if (kind_of(ProducerId{entry.id}) != kind || entry.last_offset >= before.value()) continue;
    entry = at(static_cast<std::uint32_t>(size_ - 1));
    --size_;
  }
  if (size_ == had) return 0;
  blocks_.resize((size_ + entries_per_block - 1) / entries_per_block);
  std::size_t slots = 8;
  while (size_ * 8 > slots * 7) slots *= 2;
  slots_.shrink_to_fit();
  rehash(slots);
  return had - size_;
}

Offset Producers::horizon_forgetting(std::size_t count) const {
  ASSERT(count > 0 && count <= size_);
  std::vector<std::int64_t> offsets(size_);
  for (std::uint32_t i = 0; i < size_; ++i) offsets[i] = at(i).last_offset;
  const auto nth = offsets.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(offsets.begin(), nth, offsets.end());
  return Offset{*nth + 1};
}

std::size_t Producers::memory_bytes() const {
  return blocks_.size() * (sizeof(Block) + sizeof(std::unique_ptr<Block>) + 16) +
         slots_.capacity() * sizeof(std::uint32_t);
}

Offset Producers::last_offset(ProducerId id) const {
  const Entry* const known = find(id);
  return known == nullptr ? Offset{-1} : Offset{known->last_offset};
}

Buffer Producers::snapshot() const {
  std::vector<std::uint32_t> order(size_);
  for (std::uint32_t i = 0; i < size_; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) { return at(a).id < at(b).id; });
  Buffer out(9);
  out[0] = std::byte{snapshot_version};
  store_big<std::uint64_t>(out.data() + 1, size_);
  for (const auto number : order) {
    const Entry& entry = at(number);
    const std::size_t begin = out.size();
    out.resize(begin + 23 + entry.batches * 8u);
    std::byte* const to = out.data() + begin;
    store_big(to, entry.id);
    store_big(to + 8, entry.last_offset);
    store_big(to + 16, entry.last_sequence);
    store_big(to + 20, entry.epoch);
    to[22] = std::byte{entry.batches};
    for (std::size_t i = 0; i < entry.batches; ++i) store_big(to + 23 + i * 8, entry.recent[i]);
  }
  return out;
}

Result<Producers> Producers::restore(Bytes in) {
  const Error bad{Code::corrupt, "producer snapshot is not well-formed"};
  if (in.size() < 9 || in[0] != std::byte{snapshot_version}) return bad;
  const auto count = load_big<std::uint64_t>(in.data() + 1);
  if (count > in.size() / 23) return bad;
  in = in.subspan(9);
  Producers made;
  for (std::uint64_t n = 0; n < count; ++n) {
    if (in.size() < 23) return bad;
    const ProducerId id{load_big<std::int64_t>(in.data())};
    const auto batches = static_cast<std::uint8_t>(in[22]);
    if (batches > window || in.size() < 23 + batches * 8u || made.find(id) != nullptr) return bad;
    Entry& entry = made.insert(id);
    entry.last_offset = load_big<std::int64_t>(in.data() + 8);
    entry.last_sequence = load_big<std::int32_t>(in.data() + 16);
    entry.epoch = load_big<std::int16_t>(in.data() + 20);
    entry.batches = batches;
    for (std::size_t i = 0; i < batches; ++i) entry.recent[i] = load_big<std::uint64_t>(in.data() + 23 + i * 8);
    in = in.subspan(23 + batches * 8u);
  }
  if (!in.empty()) return bad;
  return made;
}

}  // namespace edgelog::broker

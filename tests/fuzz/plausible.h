#pragma once
// Fills any request with values that a broker takes seriously: a fuzzer's bytes choose, field by field, between
// names and numbers that exist here and raw ones. One more visitor of describe().
#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/record/batch.h"
#include "common/wire/codec.h"
#include "tests/support/batches.h"

namespace edgelog::fuzz {

// A fuzzer's input, taken from the front; zeros once it has ended.
class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}
  bool ended() const { return rest_.empty(); }
  Bytes take(std::size_t n) {
    const Bytes out = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  std::uint8_t byte() {
    const Bytes one = take(1);
    return one.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(one[0]);
  }
  std::uint64_t raw(std::size_t bytes) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < bytes; ++i) out = out << 8 | byte();
    return out;
  }

 private:
  Bytes rest_;
};

// What was seen in responses, so that later requests can name it.
struct Known {
  std::deque<std::string> words;  // latest first
  std::deque<std::int64_t> numbers;
  std::deque<Uuid> ids;
  template <class T>
  static void note(std::deque<T>& list, const T& value) {
    if (std::find(list.begin(), list.end(), value) != list.end()) return;
    list.push_front(value);
    if (list.size() > 8) list.pop_back();
  }
};

class Plausible {
 public:
  Plausible(wire::Version version, Input& input, const Known& known)
      : version_(version), input_(input), known_(known) {}
  Plausible(const Plausible&) = delete;  // messages hold views of blobs_

  template <class T>
  void field(T& f, wire::Versions in = wire::always, wire::Nullable null = wire::never_null) {
    if (in.has(version_)) fill(f, null.has(version_));
  }
  template <class... T>
  void tags(wire::Tagged<T>... known) {
    ((known.in.has(version_) && input_.byte() % 4 == 1 ? fill(known.value, false) : void()), ...);
  }

 private:
  template <class T>
  void fill(T& f, bool null) {
    if constexpr (std::is_same_v<T, bool>) {
      f = input_.byte() % 2 == 1;
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      f = static_cast<T>(number(sizeof f));
    } else if constexpr (wire::detail::is_strong<T>) {
      f = T{static_cast<typename T::rep>(number(sizeof f))};
    } else if constexpr (std::is_same_v<T, Uuid>) {
      const std::uint8_t which = input_.byte();
      f = which < 200 && !known_.ids.empty() ? known_.ids[which % known_.ids.size()] : Uuid{};
    } else if constexpr (std::is_same_v<T, Bytes>) {
      f = blob();
    } else if constexpr (std::is_same_v<T, std::string>) {
      f = text();
    } else if constexpr (wire::detail::is_vector<T>) {
      const std::uint8_t n = input_.byte();
      f.resize(n < 128 ? 1 : n < 192 ? 2 : n % 4);
      for (auto& item : f) fill(item, false);
    } else if constexpr (wire::detail::is_optional<T>) {
      if (null && input_.byte() % 3 == 0)
        f.reset();
      else
        fill(f.emplace(), false);
    } else {
      T::describe(*this, f);
    }
  }

  std::int64_t number(std::size_t bytes) {
    static constexpr std::int64_t often[] = {0, -1, 1, 2, 3, 7, 100, 1000, 30'000, 1 << 20};
    const std::uint8_t which = input_.byte();
    if (which < 160) return often[which % std::size(often)];
    if (which < 200 && !known_.numbers.empty()) return known_.numbers[which % known_.numbers.size()];
    if (which < 210) return static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - 8 * bytes));  // its largest
    if (which < 216) return static_cast<std::int64_t>(std::uint64_t{1} << (8 * bytes - 1));    // its smallest
    return static_cast<std::int64_t>(input_.raw(bytes));
  }

  std::string text() {
    static constexpr std::string_view often[] = {"door",
                                                 "climate",
                                                 "group",
                                                 "kcat",
                                                 "",
                                                 "consumer",
                                                 "range",
                                                 "static-1",
                                                 "1",
                                                 "-1",
                                                 "100",
                                                 "cleanup.policy",
                                                 "compact",
                                                 "delete",
                                                 "retention.ms",
                                                 "segment.bytes",
                                                 "compact,delete",
                                                 "retention.bytes",
                                                 "min.insync.replicas",
                                                 "__consumer_offsets",
                                                 "message.timestamp.type",
                                                 "LogAppendTime",
                                                 "max.message.bytes",
                                                 "compression.type",
                                                 "gzip",
                                                 "Stable",
                                                 "Empty",
                                                 "classic"};
    const std::uint8_t which = input_.byte();
    if (which < 128) return std::string(often[which % std::size(often)]);
    if (which < 220 && !known_.words.empty()) return known_.words[which % known_.words.size()];
    const Bytes raw = input_.take(input_.byte() % 64);
    return std::string(as_text(raw));
  }

  // A record batch, mostly; one byte of it may be wrong, with the CRC made right again.
  Bytes blob() {
    const std::uint8_t which = input_.byte();
    if (which >= 208) return input_.take(input_.byte());
    testing::BatchSpec spec;
    const std::uint8_t shape = input_.byte();
    spec.records = 1 + shape % 3;
    if (shape % 8 >= 4)
      spec.producer = ProducerId{number(8)}, spec.epoch = input_.byte() % 3, spec.sequence = input_.byte() % 8;
    if (shape >= 128) spec.key = text();
    spec.codec = static_cast<record::Codec>(shape / 8 % 5);
    spec.timestamp = 1'700'000'000'000;
    Buffer& batch = blobs_.emplace_back(testing::make_batch(spec));
    if (which % 4 == 3) {
      batch[input_.raw(2) % batch.size()] = static_cast<std::byte>(input_.byte());
      store_big(batch.data() + record::at::crc, record::compute_crc(batch));
    }
    if (which % 16 == 4) append(batch, Buffer(batch));
    return batch;
  }

  wire::Version version_;
  Input& input_;
  const Known& known_;
  std::deque<Buffer> blobs_;
};

}  // namespace edgelog::fuzz

#pragma once
// The Kafka protocol's value encodings. A message is a struct with one static describe(visitor, message);
// decoding, encoding and printing are visitors over it, so that a field is known in one place only.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace edgelog::wire {

using Version = std::int16_t;
using Millis = Strong<struct MillisTag, std::int32_t>;

// The versions of a message in which a field exists, or may be null.
struct Versions {
  Version first = 0, last = INT16_MAX;
  constexpr bool has(Version v) const { return first <= v && v <= last; }
};
struct Nullable : Versions {};
constexpr Versions since(Version v) { return {v}; }
constexpr Versions only(Version first, Version last) { return {first, last}; }
constexpr Nullable nullable(Versions v) { return {v}; }
inline constexpr Versions always{};
inline constexpr Nullable never_null{{1, 0}};

inline constexpr Version not_flexible = INT16_MAX;

// One API of the protocol: its key and the versions of which we know the messages. Kafka's word "flexible":
// from that version on lengths are compact and structs end in tagged fields (KIP-482).
struct Api {
  std::int16_t key;
  const char* name;
  Version first, last;
  Version flexible = not_flexible;
  Version offered_first = -1;  // where a lower minimum is offered than served; else as `first`
  constexpr bool serves(Version v) const { return first <= v && v <= last; }
  constexpr Version offer() const { return offered_first < 0 ? first : offered_first; }
};

template <class T>
struct Tagged {
  std::uint32_t tag;
  Versions in;
  T& value;
};
template <class T>
Tagged<T> tag(std::uint32_t number, Versions in, T& value) {
  return {number, in, value};
}

// What the arrays of one message may take: a million partitions, and then some.
inline constexpr std::size_t array_memory_max = 64 << 20;
// Longest string that Kafka takes, in either encoding.
inline constexpr std::size_t string_bytes_max = 32767;

namespace detail {
template <class T>
inline constexpr bool is_strong = requires(T t) {
  typename T::rep;
  t.value();
};
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
// Has a length of its own, and so a null: an optional of it needs no presence byte.
template <class T>
inline constexpr bool has_length = std::is_same_v<T, std::string> || std::is_same_v<T, Bytes> || is_vector<T>;
template <class T>
inline constexpr unsigned length_bytes = std::is_same_v<T, std::string> ? 2 : 4;  // classic encoding

template <class T>
bool is_default(const T& f) {
  if constexpr (requires { f.has_value(); })
    return !f.has_value();
  else if constexpr (requires { f.empty(); })
    return f.empty();
  else
    return f == std::remove_const_t<T>{};
}
}  // namespace detail

// Reads untrusted bytes. Errors are sticky: after the first bad byte every read gives zero or empty, so a
// describe() has no branches and the caller asks once, through decode(). Memory is bounded by the size of
// the input: arrays may take 32 times its bytes and array_memory_max, which no honest message comes near.
class Decoder {
 public:
  Decoder(Bytes in, Version version, bool flexible)
      : p_(in.data()),
        end_(p_ + in.size()),
        memory_left_(std::min(32 * in.size() + 65536, array_memory_max)),
        version_(version),
        flexible_(flexible) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }
  Bytes rest() const { return {p_, left()}; }

  template <class T>
  void field(T& f, Versions in = always, Nullable null = never_null) {
    if (in.has(version_)) read(f, null.has(version_));
  }
  template <class... T>
  void tags(Tagged<T>... known) {
    if (!flexible_) return;
    for (std::uint32_t n = uvarint(); n > 0 && ok_; --n) {
      [[maybe_unused]] const std::uint32_t number = uvarint();
      const std::uint32_t size = uvarint();
      if (size > left()) return fail();
      const std::byte* const stop = p_ + size;
      const std::byte* const outer = std::exchange(end_, stop);  // a tag cannot read past itself
      ((number == known.tag && known.in.has(version_) ? read(known.value, true) : void()), ...);
      end_ = outer;
      if (ok_) p_ = stop;  // unknown tags, and what a newer peer added, are skipped
    }
  }

 private:
  template <class T>
  void read(T& f, bool null);
  template <class T>
  void read_optional(std::optional<T>& f, bool null);
  template <class T>
  void items(std::vector<T>& f, std::int64_t n) {
    f.clear();
    for (; n > 0 && ok_; --n) {  // a count is a claim: pay as bytes are seen
      if (memory_left_ < sizeof(T)) return fail();
      memory_left_ -= sizeof(T);
      read(f.emplace_back(), false);
    }
  }
  std::uint64_t uint(unsigned bytes);
  std::uint32_t uvarint();
  std::int64_t length(unsigned bytes, bool null);
  Bytes blob(std::int64_t n) {
    const Bytes b{p_, static_cast<std::size_t>(n > 0 ? n : 0)};
    p_ += b.size();
    return b;
  }
  void text(std::string& f, std::int64_t n) {
    if (n > static_cast<std::int64_t>(string_bytes_max)) return fail();
    f = as_text(blob(n));
  }
  void fail() {
    ok_ = false;
    p_ = end_;
  }

  const std::byte* p_;
  const std::byte* end_;
  std::size_t memory_left_;
  Version version_;
  bool flexible_, ok_ = true;
};

template <class T>
void Decoder::read(T& f, bool null) {
  if constexpr (std::is_same_v<T, bool>) {
    f = uint(1) != 0;
  } else if constexpr (std::is_same_v<T, double>) {
    f = std::bit_cast<double>(uint(8));
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    f = static_cast<T>(uint(sizeof f));
  } else if constexpr (detail::is_strong<T>) {
    f = T{static_cast<typename T::rep>(uint(sizeof f))};
  } else if constexpr (std::is_same_v<T, Uuid>) {
    if (left() < f.size()) return fail();
    std::memcpy(f.data(), p_, f.size());
    p_ += f.size();
  } else if constexpr (std::is_same_v<T, Bytes>) {
    f = blob(length(4, null));
  } else if constexpr (std::is_same_v<T, std::string>) {
    text(f, length(2, null));
  } else if constexpr (detail::is_vector<T>) {
    items(f, length(4, null));
  } else if constexpr (detail::is_optional<T>) {
    read_optional(f, null);
  } else {
    T::describe(*this, f);
  }
}

template <class T>
void Decoder::read_optional(std::optional<T>& f, bool null) {
  f.reset();
  if constexpr (detail::has_length<T>) {
    const std::int64_t n = length(detail::length_bytes<T>, null);
    if (n < 0 || !ok_) return;
    if constexpr (detail::is_vector<T>)
      items(f.emplace(), n);
    else if constexpr (std::is_same_v<T, Bytes>)
      f = blob(n);
    else
      text(f.emplace(), n);
  } else {
    if (static_cast<std::int8_t>(uint(1)) >= 0) read(f.emplace(), false);
  }
}

// A large byte field that an encoder left out: it belongs at `at` of the encoded bytes, and the caller sends
// it from where it lies.
struct Splice {
  std::size_t at;
  Bytes bytes;
};
inline constexpr std::size_t splice_bytes_min = 1024;  // a smaller one is copied

class Encoder {
 public:
  // With `splices`, byte fields from splice_bytes_min on are noted there instead of copied.
  Encoder(Buffer& out, Version version, bool flexible, std::vector<Splice>* splices = nullptr)
      : out_(out), splices_(splices), version_(version), flexible_(flexible) {}
  template <class T>
  void field(const T& f, Versions in = always, Nullable null = never_null) {
    if (in.has(version_)) write(f, null.has(version_));
  }
  template <class... T>
  void tags(Tagged<T>... known) {
    if (!flexible_) return;
    uvarint((0u + ... + static_cast<std::uint32_t>(sends(known))));
    ((sends(known) ? tagged(known) : void()), ...);
  }

 private:
  template <class T>
  bool sends(const Tagged<T>& t) const {
    return t.in.has(version_) && !detail::is_default(t.value);
  }
  template <class T>
  void tagged(const Tagged<T>& t) {
    Buffer body;
    Encoder(body, version_, true).write(t.value, false);
    uvarint(t.tag);
    uvarint(static_cast<std::uint32_t>(body.size()));
    blob(body.data(), body.size());
  }
  template <class T>
  void write(const T& f, bool null);
  template <class T>
  void write_optional(const std::optional<T>& f, bool null);
  void uint(std::uint64_t v, unsigned bytes);
  void uvarint(std::uint32_t v);
  void length(std::int64_t n, unsigned bytes);
  void blob(const void* p, std::size_t n) {
    const auto* b = static_cast<const std::byte*>(p);
    out_.insert(out_.end(), b, b + n);
  }

  Buffer& out_;
  std::vector<Splice>* splices_;
  Version version_;
  bool flexible_;
};

template <class T>
void Encoder::write(const T& f, bool null) {
  if constexpr (std::is_same_v<T, bool>) {
    uint(f ? 1 : 0, 1);
  } else if constexpr (std::is_same_v<T, double>) {
    uint(std::bit_cast<std::uint64_t>(f), 8);
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    uint(static_cast<std::uint64_t>(f), sizeof f);
  } else if constexpr (detail::is_strong<T>) {
    uint(static_cast<std::uint64_t>(f.value()), sizeof f);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    blob(f.data(), f.size());
  } else if constexpr (std::is_same_v<T, std::string>) {
    ASSERT(f.size() <= string_bytes_max);
    length(static_cast<std::int64_t>(f.size()), 2);
    blob(f.data(), f.size());
  } else if constexpr (std::is_same_v<T, Bytes>) {
    length(static_cast<std::int64_t>(f.size()), 4);
    if (splices_ != nullptr && f.size() >= splice_bytes_min)
      splices_->push_back({out_.size(), f});
    else
      blob(f.data(), f.size());
  } else if constexpr (detail::is_vector<T>) {
    length(static_cast<std::int64_t>(f.size()), 4);
    for (const auto& x : f) write(x, false);
  } else if constexpr (detail::is_optional<T>) {
    write_optional(f, null);
  } else {
    T::describe(*this, f);
  }
}

// Where a version has no null, an absent one is sent as empty.
template <class T>
void Encoder::write_optional(const std::optional<T>& f, bool null) {
  if constexpr (detail::has_length<T>) {
    if (f)
      write(*f, null);
    else
      length(null ? -1 : 0, detail::length_bytes<T>);
  } else {
    uint(f ? 1 : 0xff, 1);
    if (f) write(*f, false);
  }
}

// The whole of `in` is one message of that version. False: it is not; `m` is then in no particular state.
template <class M>
bool decode(Bytes in, Version v, M& m) {
  Decoder d(in, v, v >= M::api.flexible);
  M::describe(d, m);
  return d.ok() && d.left() == 0;
}
// Appends.
template <class M>
void encode(const M& m, Version v, Buffer& out) {
  Encoder e(out, v, v >= M::api.flexible);
  M::describe(e, m);
}
// Appends all but the large byte fields: see Splice. Those must outlive what is done with `splices`.
template <class M>
void encode_spliced(const M& m, Version v, Buffer& out, std::vector<Splice>& splices) {
  Encoder e(out, v, v >= M::api.flexible, &splices);
  M::describe(e, m);
}

}  // namespace edgelog::wire

#pragma once
// The Kafka protocol's value encodings. A message is a struct with one static describe(visitor, message);
// decoding, encoding and printing are visitors over it, so that a field is known in one place only.
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

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

struct Api { std::int16_t key; const char* name; Version first, last, flexible; };

template <class T> struct Tagged { std::uint32_t tag; Versions in; T& value; };
template <class T> Tagged<T> tag(std::uint32_t number, Versions in, T& value) { return {number, in, value}; }

namespace detail {
template <class T> inline constexpr bool is_strong = requires(T t) { typename T::rep; t.value(); };
template <class T> inline constexpr bool is_optional = false;
template <class T> inline constexpr bool is_optional<std::optional<T>> = true;
template <class T> inline constexpr bool is_vector = false;
template <class T> inline constexpr bool is_vector<std::vector<T>> = true;
template <class T> bool is_default(const T& f) {
  if constexpr (requires { f.has_value(); }) return !f.has_value();
  else if constexpr (requires { f.empty(); }) return f.empty();
  else return f == T{};
}
}  // namespace detail

// Reads untrusted bytes. Errors are sticky: after the first bad byte every read gives zero or empty, so a
// describe() has no branches and the caller asks once, through decode().
class Decoder {
 public:
  Decoder(Bytes in, Version version, bool flexible) : p_(in.data()), end_(p_ + in.size()), version_(version), flexible_(flexible) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }

  template <class T> void field(T& f, Versions in = always, Nullable null = never_null) {
    if (in.has(version_)) read(f, null.has(version_));
  }
  template <class... T> void tags(Tagged<T>... known) {
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
  template <class T> void read(T& f, bool null);
  template <class T> void items(std::vector<T>& f, std::int64_t n) {
    f.clear();
    f.reserve(static_cast<std::size_t>(n > 256 ? 256 : n < 0 ? 0 : n));  // a count is a claim: pay as bytes are seen
    for (; n > 0 && ok_; --n) read(f.emplace_back(), false);
    if (!ok_) f.clear();
  }
  std::uint64_t uint(unsigned bytes);
  std::uint32_t uvarint();
  std::int64_t length(unsigned bytes, bool null);
  Bytes blob(std::int64_t n) { Bytes b{p_, static_cast<std::size_t>(n > 0 ? n : 0)}; p_ += b.size(); return b; }
  void fail() { ok_ = false; p_ = end_; }

  const std::byte* p_;
  const std::byte* end_;
  Version version_;
  bool flexible_, ok_ = true;
};

template <class T> void Decoder::read(T& f, bool null) {
  if constexpr (std::is_same_v<T, bool>) f = uint(1) != 0;
  else if constexpr (std::is_same_v<T, double>) f = std::bit_cast<double>(uint(8));
  else if constexpr (std::is_integral_v<T>) f = static_cast<T>(uint(sizeof f));
  else if constexpr (detail::is_strong<T>) f = T{static_cast<typename T::rep>(uint(sizeof f))};
  else if constexpr (std::is_same_v<T, Uuid>) { if (left() < 16) return fail(); std::memcpy(f.data(), p_, 16); p_ += 16; }
  else if constexpr (std::is_same_v<T, Bytes>) f = blob(length(4, null));
  else if constexpr (std::is_same_v<T, std::string>) { const Bytes b = blob(length(2, null)); f.assign(reinterpret_cast<const char*>(b.data()), b.size()); }
  else if constexpr (detail::is_vector<T>) items(f, length(4, null));
  else if constexpr (detail::is_optional<T>) {
    using U = typename T::value_type;
    f.reset();
    if constexpr (std::is_same_v<U, std::string> || std::is_same_v<U, Bytes> || detail::is_vector<U>) {
      const std::int64_t n = length(std::is_same_v<U, std::string> ? 2 : 4, null);
      if (n < 0 || !ok_) return;
      if constexpr (detail::is_vector<U>) items(f.emplace(), n);
      else if constexpr (std::is_same_v<U, Bytes>) f = blob(n);
      else { const Bytes b = blob(n); f.emplace(reinterpret_cast<const char*>(b.data()), b.size()); }
    } else if (static_cast<std::int8_t>(uint(1)) >= 0) read(f.emplace(), false);
  } else T::describe(*this, f);
}

class Encoder {
 public:
  Encoder(std::vector<std::byte>& out, Version version, bool flexible) : out_(out), version_(version), flexible_(flexible) {}
  template <class T> void field(const T& f, Versions in = always, Nullable null = never_null) {
    if (in.has(version_)) write(f, null.has(version_));
  }
  template <class... T> void tags(Tagged<T>... known) {
    if (!flexible_) return;
    uvarint((0u + ... + static_cast<std::uint32_t>(sends(known))));
    ((sends(known) ? tagged(known) : void()), ...);
  }

 private:
  template <class T> bool sends(const Tagged<T>& t) const { return t.in.has(version_) && !detail::is_default(t.value); }
  template <class T> void tagged(const Tagged<T>& t) {
    std::vector<std::byte> body;
    Encoder(body, version_, true).write(t.value, false);
    uvarint(t.tag);
    uvarint(static_cast<std::uint32_t>(body.size()));
    out_.insert(out_.end(), body.begin(), body.end());
  }
  template <class T> void write(const T& f, bool null);
  void uint(std::uint64_t v, unsigned bytes);
  void uvarint(std::uint32_t v);
  void length(std::int64_t n, unsigned bytes) { flexible_ ? uvarint(static_cast<std::uint32_t>(n + 1)) : uint(static_cast<std::uint64_t>(n), bytes); }
  void blob(const void* p, std::size_t n) { auto b = static_cast<const std::byte*>(p); out_.insert(out_.end(), b, b + n); }

  std::vector<std::byte>& out_;
  Version version_;
  bool flexible_;
};

template <class T> void Encoder::write(const T& f, bool null) {
  if constexpr (std::is_same_v<T, bool>) uint(f ? 1 : 0, 1);
  else if constexpr (std::is_same_v<T, double>) uint(std::bit_cast<std::uint64_t>(f), 8);
  else if constexpr (std::is_integral_v<T>) uint(static_cast<std::uint64_t>(f), sizeof f);
  else if constexpr (detail::is_strong<T>) uint(static_cast<std::uint64_t>(f.value()), sizeof f);
  else if constexpr (std::is_same_v<T, Uuid>) blob(f.data(), 16);
  else if constexpr (std::is_same_v<T, Bytes>) { length(static_cast<std::int64_t>(f.size()), 4); blob(f.data(), f.size()); }
  else if constexpr (std::is_same_v<T, std::string>) { length(static_cast<std::int64_t>(f.size()), 2); blob(f.data(), f.size()); }
  else if constexpr (detail::is_vector<T>) { length(static_cast<std::int64_t>(f.size()), 4); for (const auto& x : f) write(x, false); }
  else if constexpr (detail::is_optional<T>) {
    using U = typename T::value_type;
    if constexpr (std::is_same_v<U, std::string> || std::is_same_v<U, Bytes> || detail::is_vector<U>) {
      if (f) write(*f, null);
      else if (null) length(-1, std::is_same_v<U, std::string> ? 2 : 4);
      else length(0, std::is_same_v<U, std::string> ? 2 : 4);
    } else { uint(f ? 1 : 0xff, 1); if (f) write(*f, false); }
  } else T::describe(*this, f);
}

template <class M> bool decode(Bytes in, Version v, M& m) {
  Decoder d(in, v, v >= M::api.flexible);
  M::describe(d, m);
  return d.ok() && d.left() == 0;
}
template <class M> void encode(const M& m, Version v, std::vector<std::byte>& out) {
  Encoder e(out, v, v >= M::api.flexible);
  M::describe(e, m);
}

}  // namespace edgelog::wire

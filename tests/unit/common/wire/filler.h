#pragma once
// Fills any message with seeded values, as far as a version has its fields: one more visitor of describe().
#include "common/base/prng.h"
#include "common/wire/codec.h"

namespace edgelog::wire {

class Filler {
 public:
  Filler(Version version, std::uint64_t seed) : version_(version), random_(seed) {
    for (auto& b : blob_) b = static_cast<std::byte>(random_.next());
  }
  Filler(const Filler&) = delete;  // messages hold views of blob_

  template <class T>
  void field(T& f, Versions in = always, Nullable null = never_null) {
    if (in.has(version_)) fill(f, null.has(version_));
  }
  template <class... T>
  void tags(Tagged<T>... known) {
    ((known.in.has(version_) && random_.chance(1, 2) ? fill(known.value, false) : void()), ...);
  }

 private:
  template <class T>
  void fill(T& f, bool null) {
    if constexpr (std::is_same_v<T, bool>)
      f = random_.chance(1, 2);
    else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
      f = static_cast<T>(random_.next());
    else if constexpr (detail::is_strong<T>)
      f = T{static_cast<typename T::rep>(random_.next())};
    else if constexpr (std::is_same_v<T, Uuid>)
      for (auto& b : f) b = static_cast<std::byte>(random_.next());
    else if constexpr (std::is_same_v<T, Bytes>)
      f = Bytes(blob_).first(random_.below(blob_.size()));
    else if constexpr (std::is_same_v<T, std::string>)
      f = as_text(Bytes(blob_).first(random_.below(40)));
    else if constexpr (detail::is_vector<T>) {
      f.resize(random_.below(4));
      for (auto& item : f) fill(item, false);
    } else if constexpr (detail::is_optional<T>) {
      if (null && random_.chance(1, 3))
        f.reset();
      else
        fill(f.emplace(), false);
    } else {
      T::describe(*this, f);
    }
  }

  Version version_;
  Prng random_;
  std::array<std::byte, 300> blob_{};
};

}  // namespace edgelog::wire

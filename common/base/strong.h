#pragma once
// An integer that remembers what it counts. No implicit conversion either way: an Offset is not a
// LeaderEpoch, and neither is an int.
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace edgelog {

template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;

 private:
  Rep value_{};
};

}  // namespace edgelog

// For tables keyed by an id outside of cores; cores use ordered containers.
template <class Tag, class Rep>
struct std::hash<edgelog::Strong<Tag, Rep>> {
  std::size_t operator()(const edgelog::Strong<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value()); }
};

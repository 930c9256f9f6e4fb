#pragma once
// What a core has decided, picked out by kind.
#include <variant>
#include <vector>

namespace edgelog::testing {

// Those of `effects`, a sequence of variants, that are a T, in order.
template <class T, class Effects>
std::vector<T> all_of(const Effects& effects) {
  std::vector<T> out;
  for (const auto& effect : effects)
    if (const T* const one = std::get_if<T>(&effect)) out.push_back(*one);
  return out;
}

}  // namespace edgelog::testing

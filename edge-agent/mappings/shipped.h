#pragma once
// The mappings of this folder, compiled in: an agent needs no file for what devices commonly speak. Made by
// CMake from the .toml files (shipped.cc in the build folder).
#include <span>
#include <string_view>

namespace edgelog::agent {

struct ShippedMapping {
  std::string_view name, text;
};
std::span<const ShippedMapping> shipped_mappings();

}  // namespace edgelog::agent

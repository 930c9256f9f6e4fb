#pragma once
// Reads a mapping file (docs/FORMATS.md, "Mapping"). Everything that is wrong in it is named with file,
// line and key, all at once. main's thread, at start.
#include <string>

#include "common/base/result.h"
#include "common/config/table.h"
#include "edge-agent/agent/mapping.h"

namespace edgelog::agent {

inline constexpr std::int64_t mapping_format = 1;

Result<Mapping> load_mapping(const std::string& path);
Result<Mapping> read_mapping(const config::Document& document);

}  // namespace edgelog::agent

#pragma once
// The command line, taken apart by CLI11, which is included in flags.cc only.
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace edgelog::config {

struct FlagSpec {
  std::string key;
  std::string flag;        // "--uplink-host"
  bool is_switch = false;  // --flag alone means true; --flag=false is possible
  bool repeats = false;    // may be given several times, or with commas
};

struct Flags {
  std::string config_file;
  bool check = false, help = false, version = false, print_config = false, print_docs = false;
  std::vector<std::pair<std::string, std::string>> values;  // key, text; a repeated flag's texts joined by commas
};

// Code::invalid with one sentence if it cannot be understood.
Result<Flags> parse_flags(const std::vector<FlagSpec>& specs, int argc, const char* const* argv);

}  // namespace edgelog::config

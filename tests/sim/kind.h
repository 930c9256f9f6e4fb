#pragma once
// What every simulator here has in common: a kind is a world that runs one seed. A kind registers itself in
// kinds.cc; main.cc runs seeds, adds up what they injected and checked, and reports.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace edgelog::sim {

// The story of a run, line by line: written to a file when asked for; else its end is kept for a failure. Its hash
// tells two runs apart.
class Trace {
 public:
  // keep: lines kept; 0 keeps none and costs nothing.
  explicit Trace(std::size_t keep, std::FILE* to = nullptr) : keep_(keep), to_(to) {}
  bool on() const { return keep_ > 0 || to_ != nullptr; }
  void line(Instant now, std::string_view text);
  std::string tail() const;
  std::uint64_t hash() const { return hash_; }

 private:
  std::size_t keep_;
  std::FILE* to_;
  std::vector<std::string> ring_;
  std::size_t next_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

struct SeedResult {
  std::string failure;  // empty: it held
  Duration simulated{0};
  std::vector<std::uint64_t> faults, checks;  // by kind, in the order of the names
};

struct Kind {
  std::string name;
  std::vector<std::string> fault_names, check_names;
  std::function<SeedResult(std::uint64_t seed, Trace&)> run;
};

const std::vector<Kind>& kinds();

}  // namespace edgelog::sim

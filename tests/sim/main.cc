// edgelog-sim KIND --seed N [--trace] | --seeds FROM..TO [--jobs N] | --twice FROM..TO
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "tests/sim/runner.h"

namespace {

using edgelog::sim::Kind;
using edgelog::sim::Range;

int usage() {
  fmt::print(stderr,
             "edgelog-sim KIND --seed N [--trace]          one seed; --trace prints all that happens\n"
             "edgelog-sim KIND --seeds FROM..TO [--jobs N] many, in N processes\n"
             "edgelog-sim KIND --twice FROM..TO            each twice: the traces must be equal\n"
             "kinds:");
  for (const Kind& kind : edgelog::sim::kinds()) fmt::print(stderr, " {}", kind.name);
  fmt::print(stderr, "\n");
  return 2;
}

bool number(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool range_of(std::string_view text, Range& out) {
  const auto dots = text.find("..");
  return dots != std::string_view::npos && number(text.substr(0, dots), out.from) &&
         number(text.substr(dots + 2), out.to) && out.from <= out.to;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return usage();
  const Kind* kind = nullptr;
  for (const Kind& k : edgelog::sim::kinds())
    if (k.name == argv[1]) kind = &k;
  if (kind == nullptr) return usage();
  std::uint64_t seed = 0, jobs = 2;
  Range range{1, 0};
  bool one = false, trace = false, twice = false;
  for (int i = 2; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (arg == "--trace") {
      trace = true;
      continue;
    }
    bool good = false;
    if (arg == "--seed") good = one = number(value, seed);
    if (arg == "--seeds") good = range_of(value, range);
    if (arg == "--twice") good = twice = range_of(value, range);
    if (arg == "--jobs") good = number(value, jobs) && jobs >= 1 && jobs <= 256;
    if (!good) return usage();
    ++i;
  }
  if (one) return edgelog::sim::run_seed(*kind, seed, trace);
  if (range.from > range.to) return usage();
  if (!twice) return edgelog::sim::run_range(*kind, range, static_cast<unsigned>(jobs));
  int code = 0;
  for (std::uint64_t s = range.from; s <= range.to; ++s) code |= edgelog::sim::run_twice(*kind, s);
  if (code == 0) fmt::print("{} seeds, each twice: equal\n", range.to - range.from + 1);
  return code;
}

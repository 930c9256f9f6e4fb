#pragma once
// The process's own log, to stderr, a line an entry: LOG(warning, "connection {}: {}", id, reason).
// spdlog stands behind it and is included in log.cc only. Thread-safe. What can repeat without end is
// counted and passed through a RateLimit first.
#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace edgelog::log {

enum class Level : unsigned char { trace, debug, info, warning, error };

// Name of the process as it stands in each line, and the least level that is written.
// Called once by main before anything logs. Without it: warnings and errors are written.
void start(std::string_view process, Level least);
bool parse_level(std::string_view text, Level& out);
bool enabled(Level level) noexcept;
void write(Level level, fmt::string_view format, fmt::format_args args) noexcept;

// Lets `burst` messages through per period and says, with the next that passes, how many were kept back.
class RateLimit {
 public:
  constexpr RateLimit(std::uint32_t burst, Duration period) : burst_(burst), period_(period) {}
  // True if a message may be written at `now`; then `suppressed` is how many were not since the last.
  bool pass(Instant now, std::uint64_t& suppressed);

 private:
  std::uint32_t burst_;
  Duration period_;
  Instant since_{};
  std::uint32_t used_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace edgelog::log

#define LOG(level, ...)                                                        \
  do {                                                                         \
    if (::edgelog::log::enabled(::edgelog::log::Level::level))                 \
      ::edgelog::log::detail_write(::edgelog::log::Level::level, __VA_ARGS__); \
  } while (false)

namespace edgelog::log {
template <class... T>
void detail_write(Level level, fmt::format_string<T...> format, T&&... args) {
  write(level, format, fmt::make_format_args(args...));
}
}  // namespace edgelog::log

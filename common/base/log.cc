#include "common/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <exception>
#include <memory>

namespace edgelog::log {
namespace {

std::atomic<Level> least_level{Level::warning};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace: return spdlog::level::trace;
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("edgelog", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

}  // namespace

void start(std::string_view process, Level least) {
  least_level.store(least, std::memory_order_relaxed);
  logger().set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L " + std::string(process) + ": %v", spdlog::pattern_time_type::utc);
}

bool parse_level(std::string_view text, Level& out) {
  constexpr std::string_view names[] = {"trace", "debug", "info", "warning", "error"};
  for (unsigned char i = 0; i < 5; ++i)
    if (text == names[i]) {
      out = static_cast<Level>(i);
      return true;
    }
  return false;
}

bool enabled(Level level) noexcept { return level >= least_level.load(std::memory_order_relaxed); }

void write(Level level, fmt::string_view format, fmt::format_args args) noexcept {
  try {
    logger().log(to_spdlog(level), "{}", fmt::vformat(format, args));
  } catch (const std::exception&) {
    // A log that cannot be written must not stop the process that it describes.
  }
}

bool RateLimit::pass(Instant now, std::uint64_t& suppressed) {
  if (now - since_ >= period_) {
    since_ = now;
    used_ = 0;
  }
  if (used_ >= burst_) {
    ++suppressed_;
    return false;
  }
  ++used_;
  suppressed = suppressed_;
  suppressed_ = 0;
  return true;
}

}  // namespace edgelog::log

#pragma once
// How long something took, as a histogram for /metrics: observed on any thread, read on any. Rows are named
// as Prometheus names a histogram's: _bucket with `le` in seconds, _sum, _count.
#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "common/base/metrics.h"
#include "common/base/time.h"

namespace edgelog {

class Durations {
 public:
  void observe(Duration took) {
    const std::int64_t ns = took.value() < 0 ? 0 : took.value();
    std::size_t at = 0;
    while (at < bounds.size() && ns > bounds[at].ns) ++at;
    counts_[at].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(static_cast<std::uint64_t>(ns), std::memory_order_relaxed);
  }
  // Observations of at most bounds[at], or all of them.
  std::uint64_t up_to(std::size_t at) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= at && i < counts_.size(); ++i) sum += counts_[i].load(std::memory_order_relaxed);
    return sum;
  }
  std::uint64_t count() const { return up_to(counts_.size()); }
  double sum_seconds() const { return static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9; }

  struct Bound {
    std::int64_t ns;
    const char* le;
  };
  // From a sync on a quiet NVMe to a disk that hangs.
  static constexpr std::array<Bound, 12> bounds{{{100'000, "0.0001"},
                                                 {300'000, "0.0003"},
                                                 {1'000'000, "0.001"},
                                                 {3'000'000, "0.003"},
                                                 {10'000'000, "0.01"},
                                                 {30'000'000, "0.03"},
                                                 {100'000'000, "0.1"},
                                                 {300'000'000, "0.3"},
                                                 {1'000'000'000, "1"},
                                                 {3'000'000'000, "3"},
                                                 {10'000'000'000, "10"},
                                                 {30'000'000'000, "30"}}};

 private:
  std::array<std::atomic<std::uint64_t>, bounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

// `durations` outlives the list; `name` ends in _seconds.
inline void list_durations(MetricList& list, const std::string& name, const std::string& help,
                           const Durations& durations, const MetricList::Labels& labels = {}) {
  for (std::size_t at = 0; at <= Durations::bounds.size(); ++at) {
    MetricList::Labels with = labels;
    with.emplace_back("le", at < Durations::bounds.size() ? Durations::bounds[at].le : "+Inf");
    list.add({name + "_bucket", help, std::move(with), true,
              [&durations, at] { return static_cast<double>(durations.up_to(at)); }});
  }
  list.add({name + "_sum", help, labels, true, [&durations] { return durations.sum_seconds(); }});
  list.add({name + "_count", help, labels, true, [&durations] { return static_cast<double>(durations.count()); }});
}

}  // namespace edgelog

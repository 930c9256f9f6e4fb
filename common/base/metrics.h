#pragma once
// Numbers for /metrics. A Counter or Gauge is a plain member of whoever counts: one thread writes it
// (a relaxed store, as cheap as an int), any thread reads it. A MetricList names them for the
// exposition; it is filled before serving starts and not changed afterwards. Names follow the
// Prometheus conventions: unit last, counters end in _total.
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace edgelog {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

struct Metric {
  std::string name, help;
  std::vector<std::pair<std::string, std::string>> labels;
  bool is_counter;
  std::function<double()> read;  // called on the HTTP thread
};

class MetricList {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  void add(std::string name, std::string help, const Counter& counter, Labels labels = {}) {
    list_.push_back({std::move(name), std::move(help), std::move(labels), true,
                     [&counter] { return static_cast<double>(counter.value()); }});
  }
  void add(std::string name, std::string help, const Gauge& gauge, Labels labels = {}) {
    list_.push_back({std::move(name), std::move(help), std::move(labels), false,
                     [&gauge] { return static_cast<double>(gauge.value()); }});
  }
  void add(Metric metric) { list_.push_back(std::move(metric)); }
  const std::vector<Metric>& all() const { return list_; }

 private:
  std::vector<Metric> list_;
};

}  // namespace edgelog

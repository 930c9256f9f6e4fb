#include "common/io/admin_http.h"

#include <fmt/format.h>
#include <httplib.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

namespace edgelog::io {
namespace {

constexpr std::size_t workers = 3;
constexpr std::size_t waiting_max = 32;
constexpr std::size_t request_bytes_max = 64 << 10;
constexpr std::time_t client_seconds_max = 5;

// A pool whose queue is bounded: enqueue waits, so that the listener stops accepting and the kernel's backlog
// holds (and in the end refuses) the rest. cpp-httplib 0.11 returns void from enqueue, 0.18 bool.
class BoundedPool final : public httplib::TaskQueue {
 public:
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>{}));

  BoundedPool() {
    for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }

  Enqueued enqueue(std::function<void()> task) override {
    std::unique_lock lock(mutex_);
    place_.wait(lock, [this] { return tasks_.size() < waiting_max; });
    tasks_.push_back(std::move(task));
    task_.notify_one();
    return static_cast<Enqueued>(true);
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    task_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      task_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      place_.notify_one();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable task_, place_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  bool ending_ = false;
};

std::string ready_body(const std::vector<std::pair<std::string, std::string>>& reasons,
                       const std::map<std::string, std::vector<std::string>>& notes) {
  auto body = nlohmann::json::object();
  body["ready"] = reasons.empty();
  body["reasons"] = nlohmann::json::object();
  for (const auto& [subject, reason] : reasons) body["reasons"][subject] = reason;
  if (!notes.empty()) body["notes"] = notes;
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

void Readiness::set(const std::string& subject, std::string reason) {
  const std::lock_guard lock(mutex_);
  reasons_[subject] = std::move(reason);
}

void Readiness::clear(const std::string& subject) {
  const std::lock_guard lock(mutex_);
  reasons_.erase(subject);
}

std::vector<std::pair<std::string, std::string>> Readiness::reasons() const {
  const std::lock_guard lock(mutex_);
  return {reasons_.begin(), reasons_.end()};
}

void Readiness::note(const std::string& subject, std::vector<std::string> notes) {
  const std::lock_guard lock(mutex_);
  if (notes.empty())
    notes_.erase(subject);
  else
    notes_[subject] = std::move(notes);
}

std::map<std::string, std::vector<std::string>> Readiness::notes() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}

std::string prometheus_text(const MetricList& metrics) {
  std::map<std::string, prometheus::MetricFamily> families;
  for (const Metric& metric : metrics.all()) {
    auto& family = families[metric.name];
    family.name = metric.name;
    family.help = metric.help;
    family.type = metric.is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    prometheus::ClientMetric row;
    for (const auto& [name, value] : metric.labels) {
      prometheus::ClientMetric::Label label;
      label.name = name;
      label.value = value;
      row.label.push_back(std::move(label));
    }
    (metric.is_counter ? row.counter.value : row.gauge.value) = metric.read();
    family.metric.push_back(std::move(row));
  }
  std::vector<prometheus::MetricFamily> list;
  for (auto& family : families) list.push_back(std::move(family.second));
  return prometheus::TextSerializer().Serialize(list);
}

struct AdminHttp::State {
  httplib::Server server;
  std::thread thread;
  std::atomic<bool> ended{false};
  std::uint16_t port = 0;
};

AdminHttp::AdminHttp(const MetricList& metrics, const Readiness& readiness) : state_(std::make_unique<State>()) {
  auto& server = state_->server;
  server.new_task_queue = [] { return new BoundedPool; };
  server.set_payload_max_length(request_bytes_max);
  server.set_read_timeout(client_seconds_max);
  server.set_write_timeout(client_seconds_max);
  server.set_keep_alive_timeout(1);
  // Without this cpp-httplib sets SO_REUSEPORT, and two processes would share the port without a word.
  server.set_socket_options([](auto socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  get("/healthz", [] { return HttpAnswer{200, "application/json", "{\"healthy\":true}\n"}; });
  get("/readyz", [&readiness] {
    const auto reasons = readiness.reasons();
    return HttpAnswer{reasons.empty() ? 200 : 503, "application/json", ready_body(reasons, readiness.notes())};
  });
  get("/metrics",
      [&metrics] { return HttpAnswer{200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(metrics)}; });
}

AdminHttp::~AdminHttp() { stop(); }

void AdminHttp::get(const std::string& path, Handler handler) {
  state_->server.Get(path, [handler = std::move(handler)](const httplib::Request&, httplib::Response& response) {
    auto answer = handler();
    response.status = answer.status;
    response.set_content(answer.body, answer.content_type.c_str());
  });
}

Status AdminHttp::start(const std::string& host, std::uint16_t port) {
  ASSERT(!state_->thread.joinable());
  auto& server = state_->server;
  const int bound = port == 0 ? server.bind_to_any_port(host) : (server.bind_to_port(host, port) ? port : -1);
  if (bound <= 0)
    return Error{Code::exists, fmt::format("listen on {}:{} (admin HTTP): {}", host, port, std::strerror(errno))};
  state_->port = static_cast<std::uint16_t>(bound);
  state_->thread = std::thread([state = state_.get()] {
    state->server.listen_after_bind();
    state->ended = true;
  });
  return Ok{};
}

std::uint16_t AdminHttp::port() const { return state_->port; }

void AdminHttp::stop() {
  if (!state_->thread.joinable()) return;
  // stop() is without effect until the listener runs; allow: sleep, because cpp-httplib 0.11 has nothing to wait on.
  while (!state_->server.is_running() && !state_->ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  state_->server.stop();
  state_->thread.join();
}

}  // namespace edgelog::io

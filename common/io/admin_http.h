#pragma once
// The HTTP side door of a process: GET /healthz, /readyz, /metrics and what the program adds. cpp-httplib
// stands behind it with a listener thread and a few workers of its own; everything that is called from there
// (metrics, readiness, handlers) must be safe on a foreign thread: give it atomics, a Readiness, a Shared.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/base/metrics.h"
#include "common/base/result.h"

namespace edgelog::io {

// Why a process is not ready, by subject: {"disk": "No space left on /data"}. Empty means ready. Any thread.
class Readiness {
 public:
  void set(const std::string& subject, std::string reason);
  void clear(const std::string& subject);
  // Replaces what is said of a subject without making the process unready: what is off, but works.
  void note(const std::string& subject, std::vector<std::string> notes);
  std::vector<std::pair<std::string, std::string>> reasons() const;
  std::map<std::string, std::vector<std::string>> notes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;
  std::map<std::string, std::vector<std::string>> notes_;
};

// A value that the owner's thread replaces and HTTP threads copy, such as a page of status.
template <class T>
class Shared {
 public:
  void store(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }
  T load() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class AdminHttp {
 public:
  using Handler = std::function<HttpAnswer()>;
  // `metrics` and `readiness` outlive this object; the list does not change while it serves.
  AdminHttp(const MetricList& metrics, const Readiness& readiness);
  ~AdminHttp();  // stops
  AdminHttp(const AdminHttp&) = delete;
  AdminHttp& operator=(const AdminHttp&) = delete;

  // An additional GET path; before start().
  void get(const std::string& path, Handler handler);
  // Binds and serves on a thread of its own. Code::exists if the port is taken. Port 0: any.
  Status start(const std::string& host, std::uint16_t port);
  std::uint16_t port() const;
  // Ends the threads; requests in progress are answered, at most 5 s are waited for a slow client.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Prometheus text exposition (version 0.0.4) of the list; rows of one name form a family.
std::string prometheus_text(const MetricList& metrics);

}  // namespace edgelog::io

#include "common/io/loop.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>

namespace edgelog::io {
namespace asio = boost::asio;

Instant boottime_now() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return Instant{static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec};
}

WallMillis wall_now() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return WallMillis{static_cast<std::int64_t>(t.tv_sec) * 1'000 + t.tv_nsec / 1'000'000};
}

struct Loop::State {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::optional<asio::signal_set> signals;
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

void Loop::run() { state_->context.run(); }
void Loop::run_one() { state_->context.run_one(); }
void Loop::stop() { state_->context.stop(); }
void Loop::post(std::function<void()> work) { asio::post(state_->context, std::move(work)); }
asio::io_context& Loop::context() { return state_->context; }

void Loop::on_stop_signal(std::function<void()> handler) {
  state_->signals.emplace(state_->context, SIGINT, SIGTERM);
  state_->signals->async_wait([this, handler = std::move(handler)](const boost::system::error_code& error, int) {
    if (error) return;
    state_->signals.reset();  // the next one finds the default action
    handler();
  });
}

struct Alarm::State : std::enable_shared_from_this<Alarm::State> {
  State(asio::io_context& context, std::function<void()> called) : timer(context), handler(std::move(called)) {}
  void arm() {
    const auto ahead = std::max<std::int64_t>(0, when.value() - boottime_now().value());
    timer.expires_after(std::chrono::nanoseconds(ahead));
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->when == never) return;
      self->when = never;
      if (self->handler) self->handler();
    });
  }
  asio::steady_timer timer;
  std::function<void()> handler;
  Instant when = never;
};

Alarm::Alarm(Loop& loop, std::function<void()> handler)
    : state_(std::make_shared<State>(loop.context(), std::move(handler))) {}

Alarm::~Alarm() {
  state_->when = never;
  state_->handler = nullptr;
  state_->timer.cancel();
}

void Alarm::wake_at(Instant when) {
  if (when == state_->when) return;
  state_->when = when;
  if (when == never) {
    state_->timer.cancel();
  } else {
    state_->arm();
  }
}

}  // namespace edgelog::io

#pragma once
// One thread's world: an event loop with a clock and alarms. Everything that a shard, an agent or a
// gateway owns is touched on its loop's thread only; other threads hand work in through post().
// Asio stands behind it; code outside common/io sees no Asio.
#include <functional>
#include <memory>

#include "common/base/time.h"

namespace boost::asio {
class io_context;
}

namespace edgelog::io {

// CLOCK_BOOTTIME: goes on while the machine sleeps, and never back.
Instant boottime_now();
WallMillis wall_now();

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop(). Called by the thread that owns this world.
  void run();
  // Waits for one piece of work and does it: for who has a loop of its own (benchmarks).
  void run_one();
  // Any thread.
  void stop();
  // Runs `work` on the loop's thread, after what is already queued. Any thread.
  void post(std::function<void()> work);
  // Calls `handler` once on the loop's thread when SIGINT or SIGTERM arrives; a second signal ends the process.
  void on_stop_signal(std::function<void()> handler);

  boost::asio::io_context& context();  // for the other adapters in common/io

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One alarm; the latest wake_at() wins. Destroying it cancels it. Loop thread only.
class Alarm {
 public:
  Alarm(Loop& loop, std::function<void()> handler);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  void wake_at(Instant when);  // `never` cancels; a time that has passed fires in the next turn

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace edgelog::io

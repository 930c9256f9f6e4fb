#include "common/io/sync_pool.h"

#include <utility>

#include "common/base/assert.h"

namespace edgelog::io {

SyncPool::SyncPool(unsigned threads) {
  ASSERT(threads >= 2);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

SyncPool::~SyncPool() {
  {
    const std::scoped_lock hold(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void SyncPool::run(port::Urgency urgency, std::function<void()> work) {
  {
    const std::scoped_lock hold(mutex_);
    (urgency == port::Urgency::round ? round_ : background_).push_back(std::move(work));
  }
  changed_.notify_one();
}

bool SyncPool::next(std::function<void()>& work, bool& background) {
  if (!round_.empty()) {
    background = false;
    work = std::move(round_.front());
    round_.pop_front();
    return true;
  }
  if (background_.empty() || in_background_ + 1 >= threads_.size()) return false;
  background = true;
  ++in_background_;
  work = std::move(background_.front());
  background_.pop_front();
  return true;
}

void SyncPool::serve() {
  std::unique_lock hold(mutex_);
  while (true) {
    std::function<void()> work;
    bool background = false;
    changed_.wait(hold, [&] { return next(work, background) || (stopping_ && round_.empty() && background_.empty()); });
    if (!work) return;
    hold.unlock();
    work();
    work = nullptr;
    hold.lock();
    if (background) --in_background_;
    if (background || stopping_) changed_.notify_all();
  }
}

}  // namespace edgelog::io

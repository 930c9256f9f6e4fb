#pragma once
// A few threads that run blocking syncs. Work for rounds goes before background work, which never takes the
// last free thread. Any thread may call run(); the destructor runs what is queued and joins.
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/port/disk.h"

namespace edgelog::io {

class SyncPool {
 public:
  explicit SyncPool(unsigned threads);
  ~SyncPool();
  SyncPool(const SyncPool&) = delete;
  SyncPool& operator=(const SyncPool&) = delete;

  void run(port::Urgency urgency, std::function<void()> work);

 private:
  void serve();
  bool next(std::function<void()>& work, bool& background);  // with the mutex held

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> round_, background_;
  std::size_t in_background_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace edgelog::io

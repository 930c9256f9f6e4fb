#pragma once
// What a coordinator has to look at later, in order of time. Each timer belongs to a Handle, which lies in the
// member, the pending id or the group it is about and takes the timer out of the queue when it goes. So there are
// never more timers than such things, whatever clients do (G7), and what a timer points to is there. The queue
// outlives its handles. Shard thread only.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "common/base/time.h"

namespace edgelog::broker::group {

struct Group;
struct Member;

class Timers {
  using Key = std::pair<Instant, std::uint64_t>;  // the number orders those of one instant

 public:
  struct Session {
    Group* group;
    Member* member;
  };
  struct Pending {  // an id that was given out
    Group* group;
    const std::string* id;
  };
  struct Phase {
    Group* group;
  };
  struct Offsets {};
  using About = std::variant<Session, Pending, Phase, Offsets>;

  class Handle {
   public:
    Handle() = default;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { cancel(); }

    void cancel() {
      if (timers_ != nullptr) timers_->queue_.erase(key_);
      timers_ = nullptr;
    }
    bool set() const { return timers_ != nullptr && timers_->queue_.contains(key_); }

   private:
    friend class Timers;
    Timers* timers_ = nullptr;
    Key key_;
  };

  // In place of the one that the handle had.
  void set(Handle& handle, Instant when, About about) {
    handle.cancel();
    handle.timers_ = this;
    handle.key_ = {when, next_++};
    queue_.emplace(handle.key_, about);
  }
  Instant first() const { return queue_.empty() ? never : queue_.begin()->first.first; }
  std::size_t size() const { return queue_.size(); }

  // The first one that is due, out of the queue, if it was set before `until`.
  std::uint64_t next_number() const { return next_; }
  bool take_due(Instant now, std::uint64_t until, About& about) {
    if (queue_.empty() || queue_.begin()->first.first > now || queue_.begin()->first.second >= until) return false;
    about = queue_.begin()->second;
    queue_.erase(queue_.begin());
    return true;
  }

 private:
  std::map<Key, About> queue_;
  std::uint64_t next_ = 0;
};

}  // namespace edgelog::broker::group

#pragma once
// The clock and the one alarm of a driver that lives on a loop. Owner's thread only.
#include "common/base/time.h"

namespace edgelog {

class Timer {
 public:
  virtual ~Timer() = default;
  virtual Instant now() const = 0;
  // The latest call wins; `never` cancels. What the alarm calls is given where the timer is made.
  virtual void wake_at(Instant when) = 0;
};

}  // namespace edgelog

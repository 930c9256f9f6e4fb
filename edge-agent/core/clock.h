#pragma once
// What time it is in the cloud: the greatest that a gateway told, and how long ago that was by our monotonic
// clock. A retained list may be old; then the clock is behind until a gateway speaks (`live`), and until then
// nothing that is published arrives anywhere.
#include <algorithm>

#include "edge-agent/core/inputs.h"

namespace edgelog::agent {

class CloudClock {
 public:
  void told(Moment moment, WallMillis gateway_time) {
    live_ = live_ || (known_ && gateway_time > last_told_);
    last_told_ = gateway_time;
    if (known_ && gateway_time < time(moment.now)) return;
    known_ = true;
    at_ = moment.now;
    told_ = gateway_time;
  }
  bool known() const { return known_; }
  // A gateway speaks: it told two times, the second later than the first.
  bool live() const { return live_; }
  WallMillis time(Instant now) const { return told_ + (now - at_); }
  // The system's clock, but the gateway's where the two are more than a minute apart.
  WallMillis best(Moment moment) const {
    if (!live_) return moment.wall;
    const WallMillis cloud = time(moment.now);
    const std::int64_t apart = moment.wall.value() - cloud.value();
    return apart > 60'000 || apart < -60'000 ? cloud : moment.wall;
  }

 private:
  bool known_ = false, live_ = false;
  Instant at_{};
  WallMillis told_{}, last_told_{};
};

}  // namespace edgelog::agent

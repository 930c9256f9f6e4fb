#pragma once
// What time it is in the cloud: the greatest that a gateway told, and how long ago that was by our monotonic
// clock. A retained list may be old; then the clock is behind until a gateway speaks (`live`), and until then
// nothing that is published arrives anywhere. A gateway whose clock was ahead is believed until all that is told
// was far behind it for a minute.
#include <algorithm>

#include "edge-agent/core/inputs.h"

namespace edgelog::agent {

class CloudClock {
 public:
  // True: the clock was set back, so that what was measured by it is not as young as it seems.
  bool told(Moment moment, WallMillis gateway_time) {
    if (gateway_time < WallMillis{0} || gateway_time > latest) return false;  // no time that nanoseconds can hold
    const bool goes_on = known_ && gateway_time > last_told_;                 // it is not what is retained, once more
    live_ = live_ || goes_on;
    last_told_ = gateway_time;
    const bool behind = known_ && gateway_time < time(moment.now);
    const bool far = behind && time(moment.now) - gateway_time > apart_max;
    if (!far) behind_since_ = never;
    if (far && goes_on && behind_since_ == never) behind_since_ = moment.now;
    const bool set_back = far && goes_on && moment.now - behind_since_ >= believed_after;
    if (behind && !set_back) return false;
    behind_since_ = never;
    known_ = true;
    at_ = moment.now;
    told_ = gateway_time;
    return set_back;
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
    return apart > to_millis(apart_max) || apart < -to_millis(apart_max) ? cloud : moment.wall;
  }

 private:
  static constexpr WallMillis latest{9'000'000'000'000};  // in the year 2255
  static constexpr Duration apart_max = seconds(60), believed_after = seconds(60);
  bool known_ = false, live_ = false;
  Instant at_{}, behind_since_ = never;
  WallMillis told_{}, last_told_{};
};

}  // namespace edgelog::agent

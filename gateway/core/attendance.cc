#include "gateway/core/attendance.h"

namespace edgelog::gateway {

void Attendance::connected() {
  connected_ = true;
  list_taken_ = filters_refused_ = false;
}

void Attendance::disconnected(Instant now) {
  if (!connected_) return;
  connected_ = list_taken_ = false;
  // A connection that comes and goes does not begin its absence anew each time.
  if (wanted_ && absent_at_ == never) absent_at_ = now + absence_max_;
}

void Attendance::filters_refused(bool refused) {
  filters_refused_ = refused;
  judge();
}

void Attendance::list_answered(bool taken) {
  list_taken_ = taken;
  if (!taken) wanted_ = false;
  judge();
}

void Attendance::judge() {
  if (filters_refused_) wanted_ = false;
  if (!connected_ || !list_taken_ || filters_refused_) return;
  wanted_ = true;
  absent_at_ = never;
}

// What has passed is no deadline any more: whoever sleeps until it would not sleep again.
bool Attendance::wanted(Instant now) {
  if (now >= absent_at_) {
    wanted_ = false;
    absent_at_ = never;
  }
  return wanted_ && !ended_;
}

}  // namespace edgelog::gateway

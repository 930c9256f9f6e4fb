#pragma once
// Whether this gateway takes part in the group that shares the shards. A member whose MQTT does not work would
// keep shards from those whose does: so it joins once the server has taken the topic list on this connection
// (behind the answers to all subscriptions), and leaves when that cannot be helped for a while. Pure.
#include "common/base/time.h"

namespace edgelog::gateway {

class Attendance {
 public:
  explicit Attendance(Duration absence_max = seconds(10)) : absence_max_(absence_max) {}
  void connected();
  void disconnected(Instant now);
  // Whether the server refuses a subscription; none of a new connection is, until it says so.
  void filters_refused(bool refused);
  // The server's answer to a topic list.
  void list_answered(bool taken);
  // This process ends: never again.
  void end() { ended_ = true; }

  // Asked at deadline() too: an absence ends with it.
  bool wanted(Instant now);
  // When wanted() changes by itself; `never` once it has.
  Instant deadline() const { return wanted_ && !ended_ ? absent_at_ : never; }

 private:
  void judge();

  const Duration absence_max_;
  bool connected_ = false, list_taken_ = false, filters_refused_ = false, ended_ = false;
  bool wanted_ = false;
  Instant absent_at_ = never;  // disconnected, or connected again and not able yet: for how long it is borne
};

}  // namespace edgelog::gateway

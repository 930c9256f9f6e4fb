#pragma once
// Settings of the core. The driver's table of settings (docs, --help) fills this in.
#include <cstdint>
#include <map>
#include <string>

#include "common/base/time.h"
#include "common/window/window.h"

namespace edgelog::agent {

enum class WhenFull : std::uint8_t { drop_oldest, drop_newest, block };

struct StreamSettings {
  Duration linger = seconds(1);
  std::int64_t bytes_max = std::int64_t{256} << 20;  // unacknowledged, with overhead
  Duration age_max = seconds(400LL * 24 * 3600);     // of what was never published, since the opening
  std::int32_t priority = 0;                         // the greater goes first
  WhenFull when_full = WhenFull::drop_oldest;
};

struct Config {
  std::string agent;  // the agent's id
  StreamSettings defaults;
  std::map<std::string, StreamSettings> streams;       // by topic
  std::int64_t log_bytes_max = std::int64_t{1} << 30;  // of all streams, as Usage tells it
  std::int32_t batch_bytes = 192 << 10;                // gathered: sealed without waiting for a place
  std::int32_t event_bytes_max = 512 << 10;
  std::int32_t event_overhead = 24;           // added to each event's bytes in all bounds
  Duration round_linger = milliseconds(100);  // a round waits this long for company; a batch that is due does not
  std::uint32_t round_messages = 16;          // taken and not committed: a round starts at once (Mosquitto stops at 20)
  std::int32_t round_bytes = 1 << 20;         // taken and not committed: a round starts at once
  std::int32_t pending_bytes_max = 16 << 20;  // taken and not committed: more is `blocked`
  std::uint32_t window_max = 5;               // of one stream; never more: Kafka remembers five
  std::uint32_t handed_max = 20;              // publishes that the MQTT server has not taken: its Receive Maximum
  window::Backoff resend{seconds(5), seconds(60)};
  Duration lasting = seconds(10);      // an error that is answered for this long lasts (rule 6)
  Duration stale_epoch = seconds(60);  // an older leader epoch is believed when it was told for this long (rule 9)
  Duration ahead_max = seconds(600);   // a record's timestamp before the cloud's clock: more shows a wrong clock
  Duration commit_retry = seconds(1);
  std::uint32_t streams_max = 256;
  std::uint32_t sources_max = 100'000;  // (device, incarnation) rows kept; the longest idle go
  std::uint32_t incarnations_max = 8;   // kept per device
  std::uint32_t producers_max = 64;     // own ids remembered per stream
  std::uint32_t fences_max = 64;        // in one round of a recovery
};

}  // namespace edgelog::agent

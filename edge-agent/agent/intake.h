#pragma once
// The common part of all inputs: a delivery is parsed, mapped, judged and taken, or becomes a dead letter
// with its reason. Nothing that a device sends stops another one. Driver's thread.
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "edge-agent/agent/driver.h"
#include "edge-agent/agent/mapping.h"

namespace edgelog::agent {

// Figures of one input, for /metrics.
struct IntakeCounts {
  Counter messages, bytes, ignored, snapshots, unknown_topics, refused, clocks_off;
};

struct IntakeOptions {
  std::string input;  // SourceName::input
  std::string site, agent;
  std::size_t message_bytes_max = 512 << 10;
  bool dead_letters = true;
  bool can_wait = true;  // as in Taken
};

class Intake {
 public:
  // Parses a JSON object: the reason for its refusal, or an empty view. json_parser.h in the adapters.
  using Parse = std::function<std::string_view(Bytes, JsonObject&)>;

  Intake(IntakeOptions options, Mapping mapping, Driver& driver, Parse parse);

  // One delivery. blocked: offer the very same again when the inlet is told to resume; later: likewise, unless the
  // device sends it again by itself; everything else is done with it. `retained`: a snapshot of MQTT. The caller
  // settles the driver after the last of a burst.
  Outcome deliver(std::string_view topic, Bytes payload, bool retained);
  // Where the last delivered device with a ring listens; empty: not seen since the start.
  std::string_view confirm_topic(std::string_view device) const;

  const Mapping& mapping() const { return mapping_; }
  const IntakeCounts& counts() const { return counts_; }
  const IntakeOptions& options() const { return options_; }

 private:
  void learn_confirm_topic();
  Outcome take_events(Bytes payload);
  Outcome take_dead_letter(std::string_view topic, Bytes payload, std::string_view reason, std::string_view detail);
  Outcome offer(std::span<const Content> contents, Bytes payload);
  Outcome offer_dead_letter(std::string_view key, std::string_view value, Bytes payload);
  Outcome take_number(Bytes payload);
  void make_headers();
  void complain(std::string_view topic, std::string_view reason, std::string_view detail);

  IntakeOptions options_;
  Mapping mapping_;
  Driver& driver_;
  Parse parse_;
  IntakeCounts counts_;
  log::RateLimit complaints_{5, seconds(10)};
  // Reused from delivery to delivery.
  Captures captures_;
  JsonObject object_;
  Mapped mapped_;
  Taken message_;
  std::vector<Content> contents_;
  std::vector<EventHeader> headers_;
  std::string time_text_, number_text_;
  const char* refusal_ = "";                                        // why offer() refused
  std::map<std::string, std::string, std::less<>> confirm_topics_;  // by device
};

// The confirmation that a device with a ring gets: {"boot":7,"through":12}.
std::string confirmation(std::string_view incarnation, std::int64_t through);

// Names of the headers that events carry: docs/FORMATS.md, "Events".
inline constexpr std::string_view header_time = "edgelog.time";
inline constexpr std::string_view header_clock = "edgelog.clock";
inline constexpr std::string_view header_boot = "edgelog.boot";
inline constexpr std::string_view header_number = "edgelog.number";

}  // namespace edgelog::agent

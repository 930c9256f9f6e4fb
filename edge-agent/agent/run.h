#pragma once
// A run: the events of one stream that one round made durable, encoded one after another, ready to be
// sealed. docs/FORMATS.md, "The agent's log", has the bytes. Timestamps lie in the run as differences to the
// one before; what the first one is added to, the base time, stands in the row beside it.
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/time.h"

namespace edgelog::agent {

struct EventHeader {
  std::string_view name, value;
};

// Appends the encoded event. `since`: milliseconds after the event before it in the run, 0 for the first.
void append_event(Buffer& run, std::int64_t since_ms, std::string_view key, std::string_view value,
                  std::span<const EventHeader> headers);

struct EventView {
  WallMillis timestamp;
  std::string_view key, value;
  std::vector<EventHeader> headers;
};

// Goes over a run's events; views into it. Bytes from our own log: still checked, never trusted.
class RunReader {
 public:
  RunReader(Bytes run, WallMillis base) : rest_(run), timestamp_(base) {}
  bool next(EventView& out);  // false at the end and where it is malformed
  bool ok() const { return !bad_; }
  Bytes rest() const { return rest_; }                 // the events not yet read
  WallMillis timestamp() const { return timestamp_; }  // of the last event read

 private:
  bool text(std::string_view& out);
  Bytes rest_;
  WallMillis timestamp_;
  bool bad_ = false;
};

}  // namespace edgelog::agent

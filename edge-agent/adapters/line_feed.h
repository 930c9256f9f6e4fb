#pragma once
// One JSON object a line, from a byte stream: cut into lines, delivered under the topic "line", with back
// pressure. What stdin and each connection of a socket have in common. Driver's thread.
#include <cstdint>
#include <string>
#include <string_view>

#include "edge-agent/agent/intake.h"

namespace edgelog::agent {

inline constexpr std::string_view line_topic = "line";

class LineFeed {
 public:
  explicit LineFeed(Intake& intake) : intake_(intake) {}

  // Bytes as they come; before the last ones were done with (idle()), none may follow.
  void feed(std::string_view bytes);
  // Goes on where the driver took no more. True if everything that was fed is done with.
  bool go_on();
  bool idle() const { return at_ == chunk_.size(); }
  // The stream is over: what stands behind the last line end is a line too. False: blocked, try again.
  bool finish();
  std::uint64_t lines() const { return lines_; }  // done with so far: taken, refused or repeated

 private:
  bool deliver(std::string_view line);

  Intake& intake_;
  std::string chunk_;    // what was fed
  std::size_t at_ = 0;   // of the next byte in it
  std::string partial_;  // the beginning of a line whose end has not come
  std::uint64_t lines_ = 0;
};

}  // namespace edgelog::agent

#include "edge-agent/adapters/line_feed.h"

namespace edgelog::agent {

void LineFeed::feed(std::string_view bytes) {
  chunk_.assign(bytes);
  at_ = 0;
  go_on();
}

bool LineFeed::deliver(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
  const Outcome outcome = intake_.deliver(line_topic, as_bytes(line), false);
  if (outcome == Outcome::blocked || outcome == Outcome::later) return false;  // a line does not come again
  ++lines_;
  return true;
}

bool LineFeed::go_on() {
  const std::size_t line_max = intake_.options().message_bytes_max;
  while (at_ < chunk_.size()) {
    const std::size_t end = chunk_.find('\n', at_);
    const std::string_view piece = std::string_view(chunk_).substr(at_, end == std::string::npos ? end : end - at_);
    if (end == std::string::npos) {
      // Only as much of a line that is too long is kept as shows that it is.
      if (partial_.size() <= line_max) partial_.append(piece);
      at_ = chunk_.size();
      break;
    }
    if (partial_.empty()) {
      if (!deliver(piece)) return false;
    } else {
      const std::size_t before = partial_.size();
      if (before <= line_max) partial_.append(piece);
      if (!deliver(partial_)) {
        partial_.resize(before);
        return false;
      }
      partial_.clear();
    }
    at_ = end + 1;
  }
  return true;
}

bool LineFeed::finish() {
  if (!go_on()) return false;
  if (!partial_.empty() && !deliver(partial_)) return false;
  partial_.clear();
  return true;
}

}  // namespace edgelog::agent

#pragma once
// The record of a gap in the stream edgelog.gaps, and a dead letter's in edgelog.dead-letters: keys and
// JSON values as docs/FORMATS.md, "Events", has them. Pure.
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

std::string gap_value(std::string_view agent, const Gap& gap);

// What an input could not make an event of. The payload is cut at 16 KiB, `detail` at 256 bytes; what is not UTF-8
// stands in base64.
struct DeadLetter {
  std::string_view agent, input, topic, reason, detail;
  Bytes payload;
};
std::string dead_letter_value(const DeadLetter& letter);

}  // namespace edgelog::agent

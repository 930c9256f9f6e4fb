// What a device may publish, through every shipped mapping: the topic up to the first line end, then the
// payload. What becomes an event is JSON again, with a key that a record can carry.
#include <vector>

#include "common/base/assert.h"
#include "edge-agent/adapters/json_parser.h"
#include "edge-agent/agent/mapping_file.h"
#include "edge-agent/mappings/shipped.h"

namespace {

using namespace edgelog;

std::vector<agent::Mapping> load_shipped() {
  std::vector<agent::Mapping> out;
  for (const agent::ShippedMapping& shipped : agent::shipped_mappings()) {
    auto document = config::Document::from_text(shipped.text, std::string(shipped.name));
    ASSERT(document);
    auto mapping = agent::read_mapping(*document);
    ASSERT(mapping);
    out.push_back(std::move(*mapping));
  }
  return out;
}

void check_events(const agent::Mapped& mapped) {
  static agent::JsonParser parser(1 << 20);
  agent::JsonObject value;
  ASSERT(agent::is_utf8(mapped.key));
  for (std::size_t i = 0; i < mapped.count; ++i) {
    ASSERT(!mapped.events[i].stream.empty());
    ASSERT(parser.parse(as_bytes(mapped.events[i].value), value).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<agent::Mapping> mappings = load_shipped();
  static agent::JsonParser parser(1 << 16);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\n');
  if (end == std::string_view::npos) return 0;
  const std::string_view topic = input.substr(0, end);
  if (!agent::is_utf8(topic)) return 0;  // the intake refuses it before
  agent::JsonObject payload;
  if (!parser.parse(as_bytes(input.substr(end + 1)), payload).empty()) return 0;
  for (const agent::Mapping& mapping : mappings) {
    agent::Captures captures;
    const agent::TopicRule* rule = mapping.match(topic, captures);
    if (rule == nullptr) continue;
    agent::Mapped mapped;
    mapping.apply(*rule, {"site", topic, &captures, &payload}, WallMillis{1'700'000'000'000}, mapped);
    if (mapped.verdict == agent::Mapped::Verdict::events) check_events(mapped);
  }
  return 0;
}

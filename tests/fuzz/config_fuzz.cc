// An agent's configuration file, or anything else that is given as one: read, or refused with what is wrong, each
// complaint naming the file. The first line may be flags, "#--uplink.port 1884 --id edge"; those that the program
// does not know its command line refuses before.
#include <algorithm>

#include "common/base/assert.h"
#include "edge-agent/adapters/agent_config.h"

namespace {

using Flags = std::vector<std::pair<std::string, std::string>>;

Flags flags_of(std::string_view line) {
  Flags out;
  while (line.starts_with("--") && out.size() < 8) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) break;
    const std::size_t next = std::min(line.find(" --", space), line.size());
    out.emplace_back(line.substr(2, space - 2), line.substr(space + 1, next - std::min(space + 1, next)));
    line.remove_prefix(std::min(next + 1, line.size()));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edgelog;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = config::Document::from_text(text, "agent.toml");
  if (!document) {
    ASSERT(document.error().what.starts_with("agent.toml"));
    return 0;
  }
  agent::AgentConfig config;
  config::Settings settings({"edgelog-agent", "Takes events.", {}});
  agent::describe_settings(settings, config);
  const std::string_view first = text.substr(0, text.find('\n'));
  Flags flags = first.starts_with('#') ? flags_of(first.substr(1)) : Flags{};
  std::erase_if(flags, [&](const auto& flag) {
    return std::none_of(settings.rows().begin(), settings.rows().end(),
                        [&](const config::Setting& row) { return row.key == flag.first; });
  });
  const auto read = settings.read(*document, flags);
  if (!read) ASSERT(!read.error().what.empty());
  return 0;
}

// A mapping file, or anything else that somebody names as one: read, or refused with what is wrong.
#include "common/base/assert.h"
#include "edge-agent/agent/mapping_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edgelog;
  const auto document =
      config::Document::from_text(std::string_view(reinterpret_cast<const char*>(data), size), "mapping.toml");
  if (!document) {
    ASSERT(document.error().what.starts_with("mapping.toml"));
    return 0;
  }
  const auto mapping = agent::read_mapping(*document);
  if (!mapping) ASSERT(!mapping.error().what.empty());
  return 0;
}

// What a gateway looks at of a payload that an agent, or somebody with its password, has published.
#include "gateway/bridge/batch_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edgelog;
  static record::Scratch scratch;
  const Bytes payload(reinterpret_cast<const std::byte*>(data), size);
  gateway::read_facts(payload, scratch);
  if (const auto header = record::parse_header(payload)) gateway::read_first_record(payload, *header, scratch, 1 << 20);
  return 0;
}

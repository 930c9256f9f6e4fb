#include "cloud-broker/server/replies.h"

#include "common/base/assert.h"
#include "common/wire/api_versions.h"

namespace edgelog::broker {

Buffer Replies::header(const Context& to) {
  Buffer out;
  // ApiVersions' header has no tags in any version, or a client could not read an unknown one (KIP-511).
  const bool tags = to.version >= to.api->flexible && to.api->key != wire::api_versions_api.key;
  wire::Encoder encoder(out, 0, tags);
  encoder.field(to.correlation_id);
  encoder.tags();
  return out;
}

Reply Replies::spliced(Buffer out, const std::vector<wire::Splice>& splices, std::vector<Buffer> owners) {
  Reply reply;
  if (splices.empty()) {
    reply.parts.push_back(std::move(out));
    return reply;
  }
  std::size_t from = 0;
  auto owner = owners.begin();
  for (const wire::Splice& splice : splices) {
    const auto begin = out.begin() + static_cast<std::ptrdiff_t>(from);
    reply.parts.emplace_back(begin, out.begin() + static_cast<std::ptrdiff_t>(splice.at));
    while (owner != owners.end() && owner->data() != splice.bytes.data()) ++owner;
    ASSERT(owner != owners.end() && owner->size() == splice.bytes.size());  // owners come in the message's order
    reply.parts.push_back(std::move(*owner++));
    from = splice.at;
  }
  reply.parts.emplace_back(out.begin() + static_cast<std::ptrdiff_t>(from), out.end());
  return reply;
}

}  // namespace edgelog::broker

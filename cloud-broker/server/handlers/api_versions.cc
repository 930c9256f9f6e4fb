// ApiVersions (18), versions 0-4. Lists what handler_table() serves, with Kafka's old minimums (some clients
// switch features off where a minimum is too high). A version that we do not know is answered in version 0
// with UNSUPPORTED_VERSION(35) and the whole list (KIP-511), after which clients ask again. No features are
// reported, so 4.x clients keep to the classic protocols. Refuses: a client name or version that is not
// Kafka's pattern, INVALID_REQUEST(42).
#include "common/wire/api_versions.h"

#include <algorithm>

#include "cloud-broker/server/handlers/handlers.h"
#include "common/wire/decode_request.h"

namespace edgelog::broker {

namespace {

bool letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool well_formed(const std::string& name) {
  if (name.empty() || !letter_or_digit(name.front()) || !letter_or_digit(name.back())) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return letter_or_digit(c) || c == '-' || c == '.'; });
}

}  // namespace

void handle_api_versions(World& world, const Context& asked, Bytes body) {
  Context context = asked;
  wire::ApiVersionsResponse response;
  wire::ApiVersionsRequest request;
  if (!context.api->serves(context.version)) {
    context.version = 0;
    response.error_code = wire::ErrorCode::unsupported_version;
  } else if (!wire::decode_request(body, context.version, request)) {
    world.metrics.malformed.add();
    return world.replies.close(context);
  } else if (context.version >= 3 &&
             (!well_formed(request.client_software_name) || !well_formed(request.client_software_version))) {
    response.error_code = wire::ErrorCode::invalid_request;
  }
  for (const Route& route : world.routes)
    response.apis.push_back({route.api->key, route.api->offer(), route.api->last});
  world.replies.send(context, response);
}

}  // namespace edgelog::broker

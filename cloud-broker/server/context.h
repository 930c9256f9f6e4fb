#pragma once
// Who asks, over what, and when: what a handler knows of a request besides its body; and who may do what.
#include <cstdint>
#include <string>
#include <string_view>

#include "cloud-broker/group/types.h"
#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/port/clients.h"
#include "common/wire/codec.h"

namespace edgelog::broker {

using group::At;

struct Context {
  ConnectionId connection;
  Ticket ticket;
  const wire::Api* api = nullptr;
  wire::Version version = 0;
  std::int32_t correlation_id = 0;
  std::string client_id;
  std::string client_host;  // "/1.2.3.4", as Kafka shows it
  std::string listener = "PLAINTEXT";
  std::string principal = "User:ANONYMOUS";
  At at;
  MutableBytes frame;  // the request; valid while its handler runs

  // The same bytes as `view`, which points into the frame, to be stamped in place.
  MutableBytes writable(Bytes view) const {
    if (view.empty()) return {};
    return frame.subspan(static_cast<std::size_t>(view.data() - frame.data()), view.size());
  }
};

enum class Operation : std::uint8_t { read, write, create, remove, alter, describe, describe_configs, alter_configs };
enum class Resource : std::uint8_t { topic, group, cluster };

// Asked by every handler before it does or shows anything.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual bool allows(const Context& context, Operation operation, Resource resource, std::string_view name) const = 0;
};

// Until there are users: whoever reaches the listener may do everything. Loopback is the default listener.
class AllowAll final : public Authorizer {
 public:
  bool allows(const Context&, Operation, Resource, std::string_view) const override { return true; }
};

}  // namespace edgelog::broker

#include "common/wire/all.h"
#include "tests/unit/common/wire/any_message_impl.h"

namespace edgelog::wire {

std::vector<AnyMessage> any_requests() {
  std::vector<AnyMessage> out;
  for_each_api([&]<class Request, class Response>() { out.push_back(any_message<Request>(true)); });
  return out;
}

}  // namespace edgelog::wire

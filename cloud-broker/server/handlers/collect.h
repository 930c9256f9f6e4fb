#pragma once
// A response that is put together by several answers which come later: sent when the last is there.
#include <functional>
#include <memory>
#include <utility>

#include "cloud-broker/server/world.h"

namespace edgelog::broker {

template <class Response>
class Collect : public std::enable_shared_from_this<Collect<Response>> {
 public:
  Collect(World& world, const Context& context) : world_(world), context_(context) { context_.frame = {}; }

  Response response;
  // One more answer is awaited; it calls arrive(). The handler itself counts as one from the start.
  void expect() { ++open_; }
  void arrive() {
    if (--open_ > 0) return;
    if (finish) finish(response);
    world_.replies.send(context_, response);
  }
  std::function<void(Response&)> finish;  // fills in what is only known at the end
  const Context& context() const { return context_; }

 private:
  World& world_;
  Context context_;
  std::size_t open_ = 1;
};

template <class Response>
std::shared_ptr<Collect<Response>> collect(World& world, const Context& context) {
  return std::make_shared<Collect<Response>>(world, context);
}

}  // namespace edgelog::broker

#pragma once
// A Unix socket as an input: each connection brings one JSON object a line and is told how many of its lines are
// durable. For plain and numbered sources; a ring is asked for on MQTT. Loop thread.
#include <memory>
#include <string>

#include "common/io/loop.h"
#include "edge-agent/adapters/line_feed.h"

namespace edgelog::agent {

class SocketInput : public Inlet {
 public:
  SocketInput(io::Loop& loop, std::string path, Intake& intake, Driver& driver);
  ~SocketInput() override;
  // Replaces a socket file that nobody listens on. Code::exists: somebody does.
  Status start();
  void stop();  // takes nothing more

  void durable(std::uint64_t ticket) override;
  void confirm(std::string_view, std::string_view, std::int64_t) override {}
  void resume() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace edgelog::agent

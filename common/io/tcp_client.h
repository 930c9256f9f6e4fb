#pragma once
// Links over TCP: framed connections that this process opens (common/port/links.h). Nagle's algorithm is
// off; names are resolved on a thread of Asio's own. Loop thread only.
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "common/io/loop.h"
#include "common/port/links.h"
#include "common/port/timer.h"

namespace edgelog::io {

struct TcpClientOptions {
  std::size_t frame_bytes_max = 100 << 20;  // a longer frame ends its link
  // Of one of a name's addresses; then the next is tried. A lone one has as long as the caller lets it.
  Duration address_timeout = seconds(2);
  // Instead of the system's resolver: a name's addresses as numbers.
  std::function<std::vector<Address>(const Address&)> resolve = {};
};

class TcpClient final : public Links {
 public:
  explicit TcpClient(Loop& loop, TcpClientOptions options = {});
  ~TcpClient() override;  // closes all, calls nothing

  LinkId dial(const Address& address, LinkEvents& events) override;
  void send(LinkId link, Buffer frame) override;
  std::size_t unsent(LinkId link) const override;
  void close(LinkId link) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// CLOCK_BOOTTIME and an alarm of the loop.
class LoopTimer final : public Timer {
 public:
  LoopTimer(Loop& loop, std::function<void()> handler) : alarm_(loop, std::move(handler)) {}
  Instant now() const override { return boottime_now(); }
  void wake_at(Instant when) override { alarm_.wake_at(when); }

 private:
  Alarm alarm_;
};

}  // namespace edgelog::io

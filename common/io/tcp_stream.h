#pragma once
// The plain TCP stream. Included by the adapters of common/io only, since it shows Asio.
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <span>

#include "common/io/stream.h"

namespace edgelog::io {

class TcpStream final : public Stream {
 public:
  // Takes a connected socket; makes it non-blocking and turns Nagle's algorithm off.
  explicit TcpStream(boost::asio::ip::tcp::socket socket);
  void wait_readable(std::function<void()> ready) override;
  void wait_writable(std::function<void()> ready) override;
  Moved read(MutableBytes into) override;
  Moved write(std::span<const Bytes> pieces) override;

 private:
  boost::asio::ip::tcp::socket socket_;
};

}  // namespace edgelog::io

#include "common/io/tcp_stream.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <utility>

namespace edgelog::io {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

Moved outcome(const error_code& error, std::size_t bytes) {
  if (!error) return {Went::on, bytes};
  if (error == asio::error::would_block || error == asio::error::try_again) return {Went::would_block, bytes};
  return {Went::ended, bytes};
}

auto once(std::function<void()> ready) {
  return [ready = std::move(ready)](const error_code& error) {
    if (error != asio::error::operation_aborted) ready();
  };
}

}  // namespace

TcpStream::TcpStream(tcp::socket socket) : socket_(std::move(socket)) {
  error_code ignored;  // a socket that is broken already shows it at the first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
}

void TcpStream::wait_readable(std::function<void()> ready) {
  socket_.async_wait(tcp::socket::wait_read, once(std::move(ready)));
}

void TcpStream::wait_writable(std::function<void()> ready) {
  socket_.async_wait(tcp::socket::wait_write, once(std::move(ready)));
}

Moved TcpStream::read(MutableBytes into) {
  error_code error;
  const std::size_t bytes = socket_.read_some(asio::buffer(into.data(), into.size()), error);
  return outcome(error, bytes);
}

Moved TcpStream::write(std::span<const Bytes> pieces) {
  std::array<asio::const_buffer, 64> buffers;
  const std::size_t count = std::min(pieces.size(), buffers.size());
  for (std::size_t i = 0; i < count; ++i) buffers[i] = asio::const_buffer(pieces[i].data(), pieces[i].size());
  error_code error;
  const std::size_t bytes = socket_.write_some(std::span<const asio::const_buffer>(buffers.data(), count), error);
  return outcome(error, bytes);
}

}  // namespace edgelog::io

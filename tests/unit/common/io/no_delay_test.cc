#include "common/io/no_delay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace edgelog::io {
namespace {

// A connection on loopback, both ends held here.
struct Pair {
  Pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size), 0);
    client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&at), size), 0);
    server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    EXPECT_GE(server, 0);
    ::close(listener);
    port = ntohs(at.sin_port);
  }
  ~Pair() {
    ::close(client);
    ::close(server);
  }
  int client = -1, server = -1;
  std::uint16_t port = 0;
};

bool delays(int fd) {
  int off = 0;
  socklen_t size = sizeof off;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, &size), 0);
  return off == 0;
}

TEST(NoDelay, TouchesConnectionsToThatPortAlone) {
  const Pair meant, other;
  EXPECT_TRUE(delays(meant.client));
  EXPECT_EQ(no_delay(meant.port), 1);
  EXPECT_FALSE(delays(meant.client));
  EXPECT_TRUE(delays(meant.server));
  EXPECT_TRUE(delays(other.client));
  EXPECT_EQ(no_delay(1), 0);
}

}  // namespace
}  // namespace edgelog::io

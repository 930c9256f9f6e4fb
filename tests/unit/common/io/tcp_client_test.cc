#include "common/io/tcp_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace edgelog::io {
namespace {

// Listens and accepts nothing; with its queue full, the kernel does not answer who connects.
class Listener {
 public:
  explicit Listener(const char* host) : host_(host), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    at_.sin_family = AF_INET;
    ::inet_pton(AF_INET, host, &at_.sin_addr);
    socklen_t size = sizeof at_;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at_), size), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at_), &size), 0);
    EXPECT_EQ(::listen(fd_, 0), 0);
  }
  ~Listener() {
    for (const int one : {fill_, fd_})
      if (one >= 0) ::close(one);
  }
  void fill() {
    fill_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fill_, reinterpret_cast<sockaddr*>(&at_), sizeof at_), 0);
  }
  Address address() const { return {host_, ntohs(at_.sin_port)}; }

 private:
  const std::string host_;
  sockaddr_in at_{};
  int fd_, fill_ = -1;
};

struct Outcome final : LinkEvents {
  explicit Outcome(Loop& owner) : loop(owner) {}
  void opened(LinkId) override {
    said = "opened";
    loop.stop();
  }
  void received(LinkId, Bytes) override {}
  void closed(LinkId, const std::string& reason) override {
    said = reason;
    loop.stop();
  }
  Loop& loop;
  std::string said;
};

// What becomes of a dial to a name that has these addresses.
std::string dial(const std::vector<Address>& addresses) {
  Loop loop;
  TcpClientOptions options;
  options.address_timeout = milliseconds(200);
  options.resolve = [&](const Address&) { return addresses; };
  TcpClient client(loop, options);
  Outcome outcome(loop);
  Alarm guard(loop, [&] { loop.stop(); });
  guard.wake_at(boottime_now() + seconds(30));
  client.dial({"broker", 9092}, outcome);
  loop.run();
  return outcome.said;
}

TEST(TcpClientTest, ADeadAddressDoesNotHideTheNext) {
  Listener dead("127.0.0.1"), alive("127.0.0.1");
  dead.fill();
  EXPECT_EQ(dial({dead.address(), alive.address()}), "opened");
  EXPECT_EQ(dial({dead.address(), dead.address()}), "connect: timed out");
}

// The caller waits for two and a half addresses, each time anew.
TEST(TcpClientTest, WhatWasTriedInVainIsNotTheFirstOfTheNextDial) {
  Listener one("127.0.0.1"), two("127.0.0.1"), three("127.0.0.1"), alive("127.0.0.1");
  for (Listener* dead : {&one, &two, &three}) dead->fill();
  Loop loop;
  TcpClientOptions options;
  options.address_timeout = milliseconds(200);
  options.resolve = [&](const Address&) {
    return std::vector{one.address(), two.address(), three.address(), alive.address()};
  };
  TcpClient client(loop, options);
  Outcome outcome(loop);
  int dials = 0;
  LinkId link{};
  Alarm patience(loop, [&] {
    if (dials > 0) client.close(link);
    if (++dials > 4) return loop.stop();
    link = client.dial({"broker", 9092}, outcome);
    patience.wake_at(boottime_now() + milliseconds(500));
  });
  patience.wake_at(boottime_now());
  loop.run();
  EXPECT_EQ(outcome.said, "opened");
}

// Whoever has one address and a long way to it is not cut off.
TEST(TcpClientTest, ALoneAddressHasTheCallersTime) {
  Listener dead("127.0.0.1");
  dead.fill();
  Loop loop;
  TcpClientOptions options;
  options.address_timeout = milliseconds(1);
  options.resolve = [&](const Address&) { return std::vector{dead.address()}; };
  TcpClient client(loop, options);
  Outcome outcome(loop);
  client.dial({"broker", 9092}, outcome);
  Alarm guard(loop, [&] { loop.stop(); });
  guard.wake_at(boottime_now() + milliseconds(300));
  loop.run();
  EXPECT_EQ(outcome.said, "");
}

TEST(TcpClientTest, ARefusalGoesOnToTheNextAtOnce) {
  Address nobody;
  {
    const Listener gone("127.0.0.1");
    nobody = gone.address();
  }
  Listener alive("127.0.0.1");
  EXPECT_EQ(dial({nobody, alive.address()}), "opened");
  EXPECT_EQ(dial({nobody}), "connect: Connection refused");
  EXPECT_EQ(dial({}), "connect: no address");
}

}  // namespace
}  // namespace edgelog::io

#include "common/io/tcp_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/bytes.h"

namespace edgelog::io {
namespace {

// Echoes requests; one that begins with "hold" waits until "go" comes, "big" is answered with 4 MiB.
class Echo : public Service {
 public:
  Clients* clients = nullptr;
  std::vector<std::pair<ConnectionId, Ticket>> held;
  std::set<ConnectionId> now_open;
  std::size_t served = 0;

  void opened(ConnectionId id, const std::string& host) override {
    EXPECT_EQ(host, "127.0.0.1");
    now_open.insert(id);
  }
  void request(ConnectionId id, Ticket ticket, MutableBytes request) override {
    ++served;
    const std::string text(as_text(request));
    if (text == "none") return clients->no_response(id, ticket);
    if (text == "close") return clients->close(id);
    if (text == "hold") return held.push_back({id, ticket});
    if (text == "go") {
      for (const auto& [who, which] : held) clients->respond(who, which, reply("held"));
      held.clear();
    }
    if (text == "big") return clients->respond(id, ticket, reply(std::string(4 << 20, 'b')));
    clients->respond(id, ticket, reply(text));
  }
  void closed(ConnectionId id) override {
    EXPECT_EQ(now_open.erase(id), 1u);
    std::erase_if(held, [id](const auto& entry) { return entry.first == id; });
  }
  static Reply reply(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    Reply made;
    made.parts.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2));
    made.parts.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), bytes.end());
    return made;
  }
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  static std::string frame(std::string_view body) {
    std::string framed(4, '\0');
    store_big(reinterpret_cast<std::byte*>(framed.data()), static_cast<std::int32_t>(body.size()));
    return framed.append(body);
  }
  void send_raw(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void send(std::string_view body) const { send_raw(frame(body)); }
  std::string receive() const {
    std::string head = exactly(4);
    if (head.size() < 4) return "<end>";
    return exactly(static_cast<std::size_t>(load_big<std::int32_t>(reinterpret_cast<const std::byte*>(head.data()))));
  }
  std::string exactly(std::size_t size) const {
    std::string got(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const auto n = ::recv(fd_, got.data() + have, size - have, 0);
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    got.resize(have);
    return got;
  }

 private:
  int fd_;
};

class TcpServerTest : public ::testing::Test {
 protected:
  void serve(TcpServerOptions options = {}) {
    server = std::make_unique<TcpServer>(loop, echo, options);
    echo.clients = server.get();
    ASSERT_TRUE(server->start());
    port = server->port();
    thread = std::thread([this] { loop.run(); });
  }
  void TearDown() override {
    loop.post([this] {
      server.reset();
      loop.post([this] { loop.stop(); });
    });
    thread.join();
    EXPECT_TRUE(echo.now_open.empty());
  }
  Loop loop;
  Echo echo;
  std::unique_ptr<TcpServer> server;
  std::thread thread;
  std::uint16_t port = 0;
};

TEST_F(TcpServerTest, AnswersEachFrameWithItsReply) {
  serve();
  Client client(port);
  client.send("one");
  EXPECT_EQ(client.receive(), "one");
  client.send("");
  EXPECT_EQ(client.receive(), "");
}

TEST_F(TcpServerTest, RepliesLeaveInTheOrderOfRequests) {
  serve();
  Client client(port);
  client.send_raw(Client::frame("hold") + Client::frame("a") + Client::frame("none") + Client::frame("go"));
  EXPECT_EQ(client.receive(), "held");
  EXPECT_EQ(client.receive(), "a");
  EXPECT_EQ(client.receive(), "go");
}

TEST_F(TcpServerTest, AFrameMayComeInAnyPieces) {
  serve();
  Client client(port);
  const std::string both = Client::frame("abcdef") + Client::frame(std::string(200'000, 'x'));
  for (std::size_t at = 0; at < 16; ++at) client.send_raw(both.substr(at, 1));
  client.send_raw(both.substr(16));
  EXPECT_EQ(client.receive(), "abcdef");
  EXPECT_EQ(client.receive(), std::string(200'000, 'x'));
}

TEST_F(TcpServerTest, ABadLengthClosesThatConnectionOnly) {
  serve();
  Client good(port), bad(port), worse(port);
  bad.send_raw("GET / HTTP/1.1\r\n");
  worse.send_raw("\xff\xff\xff\xff");
  EXPECT_EQ(bad.receive(), "<end>");
  EXPECT_EQ(worse.receive(), "<end>");
  good.send("still here");
  EXPECT_EQ(good.receive(), "still here");
}

TEST_F(TcpServerTest, TheServiceMayCloseDuringARequest) {
  serve();
  Client client(port);
  client.send_raw(Client::frame("x") + Client::frame("close") + Client::frame("never"));
  const std::string got = client.receive();
  EXPECT_TRUE(got == "x" || got == "<end>");
}

TEST_F(TcpServerTest, InFlightIsBoundedAndGoesOnAfterwards) {
  TcpServerOptions options;
  options.in_flight_max = 4;
  serve(options);
  Client client(port), other(port);
  std::string many;
  for (int i = 0; i < 3; ++i) many += Client::frame("hold");
  for (int i = 0; i < 200; ++i) many += Client::frame(std::to_string(i));
  client.send_raw(many);
  std::string answer;
  while (answer != "go") {  // until the holds have arrived, `go` frees nothing
    other.send("go");
    answer = other.receive();
  }
  for (int i = 0; i < 3; ++i) {
    std::thread opener([&] { other.send("go"); });
    opener.join();
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.receive(), "held");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client.receive(), std::to_string(i));
}

TEST_F(TcpServerTest, ASlowReaderHoldsBackItsOwnRequestsOnly) {
  TcpServerOptions options;
  options.unsent_bytes_max = 1 << 20;
  serve(options);
  Client slow(port), fast(port);
  std::string many;
  for (int i = 0; i < 40; ++i) many += Client::frame("big");
  slow.send_raw(many);
  fast.send("quick");
  EXPECT_EQ(fast.receive(), "quick");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(slow.receive().size(), 4u << 20);
  EXPECT_LT(server->metrics().memory_bytes.value(), 64 << 20);
}

TEST_F(TcpServerTest, LargeFramesShareTheMemoryOneAfterTheOther) {
  TcpServerOptions options;
  options.memory_bytes_max = 3 << 20;
  serve(options);
  const std::string body(2 << 20, 'm');
  Client first(port), second(port);
  first.send_raw(Client::frame(body).substr(0, 1 << 20));
  std::thread sender([&] { second.send(body); });
  first.send_raw(Client::frame(body).substr(1 << 20));
  EXPECT_EQ(first.receive(), body);
  EXPECT_EQ(second.receive(), body);
  sender.join();
}

TEST_F(TcpServerTest, WhoHasOwedMemoryForLongestIsClosedFirst) {
  TcpServerOptions options;
  options.memory_bytes_max = 32 << 20;
  options.unsent_bytes_max = 64 << 20;
  serve(options);
  constexpr int answers = 6;  // of 4 MiB; the kernel's buffers hold one or two of them
  std::string ask;
  for (int i = 0; i < answers; ++i) ask += Client::frame("big");
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<Client>(port));
    slow.back()->send_raw(ask);
    Client quick(port);
    quick.send("after it");
    EXPECT_EQ(quick.receive(), "after it");
  }
  for (int i = 0; i < answers; ++i) EXPECT_EQ(slow.back()->receive().size(), 4u << 20);
  EXPECT_GE(server->metrics().shed.value(), 1u);
  int whole = 0;
  for (int i = 0; i < answers; ++i) whole += slow.front()->receive().size() == 4u << 20 ? 1 : 0;
  EXPECT_LT(whole, answers);
}

TEST_F(TcpServerTest, BeginningsOfFramesCount) {
  TcpServerOptions options;
  options.memory_bytes_max = 1 << 20;
  serve(options);
  const std::string beginning = Client::frame(std::string(60'000, 'x')).substr(0, 50'000);
  std::vector<std::unique_ptr<Client>> many;
  for (int i = 0; i < 60; ++i) {
    many.push_back(std::make_unique<Client>(port));
    many.back()->send_raw(beginning);
    Client quick(port);
    quick.send("x");
    EXPECT_EQ(quick.receive(), "x");
  }
  EXPECT_EQ(many.front()->receive(), "<end>");
  many.back()->send_raw(std::string(10'004, 'x'));
  EXPECT_EQ(many.back()->receive().size(), 60'000u);
  EXPECT_LE(server->metrics().memory_bytes.value(), (1 << 20) * 5 / 4);
}

TEST_F(TcpServerTest, ALargeFrameThatDoesNotComeGivesWayToOnesThatDo) {
  TcpServerOptions options;
  options.memory_bytes_max = 3 << 20;
  options.frame_grace = milliseconds(100);
  serve(options);
  Client dawdler(port), other(port);
  const std::string body(2 << 20, 'm');
  dawdler.send_raw(Client::frame(body).substr(0, 5));
  while (server->metrics().memory_bytes.value() < 2 << 20) std::this_thread::yield();
  other.send(body);
  EXPECT_EQ(other.receive(), body);
  EXPECT_EQ(dawdler.receive(), "<end>");
  EXPECT_EQ(server->metrics().shed.value(), 1u);
}

TEST_F(TcpServerTest, TooManyConnectionsAreRefused) {
  TcpServerOptions options;
  options.connections_max = 1;
  serve(options);
  Client first(port);
  first.send("a");
  EXPECT_EQ(first.receive(), "a");
  Client second(port);
  EXPECT_EQ(second.receive(), "<end>");
  first.send("b");
  EXPECT_EQ(first.receive(), "b");
}

TEST_F(TcpServerTest, StoppingAnswersWhatIsInFlight) {
  serve();
  Client client(port);
  client.send_raw(Client::frame("hold") + Client::frame("x"));
  Client other(port);
  other.send("y");
  EXPECT_EQ(other.receive(), "y");
  loop.post([this] {
    server->stop_accepting();
    for (const auto& [who, which] : echo.held) server->respond(who, which, Echo::reply("late"));
    echo.held.clear();
  });
  const std::string got = client.receive();
  EXPECT_TRUE(got == "late" || got == "<end>") << got;
}

}  // namespace
}  // namespace edgelog::io

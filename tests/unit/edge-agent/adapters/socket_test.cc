// A socket's answers to one who reads slowly.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "edge-agent/adapters/agent_config.h"
#include "edge-agent/adapters/log_apply.h"
#include "edge-agent/adapters/socket_input.h"

namespace edgelog::agent {
namespace {

struct NoLog : EventLog {
  void commit(CommitWork, std::function<void(CommitDone)>) override {}
  void read_batch(StreamId, EventIndex, std::function<void(Result<Buffer>)>) override {}
  LogUsage usage() const override { return {}; }
};

struct NoUplink : Uplink {
  bool connected() const override { return false; }
  Result<std::uint64_t> publish(const std::string&, Bytes, std::optional<std::int32_t>, bool) override {
    return Error{Code::closed, "none"};
  }
};

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return client;
}

TEST(Socket, TheNewestAnswerIsNotTheOneThatIsLost) {
  std::string folder = (std::filesystem::temp_directory_path() / "edgelog-socket-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  io::Loop loop;
  NoLog log;
  NoUplink uplink;
  Config config;
  config.agent = "edge-1";
  Driver driver(config, {}, 1, false, "test", {log, uplink, [] { return Moment{}; }, [](Instant) {}});
  Intake intake({"lines", "site-a", "edge-1"}, std::move(*find_mapping("plain-json")), driver,
                [](Bytes, JsonObject&) { return std::string_view("none"); });
  std::string all;
  {
    SocketInput input(loop, folder + "/socket", intake, driver);
    ASSERT_TRUE(input.start());
    const int client = connect_to(folder + "/socket");
    const auto turn = [&] {  // one piece of work, or none
      loop.post([] {});
      loop.run_one();
    };
    for (int i = 0; i < 5; ++i) turn();
    constexpr std::uint64_t first_connection = std::uint64_t{1} << 40, last = 20'000;
    for (std::uint64_t lines = 1; lines <= last; ++lines) input.durable(first_connection | lines);
    char chunk[4096];
    for (int i = 0; i < 200; ++i) {
      turn();
      for (ssize_t got; (got = recv(client, chunk, sizeof chunk, MSG_DONTWAIT)) > 0;)
        all.append(chunk, static_cast<std::size_t>(got));
    }
    close(client);
  }
  EXPECT_TRUE(all.ends_with("{\"durable\":20000}\n")) << all.substr(all.size() - std::min<std::size_t>(all.size(), 40));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace edgelog::agent

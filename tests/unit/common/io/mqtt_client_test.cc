// Against a real Mosquitto, where there is one.
#include "common/io/mqtt_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <thread>

#include "tests/support/bare_mqtt.h"

namespace edgelog::io {
namespace {

std::string mosquitto_path() {
  for (const char* path : {"/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"})
    if (::access(path, X_OK) == 0) return path;
  return {};
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  ::close(fd);
  return ntohs(at.sin_port);
}

class Mosquitto {
 public:
  explicit Mosquitto(const std::string& more = "") : port_(free_port()) {
    std::string name = (std::filesystem::temp_directory_path() / "edgelog-mqtt-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::ofstream(folder_ / "mosquitto.conf") << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\n"
                                              << "persistence false\nset_tcp_nodelay true\n"
                                              << "max_queued_messages 20000\n"
                                              << std::regex_replace(more, std::regex("FOLDER"), name);
    std::ofstream(folder_ / "acl") << "topic readwrite allowed/#\n";
    std::filesystem::permissions(folder_, std::filesystem::perms::all);  // Mosquitto leaves root for a user of its own
    start();
  }
  ~Mosquitto() {
    kill();
    std::filesystem::remove_all(folder_);
  }
  void start() {
    const std::string config = (folder_ / "mosquitto.conf").string(), path = mosquitto_path();
    pid_ = ::fork();
    if (pid_ == 0) {
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execl(path.c_str(), path.c_str(), "-c", config.c_str(), nullptr);
      ::_exit(127);
    }
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_;
  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

MqttOptions options_for(const Mosquitto& server, std::string id) {
  MqttOptions options;
  options.port = server.port();
  options.client_id = std::move(id);
  options.backoff_min = milliseconds(10);
  options.backoff_max = milliseconds(100);
  return options;
}

class MqttClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (mosquitto_path().empty()) GTEST_SKIP() << "no mosquitto here";
  }
  // Runs the loop until stop(); a test that hangs fails by this alarm.
  void run() {
    bool late = false;
    Alarm guard(loop_, [&] {
      late = true;
      loop_.stop();
    });
    guard.wake_at(boottime_now() + seconds(60));
    loop_.run();
    ASSERT_FALSE(late) << "nothing happened for 60 s";
  }
  Loop loop_;
};

TEST_F(MqttClientTest, CarriesPayloadAndUserProperties) {
  Mosquitto server;
  std::unique_ptr<MqttClient> client;
  std::vector<MqttMessage> got;
  int reason = -1;
  const auto finish = [&] {
    if (got.size() == 1 && reason >= 0) loop_.stop();
  };
  const std::string payload("a\0b", 3);
  MqttHandlers handlers;
  handlers.connected = [&] {
    const auto sent = client->publish("t/1", as_bytes(payload), false, {{"p", "3"}, {"x", "y"}});
    ASSERT_TRUE(sent) << sent.error().what;
  };
  handlers.message = [&](MqttMessage m) {
    got.push_back(std::move(m));
    finish();
  };
  handlers.published = [&](std::uint64_t, int code) {
    reason = code;
    finish();
  };
  client = std::make_unique<MqttClient>(loop_, options_for(server, "one"), handlers);
  client->subscribe("t/+");
  client->start();
  run();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].topic, "t/1");
  EXPECT_EQ(as_text(got[0].payload), payload);
  EXPECT_EQ(got[0].properties, (UserProperties{{"p", "3"}, {"x", "y"}}));
  EXPECT_FALSE(got[0].retained);
  EXPECT_EQ(reason, 0);
}

TEST_F(MqttClientTest, TellsOfARefusedPublish) {
  Mosquitto server("acl_file FOLDER/acl\n");
  std::unique_ptr<MqttClient> client;
  std::map<std::uint64_t, int> reasons;
  MqttHandlers handlers;
  handlers.connected = [&] {
    ASSERT_TRUE(client->publish("allowed/x", as_bytes("x")));
    ASSERT_TRUE(client->publish("forbidden/x", as_bytes("x")));
  };
  handlers.published = [&](std::uint64_t ticket, int code) {
    reasons[ticket] = code;
    if (reasons.size() == 2) loop_.stop();
  };
  client = std::make_unique<MqttClient>(loop_, options_for(server, "one"), handlers);
  client->start();
  run();
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_EQ(reasons.begin()->second, 0);
  EXPECT_EQ(reasons.rbegin()->second, 0x87) << "not authorised";
  EXPECT_EQ(client->places(), 20u) << "a refusal frees its place";
}

TEST_F(MqttClientTest, TenThousandInOrderThroughTheWindow) {
  Mosquitto server("max_inflight_messages 50\n");
  constexpr int total = 10'000;
  int sent = 0, received = 0, answered = 0;
  bool in_order = true;
  std::unique_ptr<MqttClient> sender, receiver;
  const auto fill = [&] {
    while (sent < total && sender->places() > 0) {
      const auto text = std::to_string(sent);
      ASSERT_TRUE(sender->publish("n", as_bytes(text)));
      ++sent;
    }
  };
  MqttHandlers out;
  std::size_t places = 0;
  out.connected = [&] {
    places = sender->places();
    fill();
  };
  out.published = [&](std::uint64_t, int code) {
    EXPECT_EQ(code, 0);
    ++answered;
    fill();
    if (answered == total && received == total) loop_.stop();
  };
  MqttHandlers in;
  in.connected = [&] { sender->start(); };
  in.message = [&](MqttMessage m) {
    in_order &= as_text(m.payload) == std::to_string(received);
    ++received;
    if (answered == total && received == total) loop_.stop();
  };
  auto wide = options_for(server, "sender");
  wide.in_flight_max = 1000;
  sender = std::make_unique<MqttClient>(loop_, wide, out);
  receiver = std::make_unique<MqttClient>(loop_, options_for(server, "receiver"), in);
  receiver->subscribe("n");
  receiver->start();
  const auto begin = boottime_now();
  run();
  RecordProperty("milliseconds", static_cast<int>(to_millis(boottime_now() - begin)));
  EXPECT_EQ(places, 50u) << "the server's Receive Maximum is the limit";
  EXPECT_EQ(received, total);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(receiver->counters().dropped.value(), 0u);
}

TEST_F(MqttClientTest, RetainedMessagesComeAfterConnected) {
  Mosquitto server;
  std::unique_ptr<MqttClient> first, second;
  bool connected = false, early = false;
  MqttHandlers a, b;
  a.connected = [&] { ASSERT_TRUE(first->publish("kept", as_bytes("x"), true)); };
  a.published = [&](std::uint64_t, int) { second->start(); };
  b.connected = [&] { connected = true; };
  b.message = [&](MqttMessage m) {
    early = !connected;
    EXPECT_TRUE(m.retained);
    loop_.stop();
  };
  first = std::make_unique<MqttClient>(loop_, options_for(server, "first"), a);
  second = std::make_unique<MqttClient>(loop_, options_for(server, "second"), b);
  second->subscribe("kept");
  first->start();
  run();
  EXPECT_TRUE(connected);
  EXPECT_FALSE(early);
}

TEST_F(MqttClientTest, RefusesWithoutPlaceOrConnection) {
  Mosquitto server;
  std::unique_ptr<MqttClient> client;
  MqttHandlers handlers;
  handlers.connected = [&] {
    ASSERT_EQ(client->places(), 3u);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->publish("t", as_bytes("x")));
    const auto refused = client->publish("t", as_bytes("x"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::full);
    loop_.stop();
  };
  auto options = options_for(server, "one");
  options.in_flight_max = 3;
  client = std::make_unique<MqttClient>(loop_, options, handlers);
  const auto early = client->publish("t", as_bytes("x"));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::closed);
  client->start();
  run();
}

TEST_F(MqttClientTest, ComesBackAfterTheServerWasKilledAndSubscribesAgain) {
  Mosquitto server;
  std::unique_ptr<MqttClient> client;
  int connects = 0, disconnects = 0;
  std::vector<std::string> got;
  MqttHandlers handlers;
  handlers.connected = [&] {
    const auto text = std::to_string(++connects);
    ASSERT_GT(client->places(), 0u);
    ASSERT_TRUE(client->publish("t/x", as_bytes(text)));
  };
  handlers.disconnected = [&](const std::string&) {
    if (++disconnects == 1 || disconnects == 4) server.start();
  };
  handlers.message = [&](MqttMessage m) {
    got.emplace_back(as_text(m.payload));
    if (got.size() == 3) return loop_.stop();
    server.kill();
  };
  client = std::make_unique<MqttClient>(loop_, options_for(server, "one"), handlers);
  client->subscribe("t/#");
  // The server may not listen yet: `disconnected` tells of failed attempts too, so begin when it does.
  Alarm once(loop_, [&] { client->start(); });
  for (int i = 0; i < 1000; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(server.port());
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool open = ::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    ::close(fd);
    if (open) break;
    std::this_thread::yield();
    ::usleep(2000);  // allow: sleep, because Mosquitto does not say when it listens
  }
  once.wake_at(boottime_now());
  handlers.disconnected = nullptr;
  run();
  EXPECT_EQ(got, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(client->counters().connects.value(), 3u);
}

TEST_F(MqttClientTest, TheWillIsSentForAKilledProcessAndNotForAnOrderlyEnd) {
  Mosquitto server;
  std::unique_ptr<MqttClient> watcher, orderly;
  std::vector<std::string> got;
  const auto with_will = [&](const std::string& id) {
    auto options = options_for(server, id);
    options.will = MqttWill{"state/" + id, "offline", true};
    return options;
  };
  pid_t child = -1;
  MqttHandlers watching;
  watching.connected = [&] {
    child = ::fork();
    if (child == 0) {
      ::execl("/proc/self/exe", "/proc/self/exe", "--gtest_filter=MqttClientChild.DISABLED_DiesConnected",
              "--gtest_also_run_disabled_tests", nullptr);
      ::_exit(127);
    }
  };
  MqttHandlers orderly_handlers;
  orderly_handlers.connected = [&] { loop_.post([&] { orderly.reset(); }); };
  watching.message = [&](MqttMessage m) {
    got.push_back(m.topic + "=" + std::string(as_text(m.payload)));
    if (m.topic == "state/child") {
      loop_.stop();
    } else {
      ADD_FAILURE() << "unexpected will of " << m.topic;
    }
  };
  ::setenv("EDGELOG_TEST_MQTT_PORT", std::to_string(server.port()).c_str(), 1);
  watcher = std::make_unique<MqttClient>(loop_, options_for(server, "watcher"), watching);
  watcher->subscribe("state/+");
  orderly = std::make_unique<MqttClient>(loop_, with_will("orderly"), orderly_handlers);
  watcher->start();
  orderly->start();
  run();
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(got, (std::vector<std::string>{"state/child=offline"}));
}

// The other process of the test above.
TEST(MqttClientChild, DISABLED_DiesConnected) {
  const char* port = std::getenv("EDGELOG_TEST_MQTT_PORT");
  if (port == nullptr) GTEST_SKIP();
  Loop loop;
  MqttOptions options;
  options.port = static_cast<std::uint16_t>(std::atoi(port));
  options.client_id = "child";
  options.will = MqttWill{"state/child", "offline", false};
  MqttHandlers handlers;
  handlers.connected = [] { ::kill(::getpid(), SIGKILL); };
  MqttClient client(loop, options, handlers);
  client.start();
  loop.run();
}

MqttOptions client_of(const testing::BareMqtt& server) {
  MqttOptions options;
  options.port = server.port();
  options.client_id = "one";
  return options;
}

// What is granted, refused and asked for later, each by its own name; a refusal ends nothing.
TEST_F(MqttClientTest, TellsWhichSubscriptionsAreRefused) {
  testing::BareMqtt server;
  server.refuse({"b", "late"});
  std::vector<std::string> told;
  std::unique_ptr<MqttClient> client;
  MqttHandlers handlers;
  handlers.refused = [&](const std::string& which, const std::vector<std::string>&) {
    told.push_back(which);
    if (told.size() == 1) return client->subscribe("late");
    if (told.size() == 2) client->unsubscribe("b");
    if (told.size() == 3) client->unsubscribe("late");
    if (told.size() == 4) loop_.stop();
  };
  client = std::make_unique<MqttClient>(loop_, client_of(server), handlers);
  for (const char* filter : {"a", "b", "c"}) client->subscribe(filter);
  client->start();
  run();
  EXPECT_TRUE(client->connected());
  const std::vector<std::string> expected{"1 of 3 refused, such as b (reason 0x87)",
                                          "2 of 4 refused, such as b (reason 0x87)",
                                          "1 of 3 refused, such as late (reason 0x87)", ""};
  EXPECT_EQ(told, expected);
}

// Paho C++ 1.2.0 throws on its own thread when it is asked for the answers then.
TEST_F(MqttClientTest, TellsEachRefusalWhereTheFirstIsRefused) {
  testing::BareMqtt server;
  server.refuse({"a", "c"});
  std::string told;
  MqttHandlers handlers;
  handlers.refused = [&](const std::string& which, const std::vector<std::string>&) {
    told = which;
    if (which.starts_with("2")) loop_.stop();
  };
  MqttClient client(loop_, client_of(server), handlers);
  for (const char* filter : {"a", "b", "c", "d"}) client.subscribe(filter);
  client.start();
  run();
  EXPECT_EQ(told, "2 of 4 refused, such as a (reason 0x87)");
}

// Each of them is asked for alone, in every round; that is no news.
TEST_F(MqttClientTest, TellsOnceThatAllAreRefused) {
  testing::BareMqtt server;
  std::set<std::string> all;
  for (int i = 0; i < 40; ++i) all.insert(fmt::format("up/{:02}", i));
  server.refuse(all);
  std::vector<std::string> told;
  MqttHandlers handlers;
  handlers.refused = [&](const std::string& which, const std::vector<std::string>& filters) {
    told.push_back(which);
    EXPECT_EQ(filters.empty(), which.empty());
    if (which.empty()) loop_.stop();
  };
  MqttOptions options = client_of(server);
  options.refused_pause = milliseconds(20);
  MqttClient client(loop_, options, handlers);
  for (const auto& filter : all) client.subscribe(filter);
  Alarm look(loop_, [&] {
    if (server.subscribes() > 4 * all.size()) return server.refuse({});
    look.wake_at(boottime_now() + milliseconds(20));
  });
  look.wake_at(boottime_now());
  client.start();
  run();
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.front(), "40 of 40 refused, such as up/00 (reason 0x87)");
  EXPECT_EQ(told.back(), "");
  EXPECT_LE(told.size(), 3u) << "some may be granted a round before the others";
}

// More of them than anybody sends, in one packet, which Mosquitto too would pass on.
TEST_F(MqttClientTest, KeepsFewUserProperties) {
  testing::BareMqtt server;
  constexpr std::size_t count = 20'000;
  std::string body("\0\1t", 3);                              // topic
  const std::size_t properties = count * 5;                  // 0x26, two empty strings
  for (std::size_t left = properties; left > 0; left >>= 7)  // a variable byte integer
    body += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  for (std::size_t i = 0; i < count; ++i) body += std::string("\x26\0\0\0\0", 5);
  std::string packet("\x30");  // PUBLISH, QoS 0
  for (std::size_t left = body.size(); left > 0; left >>= 7)
    packet += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  packet += body;
  server.then(Buffer(as_bytes(packet).begin(), as_bytes(packet).end()));
  std::size_t kept = 0;
  MqttHandlers handlers;
  handlers.message = [&](MqttMessage m) {
    kept = m.properties.size();
    loop_.stop();
  };
  MqttClient client(loop_, client_of(server), handlers);
  client.subscribe("t");
  client.start();
  run();
  EXPECT_EQ(kept, user_properties_max);
}

// Others have their turn while much is there.
TEST_F(MqttClientTest, ManyMessagesDoNotHoldTheLoop) {
  testing::BareMqtt server;
  constexpr int total = 2000;
  std::string packets;
  for (int i = 0; i < total; ++i) packets += std::string("\x30\4\0\1t\0", 6);
  server.then(Buffer(as_bytes(packets).begin(), as_bytes(packets).end()));
  int came = 0, in_turn = 0, most = 0;
  MqttHandlers handlers;
  handlers.message = [&](const MqttMessage&) {
    if (came == 0)  // all the others come while the loop is held up by this one
      while (::poll(nullptr, 0, 100) < 0) {
      }
    if (++in_turn == 1) loop_.post([&] { most = std::max(most, std::exchange(in_turn, 0)); });
    if (++came == total) loop_.stop();
  };
  MqttClient client(loop_, client_of(server), handlers);
  client.subscribe("t");
  client.start();
  run();
  EXPECT_EQ(came, total);
  EXPECT_GT(most, 0);
  EXPECT_LE(most, 128);
}

TEST_F(MqttClientTest, SeesThatAnotherClientTookTheSession) {
  Mosquitto server;
  std::unique_ptr<MqttClient> first, second;
  std::string why;
  bool asked = false;
  MqttHandlers a;
  a.connected = [&] {
    if (!std::exchange(asked, true)) second->start();
  };
  a.disconnected = [&](const std::string& reason) {
    if (!asked) return;  // the server was not up yet
    why = reason;
    loop_.stop();
  };
  first = std::make_unique<MqttClient>(loop_, options_for(server, "same"), a);
  second = std::make_unique<MqttClient>(loop_, options_for(server, "same"), MqttHandlers{});
  first->start();
  run();
  EXPECT_NE(why, "");
}

}  // namespace
}  // namespace edgelog::io

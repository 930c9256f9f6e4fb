#include "common/io/admin_http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace edgelog::io {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// One request by a plain socket: what a client that knows nothing of cpp-httplib sees.
std::string ask(std::uint16_t port, const std::string& request, bool read = true) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char part[4096];
    for (ssize_t n = 0; read && (n = ::recv(fd, part, sizeof part, 0)) > 0;)
      answer.append(part, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return answer;
}
std::string get(std::uint16_t port, const std::string& path) {
  return ask(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

TEST(AdminHttp, ServesHealthReadinessMetricsAndOwnPages) {
  Counter taken;
  Gauge bytes;
  taken.add(3);
  bytes.set(-7);
  MetricList metrics;
  metrics.add("edgelog_taken_total", "Events taken.", taken, {{"stream", "a\"b"}});
  metrics.add("edgelog_taken_total", "Events taken.", taken, {{"stream", "c"}});
  metrics.add("edgelog_log_bytes", "Bytes.", bytes);
  Readiness readiness;
  AdminHttp http(metrics, readiness);
  http.get("/status", [] { return HttpAnswer{200, "text/html", "<p>page</p>"}; });
  ASSERT_TRUE(http.start("127.0.0.1", 0));

  EXPECT_THAT(get(http.port(), "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(get(http.port(), "/readyz"), HasSubstr("{\"ready\":true,\"reasons\":{}}"));
  EXPECT_THAT(get(http.port(), "/status"), HasSubstr("<p>page</p>"));
  EXPECT_THAT(get(http.port(), "/absent"), StartsWith("HTTP/1.1 404"));
  const auto text = get(http.port(), "/metrics");
  EXPECT_THAT(text, HasSubstr("# TYPE edgelog_taken_total counter\nedgelog_taken_total{stream=\"a\\\"b\"} 3"));
  EXPECT_THAT(text, HasSubstr("edgelog_taken_total{stream=\"c\"} 3"));
  EXPECT_THAT(text, HasSubstr("edgelog_log_bytes -7"));

  readiness.set("disk", "No space left on \xff");
  const auto waiting = get(http.port(), "/readyz");
  EXPECT_THAT(waiting, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(waiting, HasSubstr("\"disk\":\"No space left on"));
  readiness.clear("disk");
  EXPECT_THAT(get(http.port(), "/readyz"), StartsWith("HTTP/1.1 200"));
}

TEST(AdminHttp, ATakenPortIsAnError) {
  MetricList metrics;
  Readiness readiness;
  AdminHttp first(metrics, readiness), second(metrics, readiness);
  ASSERT_TRUE(first.start("127.0.0.1", 0));
  auto status = second.start("127.0.0.1", first.port());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::exists);
}

TEST(AdminHttp, StopsAtOnceAndTwice) {
  MetricList metrics;
  Readiness readiness;
  for (int i = 0; i < 20; ++i) {
    AdminHttp http(metrics, readiness);
    ASSERT_TRUE(http.start("127.0.0.1", 0));
    http.stop();
    http.stop();
  }
}

TEST(AdminHttp, GarbageHurtsNobody) {
  MetricList metrics;
  Readiness readiness;
  AdminHttp http(metrics, readiness);
  ASSERT_TRUE(http.start("127.0.0.1", 0));
  ask(http.port(), std::string("\0\xff\x01\r\n\r\n", 7), false);
  ask(http.port(), "POST /healthz HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", false);
  EXPECT_THAT(get(http.port(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace edgelog::io

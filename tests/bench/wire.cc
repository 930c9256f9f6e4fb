#include "tests/bench/wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/io/loop.h"

namespace edgelog::bench {
namespace {

constexpr std::uint64_t segment_payload = 1448, header_bytes = 20 + 32;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Error failed(const char* what) { return {Code::io, std::string(what) + ": " + std::strerror(errno)}; }

Status listen_on_loopback(const Socket& socket) {
  if (socket.fd() < 0) return failed("packet socket (needs root)");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(if_nametoindex("lo"));
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("bind to lo");
  const int buffer = 64 << 20;
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  const timeval timeout{0, 100'000};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  return Ok{};
}

void count_packet(const unsigned char* packet, std::size_t size, std::uint16_t port, WireCount& count) {
  if (size < sizeof(iphdr)) return;
  iphdr ip{};
  std::memcpy(&ip, packet, sizeof ip);
  const std::size_t ip_size = ip.ihl * std::size_t{4};
  if (ip.protocol != IPPROTO_TCP || size < ip_size + sizeof(tcphdr)) return;
  tcphdr tcp{};
  std::memcpy(&tcp, packet + ip_size, sizeof tcp);
  if (ntohs(tcp.source) != port && ntohs(tcp.dest) != port) return;
  const std::uint64_t payload = ntohs(ip.tot_len) - ip_size - tcp.doff * std::size_t{4};
  const std::uint64_t segments = payload == 0 ? 1 : (payload + segment_payload - 1) / segment_payload;
  count.payload_bytes += payload;
  count.wire_bytes += payload + segments * header_bytes;
  count.segments += segments;
}

}  // namespace

Result<WireCount> count_wire(std::uint16_t port, Duration how_long, const bool& stop) {
  const Socket socket(::socket(AF_PACKET, SOCK_DGRAM, 0));
  TRY(listen_on_loopback(socket));
  WireCount count;
  const Instant end = io::boottime_now() + how_long;
  unsigned char packet[128];
  while (!stop && io::boottime_now() < end) {
    sockaddr_ll from{};
    socklen_t from_size = sizeof from;
    const auto size = recvfrom(socket.fd(), packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    // A packet on lo goes out and comes in again: counted as it comes in.
    if (size > 0 && from.sll_pkttype == PACKET_HOST) count_packet(packet, static_cast<std::size_t>(size), port, count);
  }
  tpacket_stats stats{};
  socklen_t stats_size = sizeof stats;
  if (getsockopt(socket.fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &stats_size) == 0) count.missed = stats.tp_drops;
  return count;
}

}  // namespace edgelog::bench

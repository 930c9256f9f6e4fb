#pragma once
// An MQTT v5 server of few words, for what Mosquitto does not do on demand: it refuses subscriptions and publishes
// by name, and sends a packet as it was given. One connection after the other, on a thread of its own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "common/base/bytes.h"

namespace edgelog::testing {

class BareMqtt {
 public:
  BareMqtt() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&at), size);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    ::listen(listener_, 8);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~BareMqtt() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  // Filters, and topics of publishes, that are answered with 0x87 (not authorized) from now on.
  void refuse(std::set<std::string> names) {
    const std::scoped_lock lock(mutex_);
    refused_ = std::move(names);
  }
  std::size_t subscribes() const { return subscribes_; }
  // Sent behind the next SUBACK.
  void then(Buffer packet) {
    const std::scoped_lock lock(mutex_);
    packet_ = std::move(packet);
  }

 private:
  static bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, 10) > 0;
  }
  void serve() {
    while (!ending_) {
      if (!readable(listener_)) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      while (fd >= 0 && packet(fd)) {
      }
      if (fd >= 0) ::close(fd);
    }
  }
  bool take(int fd, std::uint8_t* to, std::size_t size) const {
    while (size > 0) {
      while (!readable(fd))
        if (ending_) return false;
      const ssize_t n = ::recv(fd, to, size, 0);
      if (n <= 0) return false;
      to += n;
      size -= static_cast<std::size_t>(n);
    }
    return true;
  }
  static std::size_t be16(const Buffer& body, std::size_t at) {
    return std::size_t{std::to_integer<std::uint8_t>(body.at(at))} << 8 |
           std::to_integer<std::uint8_t>(body.at(at + 1));
  }
  static std::string text(const Buffer& body, std::size_t at) {
    return std::string(as_text(Bytes(body).subspan(at + 2, be16(body, at))));
  }
  std::uint8_t reason(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    return refused_.contains(name) ? 0x87 : 0;
  }
  static void send(int fd, Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }
  static void send(int fd, const std::string& bytes) { send(fd, as_bytes(bytes)); }

  bool packet(int fd) {
    std::uint8_t kind = 0, part = 0x80;
    if (!take(fd, &kind, 1)) return false;
    std::size_t length = 0;
    for (int shift = 0; (part & 0x80) != 0; shift += 7) {
      if (!take(fd, &part, 1)) return false;
      length |= std::size_t{part & 0x7fu} << shift;
    }
    Buffer body(length);
    if (!take(fd, reinterpret_cast<std::uint8_t*>(body.data()), length)) return false;
    switch (kind >> 4) {
      case 1: send(fd, std::string("\x20\x03\0\0\0", 5)); break;  // CONNACK
      case 3: acknowledge(fd, kind, body); break;
      case 8:
        ++subscribes_;
        grant(fd, body);
        break;
      case 10: {
        const std::string id(as_text(Bytes(body).first(2)));
        send(fd, "\xb0\x04" + id + std::string(2, '\0'));
        break;
      }
      case 12: send(fd, std::string("\xd0\0", 2)); break;
      case 14: return false;
      default: break;
    }
    return true;
  }
  void acknowledge(int fd, std::uint8_t kind, const Buffer& body) {
    if ((kind & 6) == 0) return;
    const std::string id(as_text(Bytes(body).subspan(2 + be16(body, 0), 2)));
    send(fd, "\x40\x03" + id + static_cast<char>(reason(text(body, 0))));
  }
  void grant(int fd, const Buffer& body) {
    std::string answer(as_text(Bytes(body).first(2)));
    answer += '\0';  // no properties
    for (std::size_t at = 3; at < body.size(); at += 3 + be16(body, at)) {
      const std::uint8_t code = reason(text(body, at));
      answer += static_cast<char>(code == 0 ? 1 : code);
    }
    std::string length;
    for (std::size_t left = answer.size();; left >>= 7) {
      length += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
      if (left <= 0x7f) break;
    }
    send(fd, "\x90" + length + answer);
    std::optional<Buffer> more;
    {
      const std::scoped_lock lock(mutex_);
      more.swap(packet_);
    }
    if (more) send(fd, Bytes(*more));
  }

  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<std::size_t> subscribes_{0};  // packets
  std::mutex mutex_;
  std::set<std::string> refused_;
  std::optional<Buffer> packet_;
  std::thread thread_;
};

}  // namespace edgelog::testing

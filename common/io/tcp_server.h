#pragma once
// Serves framed requests (4 bytes of length, big-endian, then the request) over TCP. Everything that a
// stranger can make grow has a limit: connections, the size of a frame, the bytes of half-received
// frames over all connections, requests in flight per connection, bytes waiting for a slow reader.
// Replies leave in the order of requests. A frame that is too large or negative closes its connection
// and nobody else notices. Loop thread only.
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/io/loop.h"
#include "common/port/clients.h"

namespace edgelog::io {

struct TcpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;                   // 0: any, see port()
  std::size_t connections_max = 4000;       // more are closed at once
  std::size_t frame_bytes_max = 100 << 20;  // Kafka's socket.request.max.bytes
  // Half-received frames and unsent replies, all connections. At it, large frames wait for room; a quarter
  // above it, who has held memory for longest is closed.
  std::size_t memory_bytes_max = 256 << 20;
  std::size_t in_flight_max = 32;          // unanswered requests per connection; then it is not read
  std::size_t unsent_bytes_max = 1 << 20;  // per connection; above it no further request is taken
  Duration idle_max = seconds(600);        // Kafka's connections.max.idle.ms
  Duration stalled_max = seconds(60);      // mid-frame or mid-reply without a byte moving
  // While others wait for memory, a large frame that comes slower than this is closed after the grace.
  std::size_t frame_bytes_per_second_min = 1 << 20;
  Duration frame_grace = seconds(5);
};

struct TcpServerMetrics {
  Counter accepted, refused, bad_frames, timed_out, shed, bytes_in, bytes_out, requests;
  Gauge connections, memory_bytes;
};

class TcpServer final : public Clients {
 public:
  // `service` outlives the server. Nothing is accepted before start().
  TcpServer(Loop& loop, Service& service, TcpServerOptions options);
  ~TcpServer() override;

  Status start();
  std::uint16_t port() const;
  // Accepts nothing any more and reads no further request; what is in flight is still answered.
  void stop_accepting();
  // True when no connection owes a reply or has one unsent.
  bool quiet() const;
  void close_all();

  void respond(ConnectionId connection, Ticket request, Reply reply) override;
  void no_response(ConnectionId connection, Ticket request) override;
  void close(ConnectionId connection) override;
  std::size_t room() const override;

  const TcpServerMetrics& metrics() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace edgelog::io

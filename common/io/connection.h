#pragma once
// One client's connection: cuts the stream into frames, hands them to the service, and sends the replies
// in the order of the requests. It reads only while it may take another request, so a client that sends
// without reading is slowed down by TCP and costs a bounded amount of memory. Loop thread only.
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/io/stream.h"
#include "common/port/clients.h"

namespace edgelog::io {

struct TcpServerOptions;
struct TcpServerMetrics;

// What the connections of a server share: its limits, the memory they may hold together, one scratch
// buffer for reading, and the list of those whose replies are to be flushed in this turn.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual const TcpServerOptions& options() const = 0;
  virtual TcpServerMetrics& metrics() = 0;
  virtual Service& service() = 0;
  virtual MutableBytes scratch() = 0;
  virtual bool stopping() const = 0;
  virtual Instant now() const = 0;
  virtual void flush_soon(ConnectionId connection) = 0;
  virtual void forget(ConnectionId connection) = 0;  // after closed(); may destroy the connection later
  // Memory that may be refused: then resume() of the connection is called when some was given back.
  virtual bool reserve(ConnectionId connection, std::size_t bytes) = 0;
  virtual void add_memory(std::size_t bytes) = 0;  // what is already there is counted, not refused
  virtual void release(std::size_t bytes) = 0;
  // Beginnings of frames that fit into one read: counted beside that, so that whoever holds most for longest goes.
  virtual void count_beginnings(std::size_t before, std::size_t after) = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, ConnectionId id, std::unique_ptr<Stream> stream);
  ~Connection();

  void start();
  void respond(Ticket request, std::optional<Reply> reply);  // no reply: the slot is simply passed over
  void flush();
  void resume();  // memory was given back, or a limit is no longer reached
  void close();
  bool open() const { return stream_ != nullptr; }
  bool quiet() const { return slots_.empty() && unsent_ == 0; }
  // Closes the connection when nothing has moved on it for too long.
  void check_idle(Instant now);
  // Since when it holds memory of the server: an answer that is not read, a frame that has not come whole.
  std::optional<Instant> burden_since() const;
  // Whether a large frame comes so slowly that others need not wait for its memory.
  bool dawdles(Instant now) const;

 private:
  struct Slot {
    bool done = false;
    std::optional<Reply> reply;
  };

  bool may_take() const;
  void wait_to_read();
  void on_readable();
  bool read_once();
  // Serves the whole frames at the beginning of `data` as far as may_take(); gives how many bytes it used.
  std::size_t serve(MutableBytes data);
  void serve_pending();
  void note_pending(bool next_frame);
  bool make_room_for_frame();
  void release_ready();
  void drop_sent(std::size_t bytes);

  ConnectionHost& host_;
  const ConnectionId id_;
  std::unique_ptr<Stream> stream_;
  Buffer pending_;            // received, and not served yet: an incomplete frame, or what may_take() holds back
  std::size_t reserved_ = 0;  // of the shared memory, for the frame that pending_ begins
  std::size_t counted_ = 0;   // of pending_, where nothing is reserved
  std::deque<Slot> slots_;    // requests in flight, the oldest first
  std::uint64_t first_ticket_ = 0;
  std::deque<Buffer> out_;
  std::size_t out_sent_ = 0;                 // of out_.front()
  std::size_t unsent_ = 0, unreleased_ = 0;  // bytes in out_; bytes of replies that wait for their turn
  bool reading_ = false, writing_ = false, serving_ = false, wants_memory_ = false;
  Instant moved_at_, frame_since_, owes_since_;
};

}  // namespace edgelog::io

#pragma once
// A connected byte stream as the servers' connection code sees it: TCP today, TLS over it later. It is
// of the reactor's kind, so that an idle connection holds no buffer: one waits until something can be
// read or written, then reads or writes as much as goes. Loop thread only.
#include <cstddef>
#include <functional>
#include <span>

#include "common/base/bytes.h"

namespace edgelog::io {

enum class Went : unsigned char { on, would_block, ended };  // `ended`: closed by the peer, or broken

struct Moved {
  Went went;
  std::size_t bytes = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;
  // Calls `ready` once when it is worth trying to read (or write), or when the stream broke. One wait
  // of each kind at a time. A destroyed stream calls nothing.
  virtual void wait_readable(std::function<void()> ready) = 0;
  virtual void wait_writable(std::function<void()> ready) = 0;
  virtual Moved read(MutableBytes into) = 0;
  // Writes the pieces one after the other in one system call as far as it takes them (at most 64).
  virtual Moved write(std::span<const Bytes> pieces) = 0;
};

}  // namespace edgelog::io

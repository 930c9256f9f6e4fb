#pragma once
// Produce requests that wait until their batches are committed, or until their time-out. Shard thread only.
#include <cstdint>
#include <map>
#include <memory>

#include "cloud-broker/server/commit_waits.h"
#include "cloud-broker/server/context.h"
#include "cloud-broker/server/replies.h"
#include "common/wire/produce.h"

namespace edgelog::broker {

class Produces {
 public:
  Produces(CommitWaits& waits, Replies& replies) : waits_(waits), replies_(replies) {}

  struct Await {
    const Partition* partition;
    Offset commit_at;
    std::size_t topic, index;  // where in the response its answer stands
  };
  // Sends `response` once all are committed; at `deadline` with REQUEST_TIMED_OUT for those that are not:
  // they stay appended and may be committed later.
  void hold(const Context& context, wire::ProduceResponse response, const std::vector<Await>& awaited,
            Instant deadline);
  void tick(Instant now);
  Instant deadline() const { return deadlines_.empty() ? never : deadlines_.begin()->first.first; }
  std::size_t waiting() const { return deadlines_.size(); }

 private:
  struct Held {
    Context context;
    wire::ProduceResponse response;
    std::map<std::pair<std::size_t, std::size_t>, bool> open;  // (topic, index) of what is not committed
    std::pair<Instant, std::uint64_t> key;
    bool sent = false;
  };
  void committed(const std::shared_ptr<Held>& held, std::size_t topic, std::size_t index, bool still_there);
  void send(Held& held);
  static void fail(Held& held, std::size_t topic, std::size_t index, wire::ErrorCode error);

  CommitWaits& waits_;
  Replies& replies_;
  std::map<std::pair<Instant, std::uint64_t>, std::shared_ptr<Held>> deadlines_;
  std::uint64_t next_ = 0;
};

}  // namespace edgelog::broker

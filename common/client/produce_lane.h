#pragma once
// Batches on their way to one broker over one connection. What waits while requests are under way goes out
// together: one batch a partition and request (Kafka takes no more), in order within each partition.
// Owner's thread only.
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/client/broker_link.h"
#include "common/wire/produce.h"

namespace edgelog::client {

using ProduceToken = Strong<struct ProduceTokenTag, std::uint64_t>;

struct ProduceOptions {
  std::size_t requests_max = 5;             // under way at once
  std::size_t request_bytes_max = 1 << 20;  // but one batch goes in any case
  std::size_t request_batches_max = 256;
  std::size_t waiting_max = 16384;    // batches
  Duration log_timeout = seconds(8);  // how long the leader may wait for its replicas
  Duration answer_timeout = seconds(12);
};

struct ProduceResult {
  wire::ErrorCode error = wire::ErrorCode::none;
  Offset offset{-1};
  LeaderEpoch leader_epoch{-1};  // as it was known when produce() was called
  std::string message;           // the log's own words, if any
};

class ProduceLane {
 public:
  struct Batch {
    ProduceToken token;
    std::string topic;
    PartitionIndex partition;
    LeaderEpoch leader_epoch;
    std::shared_ptr<const Buffer> bytes;
    Instant not_after;
    std::function<void(const ProduceResult&)> done;
  };
  ProduceLane(const ProduceOptions& options, const std::string& client_id, BrokerLink& link, Timer& timer)
      : options_(options), client_id_(client_id), link_(link), timer_(timer) {}

  // False: too many wait.
  bool add(Batch&& batch);
  bool cancel(ProduceToken token);
  // Sends what may be sent, and fails what waits for too long.
  void tick();
  // The connection is gone: what waited for it fails.
  void fail_waiting(wire::ErrorCode error);
  Instant deadline() const;

 private:
  using Sent = std::vector<Batch>;
  std::vector<Batch> gather(std::vector<Batch>& late);
  bool send(const std::shared_ptr<Sent>& batches);
  void answered(Sent& batches, wire::ErrorCode error, wire::Version version, Bytes body);

  const ProduceOptions& options_;
  const std::string& client_id_;
  BrokerLink& link_;
  Timer& timer_;
  std::deque<Batch> waiting_;
  std::size_t under_way_ = 0;
};

}  // namespace edgelog::client

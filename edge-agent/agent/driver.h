#pragma once
// Performs what the agent's core decides: gathers the payloads of what was taken, hands transactions to the
// log, publishes batches, fences and looks, passes answers on, and tells inputs what became durable. All on
// one thread; ports are its only way out.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge-agent/agent/run.h"
#include "edge-agent/core/agent.h"
#include "edge-agent/port/event_log.h"
#include "edge-agent/port/inlet.h"
#include "edge-agent/port/uplink.h"

namespace edgelog::agent {

struct DriverPorts {
  EventLog& log;
  Uplink& uplink;
  std::function<Moment()> clock;
  std::function<void(Instant)> wake_at;  // calls Driver::wake() then; the latest wins
};

// An event's payload, for Driver::take.
struct Content {
  std::string_view topic, key, value;
  std::span<const EventHeader> headers;
};

class Driver {
 public:
  Driver(const Config& config, Persisted persisted, std::uint64_t seed, bool log_lost, std::string version,
         DriverPorts ports);
  ~Driver();

  // `name` as in SourceName::input; the input outlives the driver or is removed.
  void add_input(std::string name, Inlet& input);
  void remove_input(const std::string& name);

  // One message. `message.events` is filled in here from `contents`. Call settle() after the last of a burst.
  Taking take(Taken& message, std::span<const Content> contents);
  void device_says(const DeviceSays& says);
  // Inlet::durable(ticket) will be called once everything taken so far is durable; at once if it is.
  void when_durable(Inlet& input, std::uint64_t ticket);
  // Performs what was decided and sets the alarm.
  void settle();

  void wake();
  void connected();
  void disconnected();
  void handed_over(std::uint64_t ticket);
  // A message on a topic of ours: answers or the list of topics. False: neither, or malformed.
  bool uplink_message(const std::string& topic, Bytes payload);
  void publish_heartbeat();
  // About once a second: asks the log whether it has space (again).
  void tend();

  const Agent& core() const { return core_; }
  Moment now() const { return ports_.clock(); }
  bool disk_full() const { return disk_full_ || short_of_space_; }
  std::uint64_t bytes_published() const { return bytes_published_; }

 private:
  struct Gathered {  // taken, in no transaction yet
    EventIndex first, next;
    WallMillis base_time, last_time;
    Buffer events;
  };
  struct Waiting {
    Inlet* input;
    std::uint64_t ticket;
  };

  void perform(const Commit&);
  void perform(const PublishBatch&);
  void perform(const PublishFence&);
  void perform(const PublishLook&);
  void perform(const ConfirmDevice&);
  void perform(const Acknowledge&);
  void perform(const Notice&);

  void hand_in(CommitWork work);
  void committed(CommitDone done);
  Run take_gathered(const InsertEvents& op);
  void publish_stored(const PublishBatch& effect, Bytes bytes);
  void publish(const std::string& topic, Bytes payload, std::optional<std::int32_t> partition, bool counted);
  void keep(BatchBytes batch);
  void forget(const Transaction& transaction);
  void tell_usage();
  void resume_inputs();
  bool is_there(const Inlet* input) const;

  Config config_;
  std::string version_;
  DriverPorts ports_;
  Agent core_;
  Effects effects_, performing_;
  bool settling_ = false;
  std::vector<Gathered> gathered_;    // by stream id
  std::optional<CommitWork> failed_;  // payloads of a transaction that will be handed out again
  bool under_way_ = false;
  std::vector<Waiting> waiting_, waiting_under_way_;
  std::map<std::string, Inlet*, std::less<>> inputs_;
  std::map<std::string, StreamId, std::less<>> streams_;
  std::map<std::pair<StreamId, EventIndex>, Buffer> stored_;  // bytes of batches in flight, as far as they fit
  std::size_t stored_bytes_ = 0;
  std::set<std::uint64_t> uncounted_;  // tickets of publishes that the core does not know
  std::size_t refused_publishes_ = 0;  // to be told to the core as handed over
  std::uint64_t session_ = 0;          // counts connections
  bool disk_full_ = false, short_of_space_ = false;
  std::uint64_t bytes_published_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace edgelog::agent

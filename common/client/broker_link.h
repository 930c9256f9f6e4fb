#pragma once
// One connection to one broker: dials when something is to be said, asks which versions the broker speaks
// (ApiVersions v0, which every broker answers), sends requests in the order of call(), and matches answers,
// which come in the same order. Whatever goes wrong with a connection ends it, and with it all that is
// under way: whether that took effect is not known. Then it pauses, longer from failure to failure.
// Owner's thread only.
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/prng.h"
#include "common/base/time.h"
#include "common/port/links.h"
#include "common/port/timer.h"
#include "common/wire/codec.h"
#include "common/wire/errors.h"

namespace edgelog::client {

struct LinkOptions {
  std::string client_id = "edgelog";
  Duration connect_timeout = seconds(5);
  Duration pause_min = milliseconds(50), pause_max = seconds(1);
  std::size_t waiting_max = 1024;          // requests that wait for a connection or a place
  std::size_t in_flight_max = 64;          // requests sent and unanswered
  std::size_t unsent_bytes_max = 8 << 20;  // beyond it requests wait
};

// error: 0, or a Kafka code that stands for what happened to the request as a whole (network_exception,
// request_timed_out, unsupported_version). body: the response behind its header, valid during the call.
using ResponseHandler = std::function<void(wire::ErrorCode error, wire::Version version, Bytes body)>;

struct Call {
  const wire::Api* api = nullptr;
  wire::Version version_max = INT16_MAX;  // the highest version that this caller understands
  // Appends the whole frame.
  std::function<void(wire::Version, std::int32_t correlation_id, Buffer& out)> encode;
  Instant deadline = never;
  ResponseHandler done;
};

class BrokerLink;
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  virtual void link_ready(BrokerLink& link) = 0;
  virtual void link_lost(BrokerLink& link, const std::string& reason) = 0;
  // Something was answered, or deadlines have changed.
  virtual void link_moved(BrokerLink& link) = 0;
};

class BrokerLink final : public LinkEvents {
 public:
  BrokerLink(const LinkOptions& options, Links& links, Timer& timer, LinkOwner& owner, Address address,
             std::uint64_t seed);
  ~BrokerLink() override;

  // False if too many wait already; then `call` is untouched. `done` is never called from within.
  bool call(Call&& call);
  // Dials, as soon as a pause allows it, though nothing is to be said yet.
  void connect();
  // Requests that were handed in and not answered.
  std::size_t open_calls() const { return waiting_.size() + in_flight_.size(); }
  bool ready() const { return std::holds_alternative<Ready>(state_); }
  bool pausing() const { return std::holds_alternative<Pausing>(state_); }
  const Address& address() const { return address_; }
  // Where the broker is now; another than before ends the connection.
  void move_to(const Address& address);
  // Ends the connection; all that is open fails.
  void drop(const std::string& reason);
  void tick();
  Instant deadline() const;

  void opened(LinkId link) override;
  void received(LinkId link, Bytes frame) override;
  void closed(LinkId link, const std::string& reason) override;

 private:
  struct Idle {};
  struct Pausing {
    Instant until;
  };
  struct Connecting {
    LinkId link;
    Instant deadline;
    bool asked = false;  // connected; ApiVersions is under way
  };
  struct Ready {
    LinkId link;
    std::map<std::int16_t, wire::Versions> spoken;
  };
  struct InFlight {
    const wire::Api* api;
    wire::Version version;
    std::int32_t correlation_id;
    Instant deadline;
    ResponseHandler done;
  };
  struct Failed {
    ResponseHandler done;
    wire::ErrorCode error;
  };

  void dial();
  void lose(const std::string& reason, bool late);
  void learn_versions(LinkId link, Bytes frame);
  void pump();
  void send(Call& call);
  static void tell(std::vector<Failed>& failed);
  const LinkId* link() const;

  const LinkOptions& options_;
  Links& links_;
  Timer& timer_;
  LinkOwner& owner_;
  Address address_;
  Prng prng_;
  std::variant<Idle, Pausing, Connecting, Ready> state_;
  std::deque<Call> waiting_;
  std::deque<InFlight> in_flight_;
  std::vector<Failed> refused_;  // told at the next tick
  bool wanted_ = false;          // connect() was called
  std::uint32_t failures_ = 0;   // connections in a row that gave no answer
  std::int32_t last_correlation_id_ = 0;
};

}  // namespace edgelog::client

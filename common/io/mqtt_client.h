#pragma once
// An MQTT v5 client over Eclipse Paho. Paho's threads only copy a message and post it: every handler
// runs on the owner's Loop. Paho's own buffers, persistence and sendWhileDisconnected stay off; a
// durable log is the only queue. Sessions start clean and expire at once. Reconnects by itself with
// jittered backoff; subscriptions are made again at each connect, before `connected` is called.
//
// An MQTT acknowledgement (`published`) frees a place in the send window and means nothing else.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/io/loop.h"

namespace edgelog::io {

// Of what comes in, the first user_properties_max: a packet has room for hundreds of thousands.
using UserProperties = std::vector<std::pair<std::string, std::string>>;
inline constexpr std::size_t user_properties_max = 16;

struct MqttMessage {
  std::string topic;
  Buffer payload;
  UserProperties properties;
  bool retained = false;   // a snapshot of state, not a new event
  bool duplicate = false;  // DUP flag
};

struct MqttWill {
  std::string topic;
  std::string payload;
  bool retain = false;
};

struct MqttOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string client_id;
  std::string user, password;  // empty: none
  std::optional<MqttWill> will;
  Duration keep_alive = seconds(20);
  Duration backoff_min = milliseconds(200), backoff_max = seconds(10);
  Duration refused_pause = seconds(30);  // then what the server refused is subscribed to again
  std::size_t in_flight_max = 20;        // QoS 1 messages not yet PUBACKed; never above the server's Receive Maximum
};

struct MqttHandlers {
  std::function<void()> connected;
  std::function<void(const std::string& reason)> disconnected;  // also each failed attempt
  std::function<void(MqttMessage)> message;                     // never before `connected`
  // PUBACK's reason code for the ticket that publish() gave: 0, or a refusal (0x80 and above). Not called
  // for what was in flight when the connection broke. 0x10, nobody subscribes, comes as 0: Paho C 1.3.12
  // hands reason codes on for failures only. That no gateway is there shows in answers that do not come.
  std::function<void(std::uint64_t ticket, int reason)> published;
  // Whenever that changes once all are answered, and after `connected`: the subscriptions that the server refuses,
  // in a sentence and each; empty: none any more. They are asked for again after refused_pause.
  std::function<void(const std::string& which, const std::vector<std::string>& filters)> refused;
};

struct MqttCounters {
  Counter received, published, acknowledged;
  // Messages that came while the owner's loop was inbox_bytes_max behind. Paho acknowledges whatever its
  // callback does, so that these are gone, as they are when Mosquitto's own queue overflows.
  Counter dropped;
  Counter connects, disconnects;  // sessions that were ready; sessions and attempts that ended
};

inline constexpr std::size_t inbox_bytes_max = 64u << 20;  // between Paho's thread and the loop

// Owned and called by the loop's thread; an object may be destroyed in one of its own handlers.
class MqttClient {
 public:
  MqttClient(Loop& loop, MqttOptions options, MqttHandlers handlers);
  ~MqttClient();  // disconnects without sending the will; no handler runs afterwards

  void start();
  // A filter that every connection subscribes to, now and later; QoS 1.
  void subscribe(std::string filter);
  void unsubscribe(const std::string& filter);

  // True from `connected` to `disconnected`: subscribed and able to publish.
  bool connected() const;
  // Places left in the send window.
  std::size_t places() const;
  // Refused (Code::full) without a place, (Code::closed) without a connection: the caller keeps its data.
  Result<std::uint64_t> publish(const std::string& topic, Bytes payload, bool retain = false,
                                const UserProperties& properties = {}, int qos = 1);
  const MqttCounters& counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace edgelog::io

#pragma once
// The MQTT side as the bridge sees it; gateway/adapters has the real one. Owner's thread only.
#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace edgelog::gateway {

class Uplink {
 public:
  virtual ~Uplink() = default;
  virtual bool connected() const = 0;
  // Filters stay subscribed over reconnects.
  virtual void subscribe(const std::string& filter) = 0;
  virtual void unsubscribe(const std::string& filter) = 0;
  // False: no connection, or no place in the send window; the caller keeps it until room() or connected().
  virtual bool publish(const std::string& topic, Bytes payload, bool retain) = 0;
  // Ends the session with all that it may have buffered and begins a new one; connected() follows.
  virtual void reconnect() = 0;
};

inline constexpr int uplink_refusal_min = 0x80;  // of MQTT's reason codes

struct UplinkMessage {
  std::string topic;
  Buffer payload;
  std::string partition;  // user property `p`, empty if absent
};

// What the adapter calls.
class UplinkEvents {
 public:
  virtual ~UplinkEvents() = default;
  virtual void connected() = 0;  // a new, clean session; all filters are subscribed
  virtual void disconnected(const std::string& reason) = 0;
  virtual void message(UplinkMessage message) = 0;
  virtual void room() = 0;  // a place in the send window is free again
  // The server's answer to a publish: 0, or why it refuses (MQTT 5, 3.4.2.1: 0x80 and above).
  virtual void acknowledged(const std::string& topic, int reason) = 0;
  // Subscriptions that the server refuses, in a sentence and each; empty: all are granted. After connected().
  virtual void filters_refused(const std::string& which, const std::vector<std::string>& filters) = 0;
};

}  // namespace edgelog::gateway

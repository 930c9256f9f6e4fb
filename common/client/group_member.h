#pragma once
// Membership of one process in a consumer group, the classic protocol (KIP-62, KIP-394): finds the
// coordinator, joins, syncs, heartbeats, joins again whenever the group changes. What members tell and are
// assigned are bytes of the caller. Owner's thread only.
//
//   looking -> joining -> syncing -> member --rebalance, new generation--> joining
//      ^------- coordinator moved, connection lost, unknown ---------'   (after a pause)
//
// An assignment stays valid while a new one is worked out, and until the session would have ended at the
// coordinator: then lost() is called.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/client/client.h"
#include "common/wire/join_group.h"

namespace edgelog::client {

struct GroupOptions {
  std::string group, protocol_type, protocol;
  Duration session_timeout = seconds(6);  // Kafka's least: how soon the others learn of a death
  Duration rebalance_timeout = seconds(10);
  Duration heartbeat = seconds(1);
  Duration pause_min = milliseconds(100), pause_max = seconds(2);
};

class GroupMember {
 public:
  struct Member {
    std::string id;
    Bytes metadata;
  };
  struct Events {
    std::function<Buffer()> metadata;  // what to tell of this member upon joining
    // As leader: what each member gets, by its id.
    std::function<std::map<std::string, Buffer>(const std::vector<Member>&)> assign;
    std::function<void(Bytes)> assigned;
    std::function<void()> lost;
    std::function<void(wire::ErrorCode)> refused;  // the coordinator says no; tried again after a pause
  };
  GroupMember(GroupOptions options, Client& client, Timer& timer, Events events, std::uint64_t seed);
  void start();
  // Says good-bye, so that the others need not wait for the session to end; `done` in any case, soon.
  void leave(std::function<void()> done);
  void tick();
  Instant deadline() const;
  bool member() const { return state_ == State::member; }

 private:
  enum class State : std::uint8_t { idle, pausing, looking, joining, syncing, member };

  void look();
  void join();
  void take_back(NodeId coordinator, const std::string& member_id);
  void say_goodbye(NodeId coordinator, const std::string& member_id, std::function<void()> done);
  void joined(wire::ErrorCode error, wire::JoinGroupResponse& response);
  void sync(std::map<std::string, Buffer> assignments);
  void beat();
  void failed(wire::ErrorCode error);
  void pause();
  void rejoin();
  void session_ends();
  bool current(std::uint64_t turn) const { return turn == turn_; }

  const GroupOptions options_;
  Client& client_;
  Timer& timer_;
  Events events_;
  Prng prng_;
  State state_ = State::idle;
  std::uint64_t turn_ = 0;  // answers to what an earlier turn asked are ignored
  NodeId coordinator_{-1};
  std::string member_id_;
  std::string protocol_name_;
  std::int32_t generation_ = -1;
  Instant next_ = never;         // pause's end, next heartbeat
  Instant session_end_ = never;  // `never`: nothing is assigned
  std::uint32_t failures_ = 0;
};

}  // namespace edgelog::client

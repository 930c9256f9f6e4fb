#pragma once
// One group: who is in it, and which of Kafka's states it is in (README.md has the diagram). Plain state
// with the rules that need no timer; the Coordinator moves it. Shard thread only.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "cloud-broker/group/timers.h"
#include "cloud-broker/group/types.h"

namespace edgelog::broker::group {

// What a client sends of itself at its join.
std::size_t metadata_bytes(const std::string& client_id, const std::string& client_host,
                           const std::optional<std::string>& instance_id, const std::vector<Protocol>& protocols);

struct Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  Duration session_timeout, rebalance_timeout;
  std::vector<Protocol> protocols;
  Buffer assignment;

  std::uint64_t order = 0;        // of arrival: the oldest becomes leader
  bool is_new = false;            // has not completed a join yet
  std::optional<Token> joining;   // its JoinGroup that waits for the rebalance
  bool skips_assignment = false;  // of that JoinGroup
  std::optional<Token> syncing;   // its SyncGroup that waits for the leader's
  bool must_sync = false;         // was told to sync in this generation and has not
  Instant expires_at = never;     // session, or the join time-out of a new member
  Timers::Handle timer;           // looks not after that, and waits again if it is early

  const Buffer* metadata_for(const std::string& protocol) const;
  std::size_t metadata_bytes() const { return group::metadata_bytes(client_id, client_host, instance_id, protocols); }
};

struct Empty {};
struct PreparingRebalance {
  Instant deadline;      // when those who have not rejoined are dropped
  bool initial = false;  // a group that was empty waits for more members until `initial_until`
  Instant initial_until{};
  bool member_added = false;  // since the last extension
};
struct CompletingRebalance {};  // until the leader has synced; who does not sync in time is dropped
struct Stable {};
using State = std::variant<Empty, PreparingRebalance, CompletingRebalance, Stable>;

using Offsets = std::map<std::pair<std::string, PartitionIndex>, CommittedOffset>;

struct Group {
  std::string id;
  std::string protocol_type;  // empty: offsets without members (a "simple" group)
  std::int32_t generation = 0;
  std::optional<std::string> protocol, leader;
  WallMillis state_since{-1};
  State state = Empty{};
  std::map<std::string, Member> members;
  std::map<std::string, std::string> instances;   // instance id -> member id
  std::map<std::string, Timers::Handle> pending;  // ids given out by MEMBER_ID_REQUIRED, until they expire
  Offsets offsets;
  std::uint64_t next_order = 0;
  Timers::Handle phase_timer;  // ends the wait for joins or for syncs; another state sets another or none

  template <class S>
  bool is() const {
    return std::holds_alternative<S>(state);
  }
  const char* state_name() const;

  Member* find(const std::string& member_id);
  bool is_leader(const Member& member) const { return leader == member.id; }
  // Whether someone with these protocols may be in the group: there is one that all support. G4.
  bool supports(const std::string& type, const std::vector<Protocol>& protocols) const;
  // Each member votes for its most preferred protocol among those that all support; most votes win, and the
  // first in name where votes are equal. At least one member.
  std::string choose_protocol() const;
  bool all_joined() const;
  Duration rebalance_timeout() const;  // the longest of the members'
  std::size_t held_bytes() const;      // what its members sent, and were assigned
  std::size_t assigned_bytes() const;  // the latter
  std::size_t size() const { return members.size() + pending.size(); }
  // Topics that members of a consumer group subscribe to; nothing where that cannot be known.
  std::optional<std::set<std::string>> subscribed_topics() const;
  GroupSnapshot snapshot() const;  // as it stands, members with their chosen protocol's metadata
};

// Topics of a consumer's subscription (ConsumerProtocolSubscription, all versions); nothing if malformed.
std::optional<std::vector<std::string>> topics_of_subscription(Bytes metadata);

}  // namespace edgelog::broker::group

#pragma once
// The classic group coordinator (KIP-62, 345, 394, 814) of one partition of `__consumer_offsets`: a pure
// core. A step decides; what must survive it emits as records, which the caller appends and hands to
// replay() before the next step (Effects in types.h). After a restart the same records are replayed, then
// loaded() starts every member's session anew, so that members keep their ids and generation. Rules and
// their numbers: README.md. Shard thread only; requests come checked for an empty group id.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cloud-broker/group/group.h"
#include "cloud-broker/group/timers.h"
#include "cloud-broker/group/types.h"
#include "common/base/prng.h"

namespace edgelog::broker::group {

class Coordinator {
 public:
  Coordinator(Settings settings, std::uint64_t seed);

  // Answered in this or a later step, once, with this token. A token whose connection is gone is
  // answered all the same; the caller then drops the answer.
  void join(At at, Token token, const JoinRequest& request, Effects& effects);
  void sync(At at, Token token, const SyncRequest& request, Effects& effects);

  ErrorCode heartbeat(At at, const std::string& group, const Who& who);
  // One error per member, in order.
  std::vector<ErrorCode> leave(At at, const std::string& group, const std::vector<LeaveMember>& members,
                               Effects& effects);

  // One error per partition, in order. That a partition exists is the caller's check. Of a partition that is named
  // several times the last counts, as in Kafka. More than step_bytes_max: 28, and nothing is committed.
  std::vector<ErrorCode> commit(At at, const CommitRequest& request, Effects& effects);
  // Nothing where nothing is committed. Valid until the next step.
  const CommittedOffset* committed(const std::string& group, const std::string& topic, PartitionIndex partition) const;
  const Offsets* committed(const std::string& group) const;

  std::vector<Listed> list() const;
  Described describe(const std::string& group) const;
  ErrorCode remove(At at, const std::string& group, Effects& effects);
  // KIP-496: forgets offsets of a group; 86 (given as such) where members subscribe to the topic. More than
  // step_bytes_max: 28, and nothing is forgotten.
  std::vector<ErrorCode> remove_offsets(At at, const std::string& group,
                                        const std::vector<std::pair<std::string, PartitionIndex>>& partitions,
                                        Effects& effects);
  std::set<std::string> topics() const;  // for which something is committed
  // A topic is gone: so are all offsets committed for it.
  void topic_removed(const std::string& topic, Effects& effects);

  // The only function that changes what outlives a restart.
  void replay(const Record& record);
  // After the last record of a restart.
  void loaded(At at);
  // Time has passed: sessions, rebalances, pending ids, old offsets.
  void expire(At at, Effects& effects);
  Instant deadline() const;  // when expire() has something to look at; may be early

  std::size_t groups() const { return groups_.size(); }
  std::size_t members() const;
  std::size_t timers() const { return timers_.size(); }

 private:
  Group* find(const std::string& id);
  const Group* find(const std::string& id) const;
  Group* find_or_create(const std::string& id);  // nothing where there are too many
  std::string fresh_member_id(const std::string& prefix);

  // join.cc
  bool room_for(const Group& group, std::size_t bytes, std::size_t replaced);
  bool room_for(const Group& group, const JoinRequest& request, const Member* replaced);
  void join_new(At at, Group& group, Token token, const JoinRequest& request, Effects& effects);
  void join_known(At at, Group& group, Token token, const JoinRequest& request, Effects& effects);
  void join_static(At at, Group& group, Token token, const JoinRequest& request, Effects& effects);
  void add_member(At at, Group& group, Token token, const JoinRequest& request, const std::string& id,
                  Effects& effects);
  void rejoin(At at, Group& group, Member& member, Token token, const JoinRequest& request, Effects& effects);
  void replace_static(At at, Group& group, const std::string& old_id, const JoinRequest& request, Effects& effects);
  JoinResponse current_generation(const Group& group, const Member& member, bool with_members) const;

  // rebalance.cc
  void begin_rebalance(At at, Group& group, Effects& effects);  // from any state but PreparingRebalance
  void try_complete_join(At at, Group& group, Effects& effects);
  void complete_join(At at, Group& group, Effects& effects);
  void drop_absent(At at, Group& group, Effects& effects);
  bool elect_leader(Group& group);
  void next_generation(At at, Group& group, Effects& effects);
  void remove_member(At at, Group& group, const std::string& id, ErrorCode why, Effects& effects);
  void member_gone(At at, Group& group, Effects& effects);  // after remove_member() calls
  void touch(At at, Group& group, Member& member);          // a sign of life
  void keep_until(Group& group, Member& member, Instant when);
  void enter(At at, Group& group, State state);

  // membership.cc
  ErrorCode check_member(const Group& group, const Who& who) const;
  bool room_for_shares(const Group& group, const SyncRequest& request);
  ErrorCode leave_one(Group& group, const LeaveMember& leaving, Effects& effects, At at);

  // offsets.cc
  ErrorCode check_commit(At at, Group* group, const CommitRequest& request);
  void expire_offsets(At at, Effects& effects);
  bool expire_offsets_of(At at, const Group& group, std::size_t& bytes, Effects& effects) const;
  bool offset_expired(const Group& group, const std::string& topic, const CommittedOffset& offset, WallMillis wall,
                      const std::optional<std::set<std::string>>& subscribed) const;

  // coordinator.cc
  void fire(At at, const Timers::About& about, Effects& effects);
  void session_expired(At at, Group& group, Member& member, Effects& effects);
  void phase_expired(At at, Group& group, Effects& effects);
  void replay_offset(const OffsetRecord& record);
  void replay_group(const GroupRecord& record);

  Settings settings_;
  Prng prng_;
  Timers timers_;
  Timers::Handle offsets_timer_;
  std::map<std::string, Group> groups_;
  std::size_t held_bytes_ = 0;  // of members, at least what they hold
  // Where the expiry of offsets goes on; and of the tombstones that were replayed, how many there are if the log took
  // the last ones.
  std::string expire_from_;
  std::uint64_t tombstones_ = 0, tombstones_awaited_ = 0;
};

}  // namespace edgelog::broker::group

#pragma once
// Which shards are this gateway's: by the group of all gateways at the log. Owner's thread only.
#include <functional>

#include "common/client/group_member.h"
#include "gateway/core/sharding.h"

namespace edgelog::gateway {

class Membership {
 public:
  // `owned` is called with what is ours whenever that changes, `troubled` with a sentence or, when it is
  // over, with nothing.
  Membership(const std::string& group, client::Client& client, Timer& timer, std::function<void(const Shards&)> owned,
             std::function<void(const std::string&)> troubled, std::uint64_t seed);
  // Joins where it is in no group, leaves where it is in one. What is served stays what it was.
  void attend(bool wanted);
  void leave(std::function<void()> done);
  void tick() { member_.tick(); }
  Instant deadline() const { return member_.deadline(); }

 private:
  client::GroupMember::Events events();
  void take(const Shards& shards);

  std::function<void(const Shards&)> owned_;
  std::function<void(const std::string&)> troubled_;
  Shards shards_;
  bool attends_ = false;
  client::GroupMember member_;
};

}  // namespace edgelog::gateway

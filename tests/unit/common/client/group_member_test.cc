#include "common/client/group_member.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/common/client/fake_cluster.h"

namespace edgelog::client {
namespace {

// A group whose coordinator is the only broker; the link that joins go over is the test's to open.
class GroupMemberTest : public testing::Test {
 protected:
  GroupMemberTest() : client(client_options(), links, timer, 1), member(group(), client, alarm, events(), 1) {
    cluster.brokers = {{NodeId{1}, "one", 9092}};
    coordinator.node_id = NodeId{1};
    client.start();
    run();
  }
  static ClientOptions client_options() {
    ClientOptions out;
    out.bootstrap = {{"seed", 9092}};
    return out;
  }
  static GroupOptions group() {
    GroupOptions out;
    out.group = "g";
    out.protocol_type = out.protocol = "p";
    return out;
  }
  GroupMember::Events events() {
    GroupMember::Events out;
    out.metadata = [this] { return metadata; };
    out.assign = [](const std::vector<GroupMember::Member>&) { return std::map<std::string, Buffer>{}; };
    out.assigned = [](Bytes) {};
    out.lost = [] {};
    out.refused = [](wire::ErrorCode) {};
    return out;
  }
  // What is asked about the cluster and the coordinator is answered, on links that open at once.
  bool serve(LinkId id) {
    if (id != held && accepted.insert(id).second) return links.accept(id), true;
    auto& asked = links.open.at(id).asked;
    if (id == held || asked.empty()) return false;
    const std::int16_t key = asked.front().header.api_key;
    if (key == wire::metadata_api.key) return links.answer(id, cluster), true;
    if (key == wire::find_coordinator_api.key) return links.answer(id, coordinator), true;
    return false;
  }
  void run(Duration time = Duration{0}) {
    const Instant until = timer.now() + time;
    for (bool moved = true; moved || timer.now() < until;) {
      if (!moved) timer.move_to(std::min(until, timer.now() + milliseconds(100)));
      alarm.move_to(timer.now());
      moved = timer.wake() <= timer.now();
      if (moved) client.on_alarm();
      if (member.deadline() <= timer.now()) member.tick();
      std::vector<LinkId> ids;
      for (const auto& [id, link] : links.open) ids.push_back(id);
      for (const LinkId id : ids)
        if (links.open.contains(id)) moved |= serve(id);
    }
  }
  // Whatever is dialled next stays unopened.
  void hold_next() { held = LinkId{links.open.rbegin()->first.value() + 1}; }
  void open_held() {
    const LinkId id = held;
    held = {};
    accepted.insert(id);
    links.accept(id);
    run();
  }
  // The unanswered requests of this kind, on all links.
  template <class Request>
  std::vector<Request> asked() {
    std::vector<Request> out;
    for (const auto& [id, link] : links.open)
      for (const Asked& one : link.asked)
        if (one.header.api_key == Request::api.key) out.push_back(one.as<Request>());
    return out;
  }
  LinkId joins() {
    for (const auto& [id, link] : links.open)
      if (!link.asked.empty() && link.asked.front().header.api_key == wire::join_group_api.key) return id;
    ADD_FAILURE() << "nobody joins";
    return {};
  }
  static wire::JoinGroupResponse admitted(const std::string& id, wire::ErrorCode error = wire::ErrorCode::none) {
    wire::JoinGroupResponse out;
    out.error_code = error;
    out.member_id = out.leader = id;
    out.generation_id = 1;
    return out;
  }

  FakeTimer timer, alarm;
  FakeLinks links;
  Client client;
  Buffer metadata = Buffer(64, std::byte{1});
  GroupMember member;
  wire::MetadataResponse cluster;
  wire::FindCoordinatorResponse coordinator;
  LinkId held{};
  std::set<LinkId> accepted;
};

// Its Join waits for a connection for longer than its Leave does: the group would wait for it a whole session.
TEST_F(GroupMemberTest, AJoinThatIsAnsweredAfterTheLeaveIsTakenBack) {
  member.start();
  run();
  links.answer(joins(), admitted("m", wire::ErrorCode::member_id_required));
  hold_next();
  links.shut(joins());
  run(seconds(1));  // a pause; then the Join waits
  bool left = false;
  member.leave([&] { left = true; });
  run(seconds(3));
  EXPECT_TRUE(left);
  open_held();
  ASSERT_EQ(asked<wire::JoinGroupRequest>().size(), 1u);
  EXPECT_TRUE(asked<wire::LeaveGroupRequest>().empty());
  links.answer(joins(), admitted("m"));
  run();
  const auto leaves = asked<wire::LeaveGroupRequest>();
  ASSERT_EQ(leaves.size(), 1u);
  ASSERT_EQ(leaves[0].members.size(), 1u);
  EXPECT_EQ(leaves[0].members[0].member_id, "m");
}

TEST_F(GroupMemberTest, AJoinThatWaitsKeepsItsOwnBytes) {
  member.start();
  hold_next();
  run();
  member.leave([] {});
  metadata = Buffer(64, std::byte{2});
  member.start();
  run();
  open_held();
  std::vector<Buffer> told;
  for (const Asked& one : links.open.at(joins()).asked) {
    const Bytes bytes = one.as<wire::JoinGroupRequest>().protocols.at(0).metadata;
    told.emplace_back(bytes.begin(), bytes.end());
  }
  EXPECT_EQ(told, (std::vector{Buffer(64, std::byte{1}), Buffer(64, std::byte{2})}));
}

}  // namespace
}  // namespace edgelog::client

// Real requests of every API with random damage: the shard answers, or closes the connection, and goes on.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/base/prng.h"
#include "tests/unit/cloud-broker/server/handlers/shard_world.h"

namespace edgelog::broker {
namespace {

class MutationTest : public ShardWorld {
 protected:
  void SetUp() override {
    settings.controller.partitions_max = 300;
    ShardWorld::SetUp();
  }
  static std::vector<Buffer> corpus() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/request"))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<Buffer> frames;
    for (const auto& path : paths) {
      std::ifstream file(path, std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      frames.emplace_back(as_bytes(text).begin(), as_bytes(text).end());
    }
    return frames;
  }
  static void damage(Buffer& frame, Prng& random) {
    constexpr std::size_t header = 8;  // key, version and correlation id stay, or little would get through
    for (std::uint64_t i = random.below(4); i > 0 && frame.size() > header; --i) {
      const std::size_t at = header + static_cast<std::size_t>(random.below(frame.size() - header));
      switch (random.below(4)) {
        case 0: frame[at] = static_cast<std::byte>(random.next() & 0xff); break;
        case 1: frame[at] = std::byte{0xff}; break;
        case 2: frame.erase(frame.begin() + static_cast<std::ptrdiff_t>(at)); break;
        default:
          frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(random.next() & 0xff));
      }
    }
  }
};

TEST_F(MutationTest, EveryRequestDamagedManyTimes) {
  const std::vector<Buffer> frames = corpus();
  ASSERT_GT(frames.size(), 20u);
  Prng random(20260101);
  for (int round = 0; round < 60; ++round) {
    for (const Buffer& whole : frames) {
      Buffer frame = whole;
      damage(frame, random);
      shard->request(at, client, Ticket{next_ticket_++}, frame);
    }
    settle();
    later(milliseconds(500));
    responses.clear();
    closed_.clear();
    if (round % 20 == 19) restart();
  }
  EXPECT_TRUE(fatal.empty());
  create_topic("still-here");
  EXPECT_EQ(produce("still-here").error_code, ErrorCode::none);
}

}  // namespace
}  // namespace edgelog::broker

#include "tests/support/sim_disk.h"

#include <gtest/gtest.h>

namespace edgelog::testing {
namespace {

using port::OpenMode;
using port::Urgency;

std::string text_of(SimDisk& disk, std::string_view path) {
  const auto bytes = disk.contents(path);
  return bytes ? std::string(as_text(*bytes)) : "(none)";
}
void write(SimDisk& disk, port::FileId file, std::uint64_t at, std::string_view text) {
  const Bytes piece = as_bytes(text);
  ASSERT_TRUE(disk.write(file, at, {&piece, 1}));
}

TEST(SimDisk, PowerCutLosesWhatWasNotSynced) {
  SimDisk disk;
  Prng random(1);
  ASSERT_TRUE(disk.make_directory("d"));
  const auto file = *disk.open("d/a", OpenMode::fresh);
  write(disk, file, 0, "first");
  ASSERT_TRUE(disk.sync_now(file));
  ASSERT_TRUE(disk.sync_directory("d"));
  ASSERT_TRUE(disk.sync_directory(""));
  write(disk, file, 5, " second");
  disk.power_cut(random, Survival::nothing);
  EXPECT_EQ(text_of(disk, "d/a"), "first");
}

TEST(SimDisk, AFileUnderAnUnsyncedNameIsLost) {
  SimDisk disk;
  Prng random(1);
  const auto file = *disk.open("a", OpenMode::fresh);
  write(disk, file, 0, "x");
  ASSERT_TRUE(disk.sync_now(file));
  disk.power_cut(random, Survival::nothing);
  EXPECT_EQ(text_of(disk, "a"), "(none)");
}

TEST(SimDisk, KillKeepsThePageCache) {
  SimDisk disk;
  const auto file = *disk.open("a", OpenMode::fresh);
  write(disk, file, 0, "x");
  disk.kill();
  EXPECT_EQ(text_of(disk, "a"), "x");
}

TEST(SimDisk, AFailedSyncDropsThePagesAndTheNextOneSucceeds) {
  SimDisk disk;
  Prng random(1);
  const auto file = *disk.open("a", OpenMode::fresh);
  ASSERT_TRUE(disk.sync_directory(""));
  write(disk, file, 0, "x");
  disk.fail_next_sync();
  EXPECT_FALSE(disk.sync_now(file));
  EXPECT_TRUE(disk.sync_now(file));
  EXPECT_EQ(text_of(disk, "a"), "x");
  disk.power_cut(random, Survival::nothing);
  EXPECT_NE(text_of(disk, "a"), "x");
}

TEST(SimDisk, ASyncCoversWhatWasWrittenBeforeItWasAskedFor) {
  SimDisk disk;
  Prng random(1);
  const auto file = *disk.open("a", OpenMode::fresh);
  ASSERT_TRUE(disk.sync_directory(""));
  write(disk, file, 0, "1");
  bool done = false;
  disk.sync({file}, {}, Urgency::round, [&](Status status) { done = static_cast<bool>(status); });
  write(disk, file, 0, "2");
  EXPECT_TRUE(disk.complete());
  EXPECT_TRUE(done);
  disk.power_cut(random, Survival::nothing);
  EXPECT_EQ(text_of(disk, "a"), "1");
}

TEST(SimDisk, ASyncOfADirectoryThatIsGoneSaysSoAndTheRestIsSynced) {
  SimDisk disk;
  Prng random(1);
  ASSERT_TRUE(disk.make_directory("d"));
  const auto file = *disk.open("a", OpenMode::fresh);
  write(disk, file, 0, "x");
  Status told = Ok{};
  disk.sync({file}, {"d", ""}, Urgency::background, [&](Status status) { told = std::move(status); });
  ASSERT_TRUE(disk.remove("d"));
  EXPECT_TRUE(disk.complete());
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::not_found);
  EXPECT_EQ(disk.sync_directory("d").error().code, Code::not_found);
  disk.power_cut(random, Survival::nothing);
  EXPECT_EQ(text_of(disk, "a"), "x");
}

TEST(SimDisk, FullDiskRefusesUnlessReserved) {
  SimDisk disk;
  disk.set_capacity(8192);
  const auto a = *disk.open("a", OpenMode::fresh);
  ASSERT_TRUE(disk.reserve(a, 0, 4096));
  const auto b = *disk.open("b", OpenMode::fresh);
  write(disk, b, 0, "x");
  const Buffer large(4097);
  const Bytes piece(large);
  EXPECT_EQ(disk.write(b, 0, {&piece, 1}).error().code, Code::full);
  write(disk, a, 0, std::string(4096, 'a'));
  EXPECT_EQ(*disk.free_bytes(), 0u);
  ASSERT_TRUE(disk.remove("a"));
  EXPECT_EQ(*disk.free_bytes(), 4096u);
}

TEST(SimDisk, MixedSurvivalTearsASyncedFilesTailOnly) {
  bool torn = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk;
    Prng random(seed);
    const auto file = *disk.open("a", OpenMode::fresh);
    write(disk, file, 0, std::string(1000, 'a'));
    ASSERT_TRUE(disk.sync_now(file));
    ASSERT_TRUE(disk.sync_directory(""));
    write(disk, file, 1000, std::string(5000, 'b'));
    disk.power_cut(random, Survival::mixed);
    const std::string left = text_of(disk, "a");
    ASSERT_GE(left.size(), 1000u);
    EXPECT_EQ(left.substr(0, 1000), std::string(1000, 'a'));
    torn |= left.find('\0') != std::string::npos && left.find('b') != std::string::npos;
  }
  EXPECT_TRUE(torn);
}

}  // namespace
}  // namespace edgelog::testing

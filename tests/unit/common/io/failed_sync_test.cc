// What the disk tells of syncs that fail. This program's own fsync and fdatasync stand before the system's.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/io/loop.h"
#include "common/io/posix_disk.h"

namespace {

std::atomic<bool> fails_once{false};
std::atomic<int> directories_synced{0};

}  // namespace

// Tells a failure once, as Linux does, and before the one who asked can say so others may ask.
extern "C" int fdatasync(int fd) {
  if (!fails_once.exchange(false)) return static_cast<int>(::syscall(SYS_fdatasync, fd));
  for (int i = 0; i < 20'000; ++i) std::this_thread::yield();
  errno = EIO;
  return -1;
}
extern "C" int fsync(int fd) {
  ++directories_synced;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace edgelog::io {
namespace {

using port::OpenMode;
using port::Urgency;

class FailedSyncTest : public ::testing::Test {
 protected:
  FailedSyncTest() {
    char name[] = "/tmp/edgelog-disk-XXXXXX";
    directory_ = ::mkdtemp(name);
    disk_ =
        std::move(*PosixDisk::open(directory_, [this](std::function<void()> work) { loop_.post(std::move(work)); }));
    a_ = *disk_->open("a", OpenMode::fresh);
    b_ = *disk_->open("b", OpenMode::fresh);
    directories_synced = 0;
  }
  ~FailedSyncTest() override {
    disk_.reset();
    fails_once = false;
    std::filesystem::remove_all(directory_);
  }
  void sync(std::vector<port::FileId> files, std::vector<std::string> directories, Urgency urgency = Urgency::round) {
    ++waiting_;
    disk_->sync(std::move(files), std::move(directories), urgency, [this](Status status) {
      told_.push_back(status ? "ok" : status.error().code == Code::not_found ? "not found" : "failed");
      --waiting_;
    });
  }
  std::vector<std::string> all_told() {
    while (waiting_ > 0) loop_.run_one();
    return std::exchange(told_, {});
  }
  using Told = std::vector<std::string>;

  std::string directory_;
  Loop loop_;
  std::unique_ptr<PosixDisk> disk_;
  port::FileId a_, b_;
  Told told_;
  int waiting_ = 0;
};

TEST_F(FailedSyncTest, IsToldToAllWhoSyncThatFile) {
  fails_once = true;
  sync({a_}, {}, Urgency::background);
  sync({a_}, {});
  EXPECT_EQ(all_told(), (Told{"failed", "failed"}));
  EXPECT_FALSE(disk_->sync_now(a_));
  EXPECT_TRUE(disk_->sync_failed());
}

TEST_F(FailedSyncTest, LeavesNothingThatIsCalledDurable) {
  fails_once = true;
  sync({a_}, {}, Urgency::background);
  EXPECT_EQ(all_told(), Told{"failed"});
  sync({b_}, {});
  EXPECT_EQ(all_told(), Told{"failed"});
  sync({}, {""});
  EXPECT_EQ(all_told(), Told{"failed"});
  EXPECT_FALSE(disk_->sync_now(b_));
  EXPECT_FALSE(disk_->sync_directory(""));
}

TEST_F(FailedSyncTest, IsToldBeforeDirectoriesAreSynced) {
  fails_once = true;
  sync({a_, b_}, {"", ""});
  EXPECT_EQ(all_told(), Told{"failed"});
  EXPECT_EQ(directories_synced, 0);
}

TEST_F(FailedSyncTest, ADirectoryThatIsGoneFailsNothingElse) {
  sync({a_}, {"none", ""});
  EXPECT_EQ(all_told(), Told{"not found"});
  EXPECT_EQ(directories_synced, 1);
  EXPECT_EQ(disk_->sync_directory("none").error().code, Code::not_found);
  EXPECT_FALSE(disk_->sync_failed());
  sync({b_}, {""});
  EXPECT_EQ(all_told(), Told{"ok"});
  fails_once = true;
  sync({a_}, {"none"});
  EXPECT_EQ(all_told(), Told{"failed"});
}

}  // namespace
}  // namespace edgelog::io

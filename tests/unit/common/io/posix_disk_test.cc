#include "common/io/posix_disk.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/io/loop.h"

namespace edgelog::io {
namespace {

using port::OpenMode;
using port::Urgency;

class PosixDiskTest : public ::testing::Test {
 protected:
  PosixDiskTest() {
    char name[] = "/tmp/edgelog-disk-XXXXXX";
    directory_ = ::mkdtemp(name);
    disk_ =
        std::move(*PosixDisk::open(directory_, [this](std::function<void()> work) { loop_.post(std::move(work)); }));
  }
  ~PosixDiskTest() override {
    disk_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::string read_all(port::FileId file) {
    Buffer to(static_cast<std::size_t>(*disk_->size(file)) + 10);
    const std::size_t n = *disk_->read(file, 0, to);
    return std::string(as_text(Bytes(to).first(n)));
  }
  std::string directory_;
  Loop loop_;
  std::unique_ptr<PosixDisk> disk_;
};

TEST_F(PosixDiskTest, WritesManyPiecesAndReadsThemBack) {
  ASSERT_TRUE(disk_->make_directory("d"));
  const auto file = *disk_->open("d/a", OpenMode::fresh);
  std::vector<std::string> texts;
  std::vector<Bytes> pieces;
  std::string all;
  for (int i = 0; i < 200; ++i) texts.push_back(i % 7 == 0 ? "" : "piece " + std::to_string(i));
  for (const auto& text : texts) {
    pieces.push_back(as_bytes(text));
    all += text;
  }
  ASSERT_TRUE(disk_->write(file, 0, pieces));
  EXPECT_EQ(read_all(file), all);
  ASSERT_TRUE(disk_->truncate(file, 5));
  EXPECT_EQ(read_all(file), all.substr(0, 5));
  ASSERT_TRUE(disk_->reserve(file, 5, 100'000));
  EXPECT_EQ(*disk_->size(file), 5u);
}

TEST_F(PosixDiskTest, NamesFailuresAsTheyAre) {
  EXPECT_EQ(disk_->open("none", OpenMode::existing).error().code, Code::not_found);
  EXPECT_EQ(disk_->list("none").error().code, Code::not_found);
  EXPECT_TRUE(disk_->remove("none"));
  EXPECT_GT(*disk_->free_bytes(), 0u);
}

TEST_F(PosixDiskTest, ListsSortedAndRemoves) {
  ASSERT_TRUE(disk_->make_directory("d"));
  for (const char* name : {"d/c", "d/a", "d/b"}) disk_->close(*disk_->open(name, OpenMode::fresh));
  ASSERT_TRUE(disk_->rename("d/c", "d/0"));
  EXPECT_EQ(*disk_->list("d"), (std::vector<std::string>{"0", "a", "b"}));
  EXPECT_FALSE(disk_->remove("d"));
  for (const char* name : {"d/0", "d/a", "d/b", "d"}) EXPECT_TRUE(disk_->remove(name));
  EXPECT_EQ(*disk_->list(""), std::vector<std::string>{});
}

TEST_F(PosixDiskTest, ASecondOwnerIsRefused) {
  ASSERT_TRUE(disk_->lock("lock"));
  auto other = std::move(*PosixDisk::open(directory_, [](std::function<void()>) {}));
  EXPECT_EQ(other->lock("lock").error().code, Code::locked);
}

TEST_F(PosixDiskTest, SyncsCompleteOnTheLoopEvenWhenTheFileWasClosed) {
  const auto a = *disk_->open("a", OpenMode::fresh), b = *disk_->open("b", OpenMode::fresh);
  const Bytes piece = as_bytes("x");
  ASSERT_TRUE(disk_->write(a, 0, {&piece, 1}));
  int done = 0;
  const auto count = [&](Status status) {
    EXPECT_TRUE(status);
    if (++done == 3) loop_.stop();
  };
  disk_->sync({a, b}, {""}, Urgency::round, count);
  disk_->sync({b}, {}, Urgency::background, count);
  disk_->sync({}, {""}, Urgency::background, count);
  disk_->close(a);
  EXPECT_EQ(done, 0);
  loop_.run();
  EXPECT_EQ(done, 3);
  EXPECT_TRUE(disk_->sync_now(b));
  EXPECT_TRUE(disk_->sync_directory(""));
}

}  // namespace
}  // namespace edgelog::io

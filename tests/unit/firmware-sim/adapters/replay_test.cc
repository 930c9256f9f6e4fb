#include "firmware-sim/adapters/replay.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace edgelog::firmware {
namespace {

class ReplayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "edgelog-replay-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    if (name.ends_with(".gz")) {
      gzFile_s* out = gzopen(path.c_str(), "wb");
      gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
      gzclose(out);
    } else {
      std::ofstream(path) << text;
    }
    return path.string();
  }
  static std::vector<std::string> all(Replay& replay) {
    std::vector<std::string> said;
    for (; replay.deadline() != never; replay.pop())
      said.push_back(replay.front().device + " " + replay.front().fields);
    return said;
  }
  std::filesystem::path folder_;
};

TEST_F(ReplayTest, RowsOfSeveralFilesInTheirOrder) {
  ReplayConfig config;
  config.inputs = {file("a.tsv.gz", "name\tvalue\nx\t1\ny\t\"2\"\n"), file("b.tsv", "value\tname\n3\tx\n")};
  config.device_column = "name";
  config.fields = {{"value", "value", true}, {"who", "name", false}};
  config.notice = {"who"};
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay) << replay.error().what;
  EXPECT_EQ((*replay)->front().notice, R"("who":"x")");
  EXPECT_EQ(all(**replay), (std::vector<std::string>{R"(x "value":1,"who":"x")", R"(y "value":"\"2\"","who":"y")",
                                                     R"(x "value":3,"who":"x")"}));
}

TEST_F(ReplayTest, QuotedCells) {
  ReplayConfig config;
  config.delimiter = ',';
  config.inputs = {file("a.csv", "\"name\",\"a, b\"\r\nx,\"1,5\"\n\"y\",\"say \"\"hi\"\"\"\nz,\"two\nlines\"\nw,\n")};
  config.device_column = "name";
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay) << replay.error().what;
  EXPECT_EQ(all(**replay),
            (std::vector<std::string>{R"(x "name":"x","a, b":"1,5")", R"(y "name":"y","a, b":"say \"hi\"")",
                                      R"(z "name":"z","a, b":"two\u000alines")", R"(w "name":"w","a, b":"")"}));
  config.inputs = {file("b.csv", "name,v\nx,\"open\n")};
  const auto broken = Replay::open(config);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().what.find("b.csv:2: a quote"), std::string::npos) << broken.error().what;
}

TEST_F(ReplayTest, NumbersAreWrittenAsTheyStand) {
  ReplayConfig config;
  config.header = false;
  config.columns = {"v"};
  config.fields = {{"v", "v", true}};
  config.inputs = {file("n.tsv", "21.0\n-0.5e3\n01\n+1\n1.\n\nNaN\n")};
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay);
  EXPECT_EQ(all(**replay),
            (std::vector<std::string>{R"(device "v":21.0)", R"(device "v":-0.5e3)", R"(device "v":"01")",
                                      R"(device "v":"+1")", R"(device "v":"1.")", R"(device "v":"NaN")"}));
}

TEST_F(ReplayTest, ThePaceIsTheRecordedOneAndNeverGoesBack) {
  ReplayConfig config;
  config.inputs = {file("t.tsv", "t\n2023-01-01T00:00:00Z\n2023-01-01T00:00:10Z\n2023-01-01T00:00:05Z\n")};
  config.time = {"t"};
  config.time_format = TimeFormat::iso8601;
  config.speed = 10;
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay);
  std::vector<Instant> due;
  for (; (*replay)->deadline() != never; (*replay)->pop()) due.push_back((*replay)->deadline());
  EXPECT_EQ(due, (std::vector<Instant>{Instant{}, Instant{} + seconds(1), Instant{} + seconds(1)}));
}

TEST_F(ReplayTest, SeriesAreMergedByTime) {
  ReplayConfig config;
  config.series = true;
  config.header = false;
  config.columns = {"time", "value"};
  config.time = {"time"};
  config.time_format = TimeFormat::unix_seconds;
  file("set/b.csv", "1\tb1\n4\tb4\n");
  file("set/a.csv", "2\ta2\n3\ta3\n");
  config.inputs = {(folder_ / "set").string()};
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay) << replay.error().what;
  std::vector<std::string> devices;
  for (const auto& said : all(**replay)) devices.push_back(said.substr(0, 1));
  EXPECT_EQ(devices, (std::vector<std::string>{"b", "a", "a", "b"}));
}

TEST_F(ReplayTest, PartsShareTheDevicesOut) {
  std::string rows = "name\n";
  for (int i = 0; i < 100; ++i) rows += "device " + std::to_string(i) + "\n";
  const auto input = file("p.tsv", rows);
  std::map<std::string, int> seen;
  for (std::uint64_t part = 0; part < 3; ++part) {
    ReplayConfig config;
    config.inputs = {input};
    config.device_column = "name";
    config.part = part;
    config.parts = 3;
    auto replay = Replay::open(config);
    ASSERT_TRUE(replay);
    const auto said = all(**replay);
    EXPECT_GT(said.size(), 10u);
    for (const auto& text : said) ++seen[text];
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST_F(ReplayTest, SaysWhatIsWrongWithAFile) {
  ReplayConfig config;
  config.inputs = {file("bad.tsv", "a\tb\n1\t2\n1\n")};
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay);
  (*replay)->pop();
  EXPECT_EQ((*replay)->deadline(), never);
  ASSERT_TRUE((*replay)->failure());
  EXPECT_NE((*replay)->failure()->what.find("bad.tsv:3: 1 cells, expected 2"), std::string::npos);
  config.device_column = "nobody";
  EXPECT_FALSE(Replay::open(config));
  config.inputs = {(folder_ / "absent").string()};
  EXPECT_FALSE(Replay::open(config));
}

// The recordings themselves, where they are.
TEST_F(ReplayTest, TheRecordedHouse) {
  const std::filesystem::path recordings = "../shared/data/nordwijk";
  if (!std::filesystem::exists(recordings)) GTEST_SKIP() << "no recordings in " << recordings;
  ReplayConfig config;
  for (const char* day : {"20230107", "20230320", "20230331", "20230412", "20241119"})
    config.inputs.push_back((recordings / ("smartthings." + std::string(day) + ".tsv.gz")).string());
  config.device_column = "name";
  auto replay = Replay::open(config);
  ASSERT_TRUE(replay) << replay.error().what;
  std::map<std::string, int> rows;
  for (; (*replay)->deadline() != never; (*replay)->pop()) ++rows[(*replay)->front().device];
  EXPECT_FALSE((*replay)->failure());
  EXPECT_EQ((*replay)->rows(), 380'768u);
  EXPECT_EQ(rows.size(), 40u);
}

}  // namespace
}  // namespace edgelog::firmware

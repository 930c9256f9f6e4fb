#include "common/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace edgelog::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Values {
  std::string listen = "127.0.0.1:9092";
  std::int64_t port = 1883;
  double drift = 0.5;
  bool create = true;
  Duration linger = milliseconds(20);
  ByteSize segment{64 << 20};
  std::vector<std::string> brokers = {"a:1", "b:2"};
  std::string policy = "block";
};

Settings settings_of(Values& values) {
  Settings settings({"edgelog-x", "Does x.", {"edgelog-x --listen 127.0.0.1:1"}});
  settings.add("listen", values.listen, "host:port", "loopback is safe");
  settings.add("uplink.port", values.port, "TCP port", "MQTT's own").range = {1, 65535};
  settings.add("uplink.clock_drift", values.drift, "ppm", "a crystal");
  settings.add("auto_create", values.create, "whether topics come by themselves", "as Kafka's");
  settings.add("stream.linger", values.linger, "how long a batch gathers", "a tenth of a glance").range = {
      milliseconds(1).value(), seconds(60).value()};
  settings.add("segment", values.segment, "bytes per segment file", "few files").range = {1024};
  settings.add("brokers", values.brokers, "host:port list", "all loopback");
  settings.add("policy", values.policy, "when full", "nothing is lost").choices = {"block", "drop-oldest"};
  return settings;
}

Status read_text(Settings& settings, const std::string& text,
                 const std::vector<std::pair<std::string, std::string>>& flags = {}) {
  auto document = Document::from_text(text, "x.toml");
  if (!document) return document.error();
  return settings.read(*document, flags);
}

std::string refused(const std::string& text, const std::vector<std::pair<std::string, std::string>>& flags = {}) {
  Values values;
  auto settings = settings_of(values);
  auto status = read_text(settings, text, flags);
  return status ? "accepted" : status.error().what;
}

TEST(Settings, FileBeatsDefaultAndFlagBeatsFile) {
  Values values;
  auto settings = settings_of(values);
  auto status = read_text(settings,
                          "listen = \"h:1\"\nauto_create = false\nsegment = \"1MiB\"\nbrokers = [\"c:3\"]\n"
                          "policy = \"drop-oldest\"\n[uplink]\nport = 99\nclock_drift = 2\n[stream]\nlinger = \"1s\"\n",
                          {{"uplink.port", "100"}, {"brokers", "d:4,e:5"}, {"auto_create", "true"}});
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(values.listen, "h:1");
  EXPECT_EQ(values.port, 100);
  EXPECT_EQ(values.drift, 2.0);
  EXPECT_TRUE(values.create);
  EXPECT_EQ(values.linger, seconds(1));
  EXPECT_EQ(values.segment.value(), 1 << 20);
  EXPECT_THAT(values.brokers, ElementsAre("d:4", "e:5"));
  EXPECT_EQ(values.policy, "drop-oldest");
}

TEST(Settings, ErrorsNameFileLineKeyAndWhatWasExpected) {
  EXPECT_EQ(refused("\n[uplink]\nport = \"abc\"\n"),
            "x.toml:3: uplink.port: expected an integer from 1 to 65535, got \"abc\"");
  EXPECT_EQ(refused("[uplink]\nport = 0"), "x.toml:2: uplink.port: expected an integer from 1 to 65535, got 0");
  EXPECT_EQ(refused("listen = 7"), "x.toml:1: listen: expected a string, got 7");
  EXPECT_EQ(refused("auto_create = \"yes\""), "x.toml:1: auto_create: expected true or false, got \"yes\"");
  EXPECT_EQ(refused("brokers = [1]"), "x.toml:1: brokers: expected an array of strings, got an array");
  EXPECT_EQ(refused("uplink = 3"), "x.toml:1: uplink: expected a table [uplink], got 3");
  EXPECT_EQ(refused("policy = \"maybe\""),
            "x.toml:1: policy: expected one of \"block\", \"drop-oldest\", got \"maybe\"");
  EXPECT_EQ(refused("[stream]\nlinger = \"2m\""),
            "x.toml:2: stream.linger: expected a duration from 1ms to 1m, got \"2m\"");
  EXPECT_EQ(refused("segment = 1"), "x.toml:1: segment: expected a size at least 1KiB, got 1");
  EXPECT_THAT(refused("listen = \"a\"\nlisten = \"b\""), HasSubstr("x.toml:2"));
  EXPECT_THAT(refused("listen = "), HasSubstr("x.toml:1: expected TOML"));
}

TEST(Settings, UnknownKeysAndTablesAreErrorsAndAllAreNamed) {
  EXPECT_EQ(refused("lisen = \"a\"\n[uplink]\nprot = 1\n[other]\na = 1\n"),
            "x.toml:1: lisen: expected no such key (unknown)\n"
            "x.toml:3: uplink.prot: expected no such key (unknown)\n"
            "x.toml:4: other: expected no such key (unknown)");
}

TEST(Settings, BadFlagsAreNamed) {
  EXPECT_EQ(refused("", {{"uplink.port", "70000"}}),
            "--uplink-port: expected an integer from 1 to 65535, got \"70000\"");
  EXPECT_EQ(refused("", {{"stream.linger", "5"}}),
            "--stream-linger: expected a duration such as \"250ms\", \"20s\", \"90d\", got \"5\"");
  EXPECT_EQ(refused("", {{"policy", "x"}}), "--policy: expected one of block, drop-oldest, got \"x\"");
}

TEST(Settings, AnEmptyValueDoesNotTakeTheNextArgument) {
  Values values;
  Settings settings = settings_of(values);
  const std::vector<const char*> argv{"edgelog-x", "--listen=", "--check-config"};
  EXPECT_EQ(settings.start(static_cast<int>(argv.size()), argv.data()), 0);
  EXPECT_EQ(values.listen, "");
}

TEST(Settings, RequiredMayComeFromFileOrFlag) {
  std::string id;
  const auto make = [&] {
    id.clear();
    Settings settings({"edgelog-x", "", {}});
    settings.add("id", id, "the agent's name", "none fits all").required = true;
    return settings;
  };
  auto settings = make();
  auto status = read_text(settings, "");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().what, "id: expected the agent's name (in the file, or as --id)");
  auto by_flag = make();
  EXPECT_TRUE(read_text(by_flag, "", {{"id", "a1"}}));
  auto by_file = make();
  EXPECT_TRUE(read_text(by_file, "id = \"a1\""));
}

TEST(Settings, TheSampleFileReadsBackToTheDefaults) {
  Values values;
  auto settings = settings_of(values);
  std::vector<std::string> ports;
  settings.nested("[[input]]\nhost = \"h\"\n", [&](const Table& root) -> Status {
    for (const auto& input : root.tables("input")) ports.push_back(input.text("host", ""));
    return Ok{};
  });
  auto status = read_text(settings, settings.sample());
  ASSERT_TRUE(status) << status.error().what << settings.sample();
  EXPECT_EQ(values.linger, milliseconds(20));
  EXPECT_THAT(values.brokers, ElementsAre("a:1", "b:2"));
  EXPECT_THAT(ports, ElementsAre("h"));
}

TEST(Settings, HelpAndDocsNameEverySetting) {
  Values values;
  const auto settings = settings_of(values);
  for (const auto& row : settings.rows()) {
    EXPECT_THAT(settings.help(), HasSubstr(flag_of(row.key)));
    EXPECT_THAT(settings.markdown(), HasSubstr("`" + row.key + "`"));
  }
  EXPECT_THAT(settings.help(), HasSubstr("edgelog-x --listen 127.0.0.1:1"));
}

TEST(Settings, ChecksRunLastAndFailWithExitCodeTwo) {
  const auto run = [](std::vector<const char*> argv, std::string* listen_out = nullptr) {
    Values values;
    auto settings = settings_of(values);
    settings.check([&]() -> Status {
      if (values.port == 13) return Error{Code::invalid, "uplink.port: expected another than 13"};
      return Ok{};
    });
    argv.insert(argv.begin(), "edgelog-x");
    const auto code = settings.start(static_cast<int>(argv.size()), argv.data());
    if (listen_out) *listen_out = values.listen + (values.create ? " create" : " no");
    return code;
  };
  std::string listen;
  EXPECT_EQ(run({"--listen", "h:9", "--auto-create=false"}, &listen), std::nullopt);
  EXPECT_EQ(listen, "h:9 no");
  EXPECT_EQ(run({"--auto-create"}, &listen), std::nullopt);
  EXPECT_EQ(listen, "127.0.0.1:9092 create");
  EXPECT_EQ(run({"--auto_create=false"}, &listen), std::nullopt);
  EXPECT_EQ(listen, "127.0.0.1:9092 no");
  EXPECT_EQ(run({"--check-config"}), 0);
  EXPECT_EQ(run({"--uplink-port", "13", "--check-config"}), 2);
  EXPECT_EQ(run({"--uplink-port=13"}), 2);
  EXPECT_EQ(run({"--no-such-flag"}), 2);
  EXPECT_EQ(run({"--config", "/nonexistent/x.toml"}), 2);
}

TEST(Table, NestedTablesKeepTheirOrderAndSayWhatIsWrong) {
  auto document = Document::from_text(
      "[[input]]\nkind = \"mqtt\"\nfilters = [\"a/#\"]\n[[input]]\nkind = \"carrier-pigeon\"\nport = -1\nextra = 1\n"
      "[stream.zulu]\nlinger = \"1s\"\n[stream.alpha]\nlinger = 5\n",
      "agent.toml");
  ASSERT_TRUE(document);
  const auto root = document->root();
  const auto inputs = root.tables("input");
  ASSERT_EQ(inputs.size(), 2u);
  for (const auto& input : inputs) {
    input.choice("kind", "", {"mqtt", "stdin"});
    input.integer("port", 1883, {1, 65535});
    input.texts("filters", {});
  }
  std::vector<std::string> names;
  for (const auto& [name, stream] : root.named_tables("stream")) {
    names.push_back(name);
    stream.duration("linger", seconds(2));
  }
  EXPECT_THAT(names, ElementsAre("zulu", "alpha"));
  EXPECT_FALSE(root.table("absent").present());
  EXPECT_EQ(root.table("absent").integer("x", 5), 5);
  auto status = document->finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().what,
            "agent.toml:5: input[1].kind: expected one of \"mqtt\", \"stdin\", got \"carrier-pigeon\"\n"
            "agent.toml:6: input[1].port: expected an integer from 1 to 65535, got -1\n"
            "agent.toml:11: stream.alpha.linger: expected a duration such as \"250ms\", \"20s\", \"90d\", got 5\n"
            "agent.toml:7: input[1].extra: expected no such key (unknown)");
}

TEST(Table, RequiredKeysAndOwnRefusals) {
  auto document = Document::from_text("[rule]\ntopic = \"a//b\"\n", "m.toml");
  ASSERT_TRUE(document);
  const auto rule = document->root().table("rule");
  EXPECT_EQ(rule.required_text("topic"), "a//b");
  EXPECT_EQ(rule.required_text("key"), "");
  rule.refuse("topic", "a topic without empty levels");
  EXPECT_EQ(document->finish().error().what,
            "m.toml:1: rule.key: expected a string, got nothing\n"
            "m.toml:2: rule.topic: expected a topic without empty levels, got \"a//b\"");
}

TEST(Table, IgnoredPartsAreNobodysError) {
  auto document = Document::from_text("[a]\nb = { c = 1 }\n[d]\ne = 1\n", "m.toml");
  ASSERT_TRUE(document);
  document->root().ignore("a");
  EXPECT_EQ(document->finish().error().what, "m.toml:3: d: expected no such key (unknown)");
}

TEST(Table, BadFilesGiveErrorsAndNoCrash) {
  const std::vector<std::string> bad = {"=",          "[",    "a = [1",           "a = 1 2",
                                        "a = \"\n\"", "\x01", "a = \"\xff\xfe\"", "[a]\n[a]"};
  for (const auto& text : bad) {
    auto document = Document::from_text(text, "bad.toml");
    ASSERT_FALSE(document) << text;
    EXPECT_THAT(document.error().what, HasSubstr("bad.toml:")) << text;
  }
  EXPECT_FALSE(Document::from_text(std::string(17 << 20, ' '), "big.toml"));
}

TEST(Quantity, ReadsWhatItWrites) {
  for (const auto d :
       {Duration{0}, nanoseconds(1), microseconds(5), milliseconds(20), seconds(90), seconds(86'400 * 90)})
    EXPECT_EQ(*parse_duration(write_duration(d)), d);
  for (const auto n : {0LL, 1LL, 1000LL, 1LL << 10, 3LL << 20, 5LL << 40})
    EXPECT_EQ(parse_bytes(write_bytes(ByteSize{n}))->value(), n);
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* text : {"", "5", "-1s", "1.5s", "s", "1 s", "1y", "9999999999999h"})
    EXPECT_FALSE(parse_duration(text)) << text;
  for (const char* text : {"", "-1", "KiB", "1KB", "1kib", "99999999TiB"}) EXPECT_FALSE(parse_bytes(text)) << text;
  for (const char* text : {"", ":1", "host", "host:", "host:65536", "::1:80", "[]:1"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
  EXPECT_EQ(parse_endpoint("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_endpoint("localhost:0")->port, 0);
}

}  // namespace
}  // namespace edgelog::config

// The mappings that ship, from delivered bytes to events, with the parser that the agent uses.
#include "edge-agent/agent/mapping.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "edge-agent/adapters/json_parser.h"
#include "edge-agent/agent/mapping_file.h"

namespace edgelog::agent {
namespace {

constexpr WallMillis now{1'700'000'000'000};  // 2023-11-14

struct Fixture {
  explicit Fixture(const std::string& name) {
    auto loaded = load_mapping("edge-agent/mappings/" + name + ".toml");
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().what);
    if (loaded) mapping = std::move(*loaded);
  }
  const Mapped& deliver(const std::string& topic, const std::string& payload) {
    Captures captures;
    out.verdict = Mapped::Verdict::ignored;
    const TopicRule* rule = mapping.match(topic, captures);
    if (rule == nullptr || rule->ignore) return out;
    const auto reason = parser.parse(as_bytes(payload), object);
    EXPECT_EQ(reason, "") << payload;
    mapping.apply(*rule, {"site-a", topic, &captures, &object}, now, out);
    return out;
  }
  Mapping mapping;
  JsonParser parser{512 << 10};
  JsonObject object;
  Mapped out;
};

TEST(Mapping, NumbersStayAsTheyWereWritten) {
  Fixture f("plain-json");
  const auto& out =
      f.deliver("events/climate/kitchen/upper", R"({"t": 21.0, "big": 123456789012345678901234567890, "e":1e400})");
  ASSERT_EQ(out.verdict, Mapped::Verdict::events);
  ASSERT_EQ(out.count, 1u);
  EXPECT_EQ(out.key, "site-a/kitchen/upper");
  EXPECT_EQ(out.events[0].stream, "climate");
  EXPECT_EQ(out.events[0].value, R"({"t":21.0,"big":123456789012345678901234567890,"e":1e400})");
  EXPECT_EQ(out.source.kind, SourceKind::plain);
}

// The gaps' rows are no events: an event there would stop the agent when it is sealed.
TEST(Mapping, NoDeviceWritesTopicsThatAreOursOrTheLogs) {
  Fixture f("plain-json");
  for (const char* stream : {"edgelog.gaps", "edgelog.dead-letters", "edgelog.fleet", "__consumer_offsets"}) {
    const auto& by_topic = f.deliver(std::string("events/") + stream + "/x", R"({"v":1})");
    EXPECT_EQ(by_topic.verdict, Mapped::Verdict::refused) << stream;
    EXPECT_EQ(by_topic.reason, "no valid stream");
    const auto& by_line = f.deliver("line", std::string(R"({"device":"x","stream":")") + stream + R"("})");
    EXPECT_EQ(by_line.verdict, Mapped::Verdict::refused) << stream;
  }
}

TEST(Mapping, ARefusedNameIsNobodysName) {
  Fixture f("plain-json");
  ASSERT_EQ(f.deliver("events/climate/kitchen", R"({"v":1})").key, "site-a/kitchen");
  const auto& out = f.deliver("events/climate/" + std::string(device_name_max + 1, 'x'), R"({"v":1})");
  EXPECT_EQ(out.verdict, Mapped::Verdict::refused);
  EXPECT_EQ(out.device, "") << "its dead letter would stand under the key of the device before it";
}

TEST(Mapping, NordwijkGoesToThreeTopicsByAttribute) {
  Fixture f("nordwijk");
  const auto row = [](const char* attribute, const char* value) {
    return std::string(
               R"J({"boot":7,"n":12,"loc":"hall","level":"ground","name":"Door (main)","epoch":"2022-10-09T20:13:08Z","capability":"c","attribute":")J") +
           attribute + R"(","value":")" + value + R"(","unit":""})";
  };
  const auto& out = f.deliver("nordwijk/Door (main)", row("contact", "open"));
  ASSERT_EQ(out.count, 1u);
  EXPECT_EQ(out.events[0].stream, "door-motion");
  EXPECT_EQ(
      out.events[0].value,
      R"J({"loc":"hall","level":"ground","name":"Door (main)","epoch":"2022-10-09T20:13:08Z","capability":"c","attribute":"contact","value":"open","unit":""})J");
  EXPECT_EQ(out.key, "site-a/Door (main)");
  EXPECT_EQ(out.confirm, "nordwijk/Door (main)/confirm");
  EXPECT_EQ(out.source.kind, SourceKind::ring);
  EXPECT_EQ(out.source.number, 12);
  EXPECT_EQ(out.source.incarnation, "7");
  EXPECT_EQ(out.time.at, WallMillis{1'665'346'388'000});
  EXPECT_EQ(out.time.trust, ClockTrust::ok);
  f.deliver("nordwijk/Door (main)", row("temperature", "21.0"));
  EXPECT_EQ(f.out.events[0].stream, "climate");
  EXPECT_NE(f.out.events[0].value.find(R"("value":21.0,)"), std::string::npos);
  f.deliver("nordwijk/Door (main)", row("lqi", "255"));
  EXPECT_EQ(f.out.events[0].stream, "house");
}

TEST(Mapping, RingNotices) {
  Fixture f("nordwijk");
  const auto& out = f.deliver("nordwijk/x", R"({"boot":7,"name":"x","confirmed":3,"lost":9})");
  EXPECT_EQ(out.verdict, Mapped::Verdict::notice);
  EXPECT_EQ(out.notice.confirmed_through, 3);
  EXPECT_EQ(out.notice.lost_through, 9);
  f.deliver("nordwijk/x", R"({"boot":7,"name":"x","confirmed":40})");
  EXPECT_EQ(f.out.notice.lost_through, 40);
  f.deliver("nordwijk/x", R"({"boot":7,"name":"x","confirmed":9,"lost":3})");
  EXPECT_EQ(f.out.verdict, Mapped::Verdict::refused);
}

TEST(Mapping, ZigbeeContactTrueIsClosed) {
  Fixture f("zigbee2mqtt");
  const auto& out =
      f.deliver("zigbee2mqtt/ground/front door", R"({"contact":true,"battery":91.5,"last_seen":1700000000123})");
  ASSERT_EQ(out.count, 1u) << out.reason;
  EXPECT_EQ(out.device, "ground/front door");
  EXPECT_EQ(out.events[0].stream, "doors");
  EXPECT_EQ(out.events[0].value, R"({"open":false,"battery_percent":91.5})");
  EXPECT_EQ(out.time.at, WallMillis{1'700'000'000'123});
  f.deliver("zigbee2mqtt/t", R"({"local_temperature":20.5,"battery":null,"last_seen":"2023-11-14T23:13:20+01:00"})");
  EXPECT_EQ(f.out.events[0].value, R"({"temperature_c":20.5})");
  EXPECT_EQ(f.out.time.at, now);
  f.deliver("zigbee2mqtt/front", R"({"contact":"open"})");
  EXPECT_EQ(f.out.verdict, Mapped::Verdict::refused);
  EXPECT_EQ(f.out.reason, "wrong type");
  f.deliver("zigbee2mqtt/a/b/availability", R"({"state":"online"})");
  EXPECT_EQ(f.out.verdict, Mapped::Verdict::ignored);
  f.deliver("zigbee2mqtt/bridge/state", R"({"state":"online"})");
  EXPECT_EQ(f.out.verdict, Mapped::Verdict::ignored);
}

TEST(Mapping, FiltersCoverThePatterns) {
  EXPECT_EQ(Fixture("zigbee2mqtt").mapping.filters(), std::vector<std::string>{"zigbee2mqtt/#"});
  EXPECT_EQ(Fixture("nordwijk").mapping.filters(), std::vector<std::string>{"nordwijk/+"});
}

TEST(Mapping, AbsurdTimesAreKeptWithTheirTrust) {
  const WallMillis earliest{1'420'070'400'000};
  const auto trust = [&](std::string_view text, TimeFormat format) {
    return read_device_time(text, format, earliest, now).trust;
  };
  EXPECT_EQ(trust("0001-01-01T00:00:00Z", TimeFormat::iso8601), ClockTrust::unset);
  EXPECT_EQ(trust("2012-01-01T00:00:00Z", TimeFormat::iso8601), ClockTrust::unset);
  EXPECT_EQ(trust("2036-02-07T06:28:16Z", TimeFormat::iso8601), ClockTrust::ahead);
  EXPECT_EQ(trust("9999999999999999999", TimeFormat::unix_ms), ClockTrust::unreadable);
  EXPECT_EQ(trust("2023-13-01T00:00:00Z", TimeFormat::iso8601), ClockTrust::unreadable);
  EXPECT_EQ(trust("2023-01-01T00:00:00", TimeFormat::any), ClockTrust::local);
  EXPECT_EQ(trust("1699999999.25", TimeFormat::unix_s), ClockTrust::ok);
  EXPECT_EQ(read_device_time("1699999999.25", TimeFormat::any, earliest, now).at, WallMillis{1'699'999'999'250});
  EXPECT_EQ(read_device_time("07/24/05 00:30:00", TimeFormat::us_local, WallMillis{0}, now).at,
            WallMillis{1'122'165'000'000});
}

TEST(Mapping, AFileSaysEverythingThatIsWrong) {
  auto document = config::Document::from_text(
      "mapping = 2\nname = 'x'\n[source]\nkind = 'rung'\n[[topic]]\npattern = 'a/+'\n[[topic.event]]\nstraem = 'x'\n",
      "m.toml");
  ASSERT_TRUE(document);
  auto mapping = read_mapping(*document);
  ASSERT_FALSE(mapping);
  for (const char* part : {"m.toml:1", "m.toml:4", "m.toml:6", "straem"})
    EXPECT_NE(mapping.error().what.find(part), std::string::npos) << mapping.error().what;
}

TEST(JsonParser, RefusesWhatIsNotJson) {
  JsonParser parser(1 << 16);
  JsonObject object;
  for (const char* bad :
       {"", "  ", "{", "[1]", "1", "{\"a\":tru}", "{\"a\":01}", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":{\"b\":nul}}",
        "{\"a\":[1,{\"b\":+1}]}", "{\"a\":\"\\q\"}", "{a:1}", "{\"a\":\"\xff\"}", "{\"a\":\"x\ny\"}", "{\"a\" 1}",
        "{\"a\":[[[[[[[[[1]]]]]]]]]}", "{\"a\":nullx}", "{\"a\":1 2}"})
    EXPECT_NE(parser.parse(as_bytes(bad), object), "") << bad;
  EXPECT_EQ(parser.parse(as_bytes("{}"), object), "");
  EXPECT_EQ(parser.parse(as_bytes(R"({"a":{"b":[1,2], "c\"d":"x\u00e9"} ,"z":-0.50E+7})"), object), "");
  ASSERT_NE(object.find("a.c\"d"), nullptr);
  EXPECT_EQ(object.find("a.c\"d")->text, "x\u00e9");
  EXPECT_EQ(object.find("a.c\"d")->raw_name, "\"c\\\"d\"");
  EXPECT_EQ(object.find("a")->raw, R"({"b":[1,2], "c\"d":"x\u00e9"})");
  EXPECT_EQ(object.find("a.b")->raw, "[1,2]");
  EXPECT_EQ(object.find("z")->raw, "-0.50E+7");
}

}  // namespace
}  // namespace edgelog::agent

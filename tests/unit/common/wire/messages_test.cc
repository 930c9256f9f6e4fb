#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "common/wire/api_versions.h"
#include "common/wire/apis.h"
#include "common/wire/describe_groups.h"
#include "common/wire/header.h"
#include "common/wire/heartbeat.h"
#include "common/wire/metadata.h"
#include "tests/support/hex.h"
#include "tests/unit/common/wire/any_message.h"

namespace edgelog::wire {
namespace {

using testing::from_hex;

std::vector<AnyMessage> all_messages() {
  std::vector<AnyMessage> all = any_requests();
  for (const AnyMessage& message : any_responses()) all.push_back(message);
  return all;
}

std::string title(const AnyMessage& message, Version version) {
  return std::string(message.api->name) + (message.is_request ? " request v" : " response v") + std::to_string(version);
}

void round_trip(const AnyMessage& message, Version version, std::uint64_t seed) {
  SCOPED_TRACE(title(message, version) + " seed " + std::to_string(seed));
  Image made = message.make(version, seed), read;
  ASSERT_TRUE(message.again(made.bytes, version, read));
  EXPECT_EQ(made.text, read.text);
  EXPECT_EQ(made.bytes, read.bytes);
  for (std::size_t size = 0; size < made.bytes.size(); ++size) {
    EXPECT_FALSE(message.again(Bytes(made.bytes).first(size), version, read)) << "cut to " << size;
  }
  made.bytes.push_back(std::byte{0});
  EXPECT_FALSE(message.again(made.bytes, version, read));
}

TEST(Messages, EveryVersionRoundTripsAndEveryTruncationIsRefused) {
  for (const AnyMessage& message : all_messages()) {
    for (Version version = message.api->first; version <= message.api->last; ++version) {
      for (std::uint64_t seed = 1; seed <= 5; ++seed) round_trip(message, version, seed);
    }
  }
}

struct Golden {
  std::string kind, hex, text;
  Version version;
};

void compare(const AnyMessage& message, const Golden& golden) {
  SCOPED_TRACE(title(message, golden.version) + " " + golden.hex);
  const Buffer bytes = from_hex(golden.hex);
  Image read;
  ASSERT_TRUE(message.again(bytes, golden.version, read));
  EXPECT_EQ(read.text, golden.text);
  if (golden.kind.ends_with('u')) return;  // it has a tag that we do not keep
  EXPECT_EQ(read.bytes, bytes);
}

std::multimap<std::int16_t, Golden> read_golden() {
  std::multimap<std::int16_t, Golden> all;
  std::ifstream file("tests/golden/wire/messages.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::int16_t key = 0;
    Golden golden;
    words >> key >> golden.kind >> golden.version >> golden.hex;
    std::getline(words >> std::ws, golden.text);
    if (golden.hex == "-") golden.hex.clear();
    all.emplace(key, golden);
  }
  return all;
}

// Bytes that Apache Kafka's own classes wrote, with the values that they wrote.
TEST(Messages, ReadAndWriteWhatKafkaWrites) {
  const auto golden = read_golden();
  ASSERT_GT(golden.size(), 200u);
  for (const AnyMessage& message : all_messages()) {
    std::set<Version> seen;
    const auto [from, to] = golden.equal_range(message.api->key);
    for (auto line = from; line != to; ++line) {
      if ((line->second.kind[0] == 'q') != message.is_request) continue;
      compare(message, line->second);
      seen.insert(line->second.version);
    }
    for (Version version = message.api->first; version <= message.api->last; ++version) {
      EXPECT_TRUE(seen.contains(version)) << title(message, version);
    }
  }
}

TEST(Messages, AnArrayMayNotTakeMoreThanItsBytesPayFor) {
  // 60,000 topics of the fewest bytes each: honest by length, not by what they would take in memory.
  Buffer bytes;
  Encoder count(bytes, 9, false);
  count.field(std::int32_t{60'000});
  bytes.resize(bytes.size() + 2 * 60'000);
  MetadataRequest message;
  EXPECT_TRUE(decode(Bytes(bytes), 0, message));
  Buffer groups{std::byte{0xe1}, std::byte{0xd4}, std::byte{0x03}};  // 60,000 + 1
  groups.resize(groups.size() + 5 * 60'000);
  DescribeGroupsResponse described;
  EXPECT_FALSE(decode(Bytes(groups), 5, described));
}

TEST(Messages, StringsAreOfKafkasLength) {
  HeartbeatRequest message, read;
  message.group_id.assign(string_bytes_max, 'g');
  Buffer bytes;
  encode(message, 4, bytes);
  EXPECT_TRUE(decode(Bytes(bytes), 4, read));
  Buffer longer{std::byte{0x81}, std::byte{0x80}, std::byte{0x02}};  // 32768 + 1
  longer.resize(longer.size() + 32768 + 4 + 2 + 1);
  EXPECT_FALSE(decode(Bytes(longer), 4, read));
}

TEST(Header, RequestsAndResponses) {
  for (const Api& api : apis()) {
    for (Version version = api.first; version <= api.last; ++version) {
      Buffer out;
      const std::size_t start = begin_request({api.key, version, 7, "me"}, out);
      out.push_back(std::byte{42});
      finish_frame(start, out);
      Bytes frame = Bytes(out).subspan(frame_size_bytes);
      RequestHeader header;
      ASSERT_EQ(take_request_header(frame, header), HeaderStatus::good);
      EXPECT_EQ(header.correlation_id, 7);
      EXPECT_EQ(header.client_id, "me");
      ASSERT_EQ(frame.size(), 1u);
      EXPECT_EQ(frame[0], std::byte{42});
      for (std::size_t size = 0; size + 1 < out.size() - frame_size_bytes; ++size) {
        Bytes cut = Bytes(out).subspan(frame_size_bytes, size);
        EXPECT_EQ(take_request_header(cut, header), HeaderStatus::malformed);
      }
      Buffer reply;
      finish_frame(begin_response(api, version, 7, reply), reply);
      const bool tags = version >= api.flexible && api.key != api_versions_api.key;
      EXPECT_EQ(reply.size(), tags ? 9u : 8u);
      Bytes rest = Bytes(reply).subspan(frame_size_bytes);
      std::int32_t correlation_id = 0;
      EXPECT_TRUE(take_response_header(rest, api, version, correlation_id));
      EXPECT_EQ(correlation_id, 7);
      EXPECT_TRUE(rest.empty());
    }
  }
}

TEST(Header, WhatIsNotOurs) {
  RequestHeader header;
  const Buffer unknown_key = from_hex("03e7000000000001ffff"), produce0 = from_hex("0000000000000001ffff"),
               versions99 = from_hex("0012006300000001ffff00");
  Bytes frame = unknown_key;
  EXPECT_EQ(take_request_header(frame, header), HeaderStatus::unknown_api);
  frame = produce0;
  EXPECT_EQ(take_request_header(frame, header), HeaderStatus::unknown_version);
  frame = versions99;
  EXPECT_EQ(take_request_header(frame, header), HeaderStatus::unknown_version);
  EXPECT_EQ(header.api_version, 99);
  EXPECT_FALSE(header.client_id);
}

TEST(Errors, NamesAndRetries) {
  EXPECT_EQ(error_name(ErrorCode::not_leader_or_follower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(error_name(ErrorCode{9999}), "?");
  EXPECT_TRUE(may_pass(ErrorCode::not_leader_or_follower));
  EXPECT_FALSE(may_pass(ErrorCode::invalid_record));
  EXPECT_FALSE(may_pass(ErrorCode::none));
}

}  // namespace
}  // namespace edgelog::wire

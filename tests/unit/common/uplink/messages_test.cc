#include "common/uplink/messages.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/support/hex.h"

namespace edgelog::uplink {
namespace {

Answers sample_answers() {
  Answers answers;
  answers.gateway_time = WallMillis{1'700'000'000'123};
  answers.batches.push_back({{"climate", ProducerId{0x4123456700000001}, ProducerEpoch{0}, Sequence{5}, Sequence{9}},
                             PartitionIndex{3},
                             0,
                             Offset{42},
                             LeaderEpoch{7}});
  LookAnswer look;
  look.look_id = 11;
  look.topic = "climate";
  look.partition = PartitionIndex{3};
  look.from = Offset{40};
  look.to = Offset{60};
  look.log_start = Offset{0};
  look.leader_epoch = LeaderEpoch{7};
  look.expectation = static_cast<std::int8_t>(Expectation::found);
  look.found_epoch = LeaderEpoch{7};
  look.sightings.push_back({ProducerId{0x4123456700000001}, ProducerId{0x4123456700000002}, EventIndex{1},
                            EventIndex{2}, Offset{44}, false});
  answers.looks.push_back(look);
  return answers;
}

// The bytes of docs/FORMATS.md, "Uplink". A change here is a change of format and needs a version.
TEST(Messages, AnswersGolden) {
  std::ifstream file("tests/golden/uplink_answers.hex");
  const std::string golden{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(testing::to_hex(encode(sample_answers())) + "\n", golden);
}

TEST(Messages, AnswersRoundTrip) {
  const auto bytes = encode(sample_answers());
  Answers back;
  ASSERT_TRUE(decode(bytes, back));
  EXPECT_EQ(encode(back), bytes);
  EXPECT_EQ(back.batches.at(0).batch.topic, "climate");
  EXPECT_EQ(back.looks.at(0).sightings.at(0).offset, Offset{44});
}

TEST(Messages, EveryTruncationAndAnotherVersionIsRefused) {
  auto bytes = encode(sample_answers());
  Answers back;
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode(Bytes(bytes).first(n), back)) << n;
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(decode(bytes, back));
  bytes.pop_back();
  bytes[0] = std::byte{2};
  EXPECT_FALSE(decode(bytes, back));
}

TEST(Messages, LookRequestWithAndWithoutExpectation) {
  LookRequest request;
  request.look_id = 5;
  request.from = Offset{9};
  LookRequest back;
  ASSERT_TRUE(decode(encode(request), back));
  EXPECT_FALSE(back.expected);
  request.expected = sample_answers().batches[0];
  ASSERT_TRUE(decode(encode(request), back));
  ASSERT_TRUE(back.expected);
  EXPECT_EQ(back.expected->batch.last, Sequence{9});
}

}  // namespace
}  // namespace edgelog::uplink

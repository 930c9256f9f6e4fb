// Yesterday's files must be read: the bytes of every format in a data directory, as docs/FORMATS.md has them, stand in
// tests/golden/broker_data.txt, a name and hex a line. EDGELOG_WRITE_GOLDEN=1 writes it anew, for a new version.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "cloud-broker/log/journal.h"
#include "cloud-broker/log/manifest.h"
#include "cloud-broker/log/sealed.h"
#include "cloud-broker/log/segment_index.h"
#include "cloud-broker/producers/producers.h"
#include "tests/support/hex.h"
#include "tests/support/sim_disk.h"

namespace edgelog::broker::disklog {
namespace {

constexpr const char* golden_path = "tests/golden/broker_data.txt";

PartitionId sample_id() {
  PartitionId id;
  for (std::size_t i = 0; i < 16; ++i) id.topic[i] = static_cast<std::byte>(i * 17);
  id.index = PartitionIndex{3};
  return id;
}

Manifest sample_manifest() {
  Manifest m;
  m.partition = sample_id();
  m.applied = 77;
  m.log_start = Offset{5};
  m.segments = {{Offset{0}, 2, 0, Offset{40}, 9000, 1'700'000'000'123, 1'700'000'000'000, 1'700'000'100'000, true},
                {Offset{40}, 0, 0, Offset{40}, 0, -1, -1, 1'700'000'100'000, false}};
  m.epochs = {{LeaderEpoch{1}, Offset{0}}, {LeaderEpoch{4}, Offset{31}}};
  m.marks = {{Offset{0}, 1'700'000'000'000}};
  m.horizons = {{Offset{33}, 1, Offset{12}}};
  m.snapshots = {Offset{20}, Offset{40}};
  m.next_version = 3;
  m.compacted_through = Offset{40};
  m.damage = "none, really";
  return m;
}

Checkpoint sample_checkpoint() {
  Checkpoint c;
  c.epoch = LeaderEpoch{4};
  c.round = 900;
  c.generation = 12;
  c.change = 77;
  c.clean = true;
  c.partitions = {{sample_id(), 6, Offset{40}, 0, 512, Offset{44}, 1'700'000'200'000, 1'700'000'300'000}};
  return c;
}

RoundContents sample_contents() {
  RoundContents contents;
  contents.data = {{sample_id(), Offset{40}, 0, 512, 5, Offset{44}, Offset{45}, 1'700'000'400'000, false, 0x12345678}};
  contents.meta = {{sample_id(), 78, static_cast<std::int8_t>(MetaKind::rolled), 45, 0, 517, 1'700'000'400'000}};
  return contents;
}

Producers sample_producers() {
  Producers state;
  state.apply({ProducerId{7}, ProducerEpoch{0}, Sequence{0}, 3, Offset{10}});
  state.apply({ProducerId{7}, ProducerEpoch{0}, Sequence{3}, 2, Offset{20}});
  state.apply({ProducerId{(std::int64_t{1} << 62) + 5}, ProducerEpoch{32767}, Sequence{0}, 1, Offset{22}});
  return state;
}

SegmentInfo sample_segment() { return sample_manifest().segments[0]; }

SegmentIndex sample_index() {
  SegmentIndex index(Offset{0});
  for (int i = 0; i < 4; ++i) {
    record::BatchHeader header;
    header.base_offset = Offset{i * 10};
    header.max_timestamp = 1000 + i;
    index.add(header, static_cast<std::uint64_t>(i) * 20'000);
  }
  return index;
}

Buffer sample_frame() {
  testing::SimDisk disk;
  EXPECT_TRUE(disk.make_directory(journal_directory));
  Uuid directory{};
  directory[0] = std::byte{9};
  Journal journal(disk, {64 << 10, 2, directory, LeaderEpoch{4}}, 900, 12);
  EXPECT_TRUE(*journal.make_room(4096));
  const Bytes payload = as_bytes("batch");
  EXPECT_TRUE(journal.write(encode(sample_contents()), {&payload, 1}));
  return *disk.contents(journal_path(1));
}

std::map<std::string, Buffer> samples() {
  return {{"manifest", seal(SealedKind::manifest, 6, encode(sample_manifest()))},
          {"checkpoint", seal(SealedKind::checkpoint, 41, encode(sample_checkpoint()))},
          {"journal-frame", sample_frame()},
          {"producers", seal(SealedKind::producers, 23, sample_producers().snapshot())},
          {"index", sample_index().encode(sample_segment())}};
}

TEST(Golden, EveryFormatOfADataDirectoryIsWhatItWas) {
  const auto made = samples();
  if (std::getenv("EDGELOG_WRITE_GOLDEN") != nullptr) {
    std::ofstream out(golden_path);
    for (const auto& [name, bytes] : made) out << name << ' ' << testing::to_hex(bytes) << '\n';
  }
  std::ifstream in(golden_path);
  std::map<std::string, std::string> golden;
  for (std::string name, hex; in >> name >> hex;) golden[name] = hex;
  ASSERT_EQ(golden.size(), made.size());
  for (const auto& [name, bytes] : made) EXPECT_EQ(testing::to_hex(bytes), golden[name]) << name;
}

TEST(Golden, AndIsReadBack) {
  Manifest manifest;
  ASSERT_TRUE(decode(encode(sample_manifest()), manifest));
  EXPECT_EQ(manifest.segments, sample_manifest().segments);
  EXPECT_EQ(manifest.epochs, sample_manifest().epochs);
  EXPECT_EQ(manifest.damage, sample_manifest().damage);
  Checkpoint checkpoint;
  ASSERT_TRUE(decode(encode(sample_checkpoint()), checkpoint));
  EXPECT_EQ(checkpoint.partitions[0].position, 512u);
  EXPECT_TRUE(checkpoint.clean);
  EXPECT_EQ(
      SegmentIndex::decode(sample_index().encode(sample_segment()), sample_segment())->find_offset(Offset{29}).offset,
      Offset{20});
}

TEST(Sealed, EveryFlippedBitIsSeen) {
  const Buffer good = seal(SealedKind::manifest, 6, encode(sample_manifest()));
  ASSERT_TRUE(unseal(SealedKind::manifest, good, "x"));
  for (std::size_t byte = 0; byte < good.size(); ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Buffer bad = good;
      bad[byte] ^= static_cast<std::byte>(1u << bit);
      EXPECT_FALSE(unseal(SealedKind::manifest, bad, "x")) << byte;
    }
  }
}

TEST(Journal, FindsRoundsAndNamesTheMissing) {
  testing::SimDisk disk;
  ASSERT_TRUE(disk.make_directory(journal_directory));
  Uuid directory{};
  Journal journal(disk, {64 << 10, 3, directory, LeaderEpoch{1}}, 10, 0);
  const Buffer big(20'000);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(*journal.make_room(22'000));
    const Bytes payload = big;
    ASSERT_TRUE(journal.write(encode(sample_contents()), {&payload, 1}));
  }
  auto found = *find_rounds(disk, directory, 10);
  ASSERT_EQ(found.rounds.size(), 5u);
  EXPECT_TRUE(found.missing.empty());
  EXPECT_EQ(found.last_round, 15u);
  disk.flip_bit(journal_path(1), 66, 0);  // contents of the first round
  found = *find_rounds(disk, directory, 10);
  EXPECT_EQ(found.missing, std::vector<std::uint64_t>{11});
  EXPECT_EQ(find_rounds(disk, directory, 13)->rounds.size(), 2u);
  Uuid other{};
  other[5] = std::byte{1};
  EXPECT_TRUE(find_rounds(disk, other, 0)->rounds.empty());
}

TEST(Journal, AFileIsNotWrittenOverBeforeItIsReleased) {
  testing::SimDisk disk;
  ASSERT_TRUE(disk.make_directory(journal_directory));
  Journal journal(disk, {64 << 10, 2, Uuid{}, LeaderEpoch{1}}, 0, 0);
  const Buffer big(50'000);
  const Bytes payload = big;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(*journal.make_room(60'000));
    ASSERT_TRUE(journal.write(encode(sample_contents()), {&payload, 1}));
  }
  EXPECT_FALSE(*journal.make_room(60'000));
  journal.release(1);
  EXPECT_TRUE(*journal.make_room(60'000));
}

}  // namespace
}  // namespace edgelog::broker::disklog

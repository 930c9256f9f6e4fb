// What lies in a broker's data directory: every decoder, with checksums made right so that they do not hide it. The
// first byte chooses the format.
#include <cstdint>

#include "cloud-broker/log/journal.h"
#include "cloud-broker/log/manifest.h"
#include "cloud-broker/log/sealed.h"
#include "cloud-broker/log/segment_index.h"
#include "cloud-broker/producers/producers.h"
#include "common/record/crc32c.h"
#include "tests/support/sim_disk.h"

using namespace edgelog;
using namespace edgelog::broker;

namespace {

void put(testing::SimDisk& disk, std::string_view path, Bytes bytes) {
  const auto file = disk.open(path, port::OpenMode::fresh);
  ASSERT(disk.write(*file, 0, {&bytes, 1}));
}

// The bytes as the contents of a frame whose checksums match.
void journal(Bytes in) {
  testing::SimDisk disk;
  ASSERT(disk.make_directory(disklog::journal_directory));
  Buffer frame(disklog::frame_head_bytes);
  frame[0] = std::byte{'E'}, frame[1] = std::byte{'L'}, frame[2] = std::byte{'R'}, frame[3] = std::byte{'D'};
  store_big<std::uint64_t>(frame.data() + 8, 7);
  store_big(frame.data() + 28, static_cast<std::uint32_t>(in.size()));
  store_big(frame.data() + 32, record::crc32c(in));
  store_big<std::uint64_t>(frame.data() + 36, in.size() * 1000);
  store_big(frame.data() + 4, record::crc32c(Bytes(frame).subspan(8), record::crc32c(Uuid{})));
  append(frame, in);
  append(frame, in);
  put(disk, disklog::journal_path(0), frame);
  ASSERT(disklog::find_rounds(disk, Uuid{}, 0));
  put(disk, disklog::journal_path(1), in);
  ASSERT(disklog::find_rounds(disk, Uuid{}, std::nullopt));
}

void segment(Bytes in) {
  testing::SimDisk disk;
  put(disk, "s", in);
  const auto file = *disk.open("s", port::OpenMode::existing);
  for (const std::uint64_t check_from : {std::uint64_t{0}, UINT64_MAX}) {
    const disklog::WalkPlan plan{0, in.size(), Offset{0}, check_from != 0, check_from};
    ASSERT(disklog::walk(disk, file, plan, [](const record::BatchHeader&, std::uint64_t) { return true; }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes in{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  disklog::Manifest manifest;
  disklog::Checkpoint checkpoint;
  switch (data[0] % 6) {
    case 0: (void)disklog::decode(in, manifest); break;
    case 1: (void)disklog::decode(in, checkpoint); break;
    case 2:
      if (auto state = Producers::restore(in)) ASSERT(Producers::restore(state->snapshot()));
      break;
    case 3:
      (void)static_cast<bool>(disklog::SegmentIndex::decode(disklog::seal(disklog::SealedKind::index, 0, in), {}));
      break;
    case 4: journal(in); break;
    default: segment(in); break;
  }
  return 0;
}

#include "cloud-broker/log/journal.h"

#include <algorithm>
#include <cstring>

#include "common/base/assert.h"
#include "common/record/crc32c.h"
#include "common/wire/codec.h"

namespace edgelog::broker::disklog {

Buffer encode(const RoundContents& contents) {
  Buffer out;
  wire::Encoder encoder(out, 0, false);
  RoundContents::describe(encoder, contents);
  return out;
}

Journal::Journal(port::Disk& disk, JournalPlace place, std::uint64_t last_round, std::uint64_t last_generation)
    : disk_(disk), place_(place), round_(last_round), generation_(last_generation), released_(last_round) {
  ASSERT(place_.files >= 2 && place_.file_bytes >= 64 << 10);
}

Journal::~Journal() {
  if (open_) disk_.close(file_);
}

std::uint64_t Journal::payload_bytes_max() const { return place_.file_bytes / 2; }

bool Journal::half_used() const { return last_rounds_.size() * 2 > place_.files; }

void Journal::release(std::uint64_t round) {
  ASSERT(round >= released_ && round <= round_);  // J1
  released_ = round;
  std::erase_if(last_rounds_, [&](const auto& held) { return held.second <= round && held.first != generation_; });
}

Result<bool> Journal::make_room(std::uint64_t frame_bytes) {
  ASSERT(frame_bytes <= place_.file_bytes);
  if (open_ && position_ + frame_bytes <= place_.file_bytes) return true;
  const std::uint64_t next = generation_ + 1;
  // J2: a file is written over only when all its rounds are in segments.
  if (next >= place_.files && last_rounds_.contains(next - place_.files)) return false;
  const std::string path = journal_path(slot(next));
  auto file = disk_.open(path, port::OpenMode::existing);
  if (!file && file.error().code == Code::not_found) {
    file = disk_.open(path, port::OpenMode::existing_or_new);
    new_name_ |= static_cast<bool>(file);  // even if there is no room for it now: next time it exists
  }
  if (!file) return std::move(file).error();
  if (auto room = disk_.reserve(*file, 0, place_.file_bytes); !room) {
    disk_.close(*file);
    return std::move(room).error();
  }
  if (open_) disk_.close(file_);
  file_ = *file;
  open_ = true;
  generation_ = next;
  position_ = 0;
  return true;
}

Status Journal::write(Bytes contents, std::span<const Bytes> payload) {
  std::uint64_t payload_bytes = 0;
  for (const auto& piece : payload) payload_bytes += piece.size();
  ASSERT(open_ && position_ + frame_head_bytes + contents.size() + payload_bytes <= place_.file_bytes);
  std::array<std::byte, frame_head_bytes> head{};
  std::memcpy(head.data(), "ELRD", 4);
  store_big<std::uint64_t>(head.data() + 8, round_ + 1);
  store_big<std::uint64_t>(head.data() + 16, generation_);
  store_big(head.data() + 24, place_.epoch.value());
  store_big(head.data() + 28, static_cast<std::uint32_t>(contents.size()));
  store_big(head.data() + 32, record::crc32c(contents));
  store_big<std::uint64_t>(head.data() + 36, payload_bytes);
  store_big(head.data() + 4, record::crc32c(Bytes(head).subspan(8), record::crc32c(place_.directory)));
  std::vector<Bytes> pieces{head, contents};
  pieces.insert(pieces.end(), payload.begin(), payload.end());
  TRY(disk_.write(file_, position_, pieces));
  position_ += frame_head_bytes + contents.size() + payload_bytes;
  ++round_;
  last_rounds_[generation_] = round_;
  return Ok{};
}

namespace {

class Finder {
 public:
  Finder(const Uuid& directory, std::optional<std::uint64_t> after)
      : seed_(record::crc32c(directory)), after_(after.value_or(0)), any_(!after) {}

  void scan(Bytes file, std::uint32_t slot) {
    static constexpr std::byte magic[4] = {std::byte{'E'}, std::byte{'L'}, std::byte{'R'}, std::byte{'D'}};
    for (std::size_t at = 0; at + frame_head_bytes <= file.size();) {
      if (const std::size_t size = frame(file, at, slot); size != 0) {
        at += size;
        continue;
      }
      // Torn, damaged, or what an earlier generation left: look for the next frame.
      const auto found = std::search(file.begin() + static_cast<std::ptrdiff_t>(at + 1), file.end(), std::begin(magic),
                                     std::end(magic));
      at = static_cast<std::size_t>(found - file.begin());
    }
  }

  JournalFound finish() {
    std::sort(found_.rounds.begin(), found_.rounds.end(),
              [](const auto& a, const auto& b) { return a.round < b.round; });
    std::uint64_t due = any_ && !found_.rounds.empty() ? found_.rounds.front().round : after_ + 1;
    for (const auto& round : found_.rounds) {
      for (; due < round.round && found_.missing.size() < missing_max; ++due) found_.missing.push_back(due);
      due = round.round + 1;
    }
    return std::move(found_);
  }

 private:
  static constexpr std::size_t missing_max = 100;

  // Bytes of the frame that begins here; 0: none does.
  std::size_t frame(Bytes file, std::size_t at, std::uint32_t slot) {
    const Bytes rest = file.subspan(at);
    if (rest.size() < frame_head_bytes || std::memcmp(rest.data(), "ELRD", 4) != 0) return 0;
    if (record::crc32c(rest.subspan(8, frame_head_bytes - 8), seed_) != load_big<std::uint32_t>(rest.data() + 4))
      return 0;
    const auto contents_bytes = load_big<std::uint32_t>(rest.data() + 28);
    if (contents_bytes > rest.size() - frame_head_bytes) return 0;
    const Bytes contents = rest.subspan(frame_head_bytes, contents_bytes);
    if (record::crc32c(contents) != load_big<std::uint32_t>(rest.data() + 32)) return 0;
    FoundRound round;
    round.round = load_big<std::uint64_t>(rest.data() + 8);
    round.generation = load_big<std::uint64_t>(rest.data() + 16);
    round.epoch = LeaderEpoch{load_big<std::int32_t>(rest.data() + 24)};
    found_.last_generation = std::max(found_.last_generation, round.generation);
    found_.last_round = std::max(found_.last_round, round.round);
    found_.last_epoch = std::max(found_.last_epoch, round.epoch);
    const std::size_t size = frame_head_bytes + contents_bytes;
    const auto payload_bytes = load_big<std::uint64_t>(rest.data() + 36);
    if (round.round > after_) {
      wire::Decoder decoder(contents, 0, false);
      RoundContents::describe(decoder, round.contents);
      if (!decoder.ok() || decoder.left() != 0) return 0;
      round.slot = slot;
      round.payload_at = at + size;
      round.payload_bytes = std::min<std::uint64_t>(payload_bytes, rest.size() - size);
      found_.rounds.push_back(std::move(round));
    }
    return size + std::min<std::uint64_t>(payload_bytes, rest.size() - size);
  }

  std::uint32_t seed_;
  std::uint64_t after_;
  bool any_;
  JournalFound found_;
};

}  // namespace

Result<JournalFound> find_rounds(port::Disk& disk, const Uuid& directory, std::optional<std::uint64_t> after) {
  Finder finder(directory, after);
  auto names = disk.list(journal_directory);
  if (!names && names.error().code == Code::not_found) return finder.finish();
  if (!names) return std::move(names).error();
  for (std::uint32_t slot = 0; slot < 1024; ++slot) {
    const std::string path = journal_path(slot);
    if (std::find(names->begin(), names->end(), path.substr(journal_directory.size() + 1)) == names->end()) continue;
    auto file = disk.open(path, port::OpenMode::existing);
    if (!file) return std::move(file).error();
    auto size = disk.size(*file);
    Buffer bytes(size ? *size : 0);
    Result<std::size_t> got = disk.read(*file, 0, bytes);
    disk.close(*file);
    if (!size) return std::move(size).error();
    if (!got) return std::move(got).error();
    finder.scan(Bytes(bytes).first(*got), slot);
  }
  return finder.finish();
}

}  // namespace edgelog::broker::disklog

#include "cloud-broker/log/sealed.h"

#include <algorithm>
#include <cstring>

#include "common/record/crc32c.h"

namespace edgelog::broker::disklog {
namespace {
constexpr std::size_t head = 32;
constexpr std::uint64_t sealed_bytes_max = std::uint64_t{1} << 30;
}  // namespace

Buffer seal(SealedKind kind, std::uint64_t sequence, Bytes payload) {
  Buffer out(head);
  std::memcpy(out.data(), "ELOG", 4);
  out[4] = static_cast<std::byte>(kind);
  out[5] = std::byte{sealed_format};
  store_big<std::uint64_t>(out.data() + 16, sequence);
  store_big<std::uint64_t>(out.data() + 24, payload.size());
  append(out, payload);
  store_big(out.data() + 8, record::crc32c(Bytes(out).subspan(12), record::crc32c(Bytes(out).first(8))));
  return out;
}

Result<Sealed> unseal(SealedKind kind, Bytes file, std::string_view name) {
  const auto bad = [&](const char* why) { return Error{Code::corrupt, std::string(name) + ": " + why}; };
  if (file.size() < head || std::memcmp(file.data(), "ELOG", 4) != 0 || file[4] != static_cast<std::byte>(kind))
    return bad("not a file of this kind, or cut short");
  const auto length = load_big<std::uint64_t>(file.data() + 24);
  if (length > file.size() - head) return bad("cut short");
  if (record::crc32c(file.subspan(12, head - 12 + length), record::crc32c(file.first(8))) !=
      load_big<std::uint32_t>(file.data() + 8))
    return bad("checksum does not match");
  if (file[5] > std::byte{sealed_format})
    return Error{Code::unsupported, std::string(name) + ": written by a newer version (format " +
                                        std::to_string(std::to_integer<int>(file[5])) + ", this one knows " +
                                        std::to_string(sealed_format) + ")"};
  Sealed out;
  out.sequence = load_big<std::uint64_t>(file.data() + 16);
  const auto payload = file.subspan(head, length);
  out.payload.assign(payload.begin(), payload.end());
  return out;
}

Result<Buffer> read_file(port::Disk& disk, std::string_view path, std::uint64_t bytes_max) {
  auto file = disk.open(path, port::OpenMode::existing);
  if (!file) return std::move(file).error();
  auto size = disk.size(*file);
  Result<std::size_t> got = std::size_t{0};
  Buffer out;
  if (size && *size <= bytes_max) {
    out.resize(*size);
    got = disk.read(*file, 0, out);
  }
  disk.close(*file);
  if (!size) return std::move(size).error();
  if (*size > bytes_max) return Error{Code::corrupt, std::string(path) + ": too large"};
  if (!got) return std::move(got).error();
  out.resize(*got);
  return out;
}

Result<port::FileId> write_file(port::Disk& disk, std::string_view path, Bytes bytes) {
  auto file = disk.open(path, port::OpenMode::existing_or_new);
  if (!file) return file;
  if (auto written = disk.write(*file, 0, {&bytes, 1}); !written) {
    disk.close(*file);
    return std::move(written).error();
  }
  return file;
}

Result<Sealed> read_sealed(port::Disk& disk, SealedKind kind, std::string_view path) {
  auto bytes = read_file(disk, path, sealed_bytes_max);
  if (!bytes) return std::move(bytes).error();
  return unseal(kind, *bytes, path);
}

std::string twin_path(std::string_view path, int twin) { return std::string(path) + (twin == 0 ? ".0" : ".1"); }

Result<Sealed> read_twins(port::Disk& disk, SealedKind kind, std::string_view path) {
  auto a = read_sealed(disk, kind, twin_path(path, 0)), b = read_sealed(disk, kind, twin_path(path, 1));
  for (const auto* one : {&a, &b}) {
    if (!*one && one->error().code != Code::not_found && one->error().code != Code::corrupt) return one->error();
  }
  if (!a && !b) return a.error().code == Code::not_found ? std::move(b).error() : std::move(a).error();
  if (a && b) {
    const bool same = a->sequence == b->sequence && a->payload == b->payload;
    auto& newer = same || a->sequence < b->sequence ? b : a;
    newer->twice = same;
    newer->copy = &newer == &a ? 0 : 1;
    return std::move(newer);
  }
  auto& whole = a ? a : b;
  whole->copy = a ? 0 : 1;
  return std::move(whole);
}

namespace {
Status write_durably(port::Disk& disk, const std::string& path, Bytes bytes) {
  auto file = write_file(disk, path, bytes);
  if (!file) return std::move(file).error();
  auto synced = disk.sync_now(*file);
  disk.close(*file);
  return synced;
}
}  // namespace

Status write_twins(port::Disk& disk, std::string_view path, Twins& twins, Bytes bytes) {
  if (!twins.sure) {  // then the other one may be the durable one: the same bytes once more hurt neither
    auto kept = read_file(disk, twin_path(path, twins.kept), sealed_bytes_max);
    if (!kept) return std::move(kept).error();
    TRY(write_durably(disk, twin_path(path, twins.kept), *kept));
  }
  for (const int twin : {twins.first(), twins.kept}) TRY(write_durably(disk, twin_path(path, twin), bytes));
  twins = {};
  return Ok{};
}

}  // namespace edgelog::broker::disklog

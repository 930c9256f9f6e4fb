#include "firmware-sim/adapters/lines.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace edgelog::firmware {
namespace {

constexpr std::string_view zstd_magic = "\x28\xb5\x2f\xfd";

struct GzClose {
  void operator()(gzFile_s* file) const { gzclose(file); }
};
using GzFile = std::unique_ptr<gzFile_s, GzClose>;

// zlib reads what is not gzip as it is.
Result<GzFile> open_gz(const std::string& path) {
  GzFile file(gzopen(path.c_str(), "rb"));
  if (!file) return Error{Code::io, "open " + path + ": " + std::strerror(errno)};
  gzbuffer(file.get(), 1u << 17);
  return file;
}

Result<std::size_t> read_some(gzFile_s* file, char* to, std::size_t size, const std::string& path) {
  const int got = gzread(file, to, static_cast<unsigned>(size));
  if (got < 0) {
    int code = 0;
    return Error{Code::corrupt, "read " + path + ": " + gzerror(file, &code)};
  }
  return static_cast<std::size_t>(got);
}

Result<std::string> unpack_zstd(const std::string& packed, const std::string& path) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  std::string out, chunk(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t left = 1;
  while (in.pos < in.size || left != 0) {
    ZSTD_outBuffer to{chunk.data(), chunk.size(), 0};
    const std::size_t before = in.pos;
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left)) return Error{Code::corrupt, "read " + path + ": " + ZSTD_getErrorName(left)};
    out.append(chunk.data(), to.pos);
    if (out.size() > archive_bytes_max) return Error{Code::full, "read " + path + ": more than 1 GiB unpacked"};
    if (to.pos == 0 && in.pos == before && left != 0) return Error{Code::corrupt, "read " + path + ": breaks off"};
  }
  return out;
}

Result<std::string> read_all(const std::string& path) {
  auto file = open_gz(path);
  if (!file) return std::move(file).error();
  std::string all;
  for (std::size_t got = 1; got > 0;) {
    const std::size_t at = all.size();
    all.resize(at + (1u << 18));
    const auto read = read_some(file->get(), all.data() + at, 1u << 18, path);
    if (!read) return read.error();
    got = *read;
    all.resize(at + got);
    if (all.size() > archive_bytes_max) return Error{Code::full, "read " + path + ": more than 1 GiB"};
  }
  return all.starts_with(zstd_magic) ? unpack_zstd(all, path) : Result<std::string>(std::move(all));
}

// POSIX ustar: blocks of 512 bytes, a header before each file, sizes in octal.
Result<std::vector<Member>> members_of(const std::string& tar, const std::string& path) {
  std::vector<Member> members;
  for (std::size_t at = 0; at + 512 <= tar.size() && tar[at] != '\0';) {
    const std::string_view header(tar.data() + at, 512);
    std::size_t size = 0;
    auto digits = header.substr(124, 11);
    digits.remove_prefix(std::min(digits.find_first_not_of(" 0"), digits.size()));
    std::from_chars(digits.data(), digits.data() + digits.size(), size, 8);
    at += 512;
    if (header.substr(257, 5) != "ustar" || size > tar.size() - at)
      return Error{Code::corrupt, "read " + path + ": no tar archive, or it breaks off"};
    const std::string name(header.substr(0, std::min<std::size_t>(header.find('\0'), 100)));
    const bool regular = header[156] == '0' || header[156] == '\0';
    if (regular) members.push_back({name.substr(name.rfind('/') + 1), tar.substr(at, size)});
    at += (size + 511) / 512 * 512;
  }
  return members;
}

}  // namespace

struct LineReader::State {
  std::string path;
  GzFile file;         // none: everything is in `buffer` already
  std::string buffer;  // [begin, size) is not yet read
  std::size_t begin = 0;
  bool ended = false;
};

LineReader::LineReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

Result<LineReader> LineReader::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  auto file = open_gz(path);
  if (!file) return std::move(file).error();
  std::string start(zstd_magic.size(), '\0');
  const auto got = read_some(file->get(), start.data(), start.size(), path);
  if (!got) return got.error();
  if (start == zstd_magic) {
    auto all = read_all(path);
    if (!all) return std::move(all).error();
    state->buffer = std::move(*all);
    state->ended = true;
  } else {
    state->buffer = start.substr(0, *got);
    state->file = std::move(*file);
  }
  return LineReader(std::move(state));
}

Result<bool> LineReader::next(std::string_view& line) {
  State& s = *state_;
  std::size_t searched = s.begin;
  while (true) {
    const std::size_t end = s.buffer.find('\n', searched);
    if (end != std::string::npos || (s.ended && s.begin < s.buffer.size())) {
      const std::size_t stop = std::min(end, s.buffer.size());
      line = std::string_view(s.buffer).substr(s.begin, stop - s.begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      s.begin = std::min(stop + 1, s.buffer.size());
      return true;
    }
    if (s.ended) return false;
    s.buffer.erase(0, s.begin);
    s.begin = 0;
    searched = s.buffer.size();
    if (searched > line_bytes_max) return Error{Code::corrupt, "read " + s.path + ": a line of more than 1 MiB"};
    s.buffer.resize(searched + (1u << 16));
    const auto got = read_some(s.file.get(), s.buffer.data() + searched, 1u << 16, s.path);
    if (!got) return got.error();
    s.buffer.resize(searched + *got);
    s.ended = *got == 0;
  }
}

Result<std::vector<Member>> read_members(const std::string& path) {
  std::vector<Member> members;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (!entry.is_regular_file()) continue;
      auto data = read_all(entry.path().string());
      if (!data) return std::move(data).error();
      members.push_back({entry.path().filename().string(), std::move(*data)});
    }
    if (error) return Error{Code::io, "read " + path + ": " + error.message()};
  } else {
    auto data = read_all(path);
    if (!data) return std::move(data).error();
    auto found = members_of(*data, path);
    if (!found) return std::move(found).error();
    members = std::move(*found);
  }
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
  return members;
}

}  // namespace edgelog::firmware

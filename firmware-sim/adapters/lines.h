#pragma once
// Text files line by line, plain or compressed by gzip or zstd (told by their first bytes), and tar archives.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace edgelog::firmware {

inline constexpr std::size_t line_bytes_max = 1u << 20;
inline constexpr std::size_t archive_bytes_max = 1u << 30;

class LineReader {
 public:
  static Result<LineReader> open(const std::string& path);
  LineReader(LineReader&&) noexcept;
  ~LineReader();

  // False at the end. The view, without its line end, is valid until the next call. Code::corrupt for a line that
  // is too long or a stream that breaks off.
  Result<bool> next(std::string_view& line);

 private:
  struct State;
  explicit LineReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Member {
  std::string name;  // without folders
  std::string data;
};
// The regular files of a directory or of a tar archive (plain, gzip, zstd), by name.
Result<std::vector<Member>> read_members(const std::string& path);

}  // namespace edgelog::firmware

#include "firmware-sim/adapters/ledger.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace edgelog::firmware {

Result<Ledger> Ledger::open(const std::string& path) {
  Ledger ledger;
  ledger.path_ = path;
  if (path.empty()) return ledger;
  ledger.file_.reset(std::fopen(path.c_str(), "we"));
  if (!ledger.file_) return Error{Code::io, "open " + path + ": " + std::strerror(errno)};
  return ledger;
}

void Ledger::line(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) failed_ = true;
}

void Ledger::made(std::string_view device, std::uint64_t boot, std::uint64_t number, std::string_view payload) {
  if (file_) line(fmt::format("made\t{}\t{}\t{}\t{}\n", device, boot, number, payload));
}

void Ledger::lost(std::string_view device, std::uint64_t boot, std::uint64_t first, std::uint64_t last) {
  if (file_) line(fmt::format("lost\t{}\t{}\t{}\t{}\n", device, boot, first, last));
}

Status Ledger::flush() {
  if (file_ && (std::fflush(file_.get()) != 0 || failed_))
    return Error{Code::io, "write " + path_ + ": " + std::strerror(errno)};
  return Ok{};
}

}  // namespace edgelog::firmware

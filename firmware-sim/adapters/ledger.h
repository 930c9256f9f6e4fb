#pragma once
// What devices made and lost, for whoever has to account for it afterwards: one line each, separated by tabs.
//   made  DEVICE  BOOT  NUMBER  PAYLOAD      before it is published for the first time
//   lost  DEVICE  BOOT  FIRST  LAST          the device had to forget them unconfirmed
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace edgelog::firmware {

class Ledger {
 public:
  static Result<Ledger> open(const std::string& path);  // empty: nothing is written
  Ledger(Ledger&&) noexcept = default;

  void made(std::string_view device, std::uint64_t boot, std::uint64_t number, std::string_view payload);
  void lost(std::string_view device, std::uint64_t boot, std::uint64_t first, std::uint64_t last);
  // Writes out what is buffered; an earlier failure shows here.
  Status flush();

 private:
  Ledger() = default;
  void line(const std::string& text);
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
  bool failed_ = false;
};

}  // namespace edgelog::firmware

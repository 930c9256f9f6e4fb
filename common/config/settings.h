#pragma once
// One table of settings per program. Each row says key, target, meaning and unit, and reason; the default is
// what the target holds when the row is added. From it are made: reading the TOML file, the flags
// (key "uplink.host" is table [uplink], host = ..., and --uplink-host), --help, --print-config (a sample file
// with every default) and --print-docs (Markdown). A flag beats the file, the file beats the default.
//
//   struct Config { std::string listen = "127.0.0.1:9092"; Duration linger = milliseconds(20); } config;
//   Settings settings({"edgelog-broker", "Keeps the log.", {"edgelog-broker --data /var/lib/edgelog"}});
//   settings.add("listen", config.listen, "host:port of Kafka's protocol", "loopback: safe by default");
//   if (auto code = settings.start(argc, argv)) return *code;
//
// Errors go to stderr, one a line, "file:line: key: expected ..., got ...", with exit code 2.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/config/quantity.h"
#include "common/config/table.h"

namespace edgelog::config {

inline constexpr int exit_bad_config = 2;

using Target =
    std::variant<std::string*, std::int64_t*, double*, bool*, Duration*, ByteSize*, std::vector<std::string>*>;

struct Setting {
  std::string key;
  Target target;
  std::string meaning;                    // what it is, with its unit where the value has none
  std::string reason;                     // why this default
  Range range = {};                       // of an integer, of a duration in nanoseconds, of a size in bytes
  std::vector<std::string> choices = {};  // of a string: nothing else is taken
  bool required = false;                  // of a string or list: may not stay empty
  std::string fallback = {};              // filled by add(): the default as TOML
};

struct Program {
  std::string name;
  std::string purpose;                // a sentence or two
  std::vector<std::string> examples;  // whole command lines, for --help
};

class Settings {
 public:
  explicit Settings(Program program);

  template <class T>
  Setting& add(std::string key, T& target, std::string meaning, std::string reason) {
    return add(Setting{std::move(key), Target{&target}, std::move(meaning), std::move(reason)});
  }
  // The reference is good until the next add(); for `add(...).range = {1, 64}`.
  Setting& add(Setting row);
  // A part of the file that `read` takes apart itself, such as [[input]]; `sample` stands in --print-config.
  // It is called even when the file has no such part, and its Table is the file's root. What it refuses counts
  // as any other error; a Status that fails is one more.
  void nested(std::string sample, std::function<Status(const Table& root)> read);
  // Checks that concern several settings; called last, after all were read without complaint.
  void check(std::function<Status()> check) { checks_.push_back(std::move(check)); }

  // What main does first. Reads flags and file into the targets. Gives the code to exit with when the program
  // shall not run: 0 after --help, --version, --print-config, --print-docs and a good --check-config; 2 after
  // errors. Also starts the log at `log_level`.
  std::optional<int> start(int argc, const char* const* argv);

  // The pieces of start(), for tests.
  Status read(const Document& document, const std::vector<std::pair<std::string, std::string>>& flags);
  std::string help() const;
  std::string sample() const;
  std::string markdown() const;
  const std::vector<Setting>& rows() const { return rows_; }
  const std::string& log_level() const { return log_level_; }

 private:
  Status set_flag(const std::string& key, const std::string& text);
  int print(const std::string& what) const;

  Program program_;
  std::string log_level_ = "info";
  std::vector<Setting> rows_;
  std::vector<std::pair<std::string, std::function<Status(const Table&)>>> nested_;
  std::vector<std::function<Status()>> checks_;
};

// "--uplink-host" for "uplink.host".
std::string flag_of(std::string_view key);

}  // namespace edgelog::config

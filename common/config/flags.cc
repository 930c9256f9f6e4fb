#include "common/config/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

namespace edgelog::config {
namespace {

// CLI11 takes what follows for the value of "--data=": an empty one is an argument of its own.
std::vector<std::string> spelled_out(int argc, const char* const* argv) {
  std::vector<std::string> all;
  for (int i = 1; i < argc; ++i) {
    std::string one = argv[i];
    const bool empty = one.starts_with("--") && one.size() > 3 && one.find('=') == one.size() - 1;
    if (empty) one.pop_back();
    all.push_back(std::move(one));
    if (empty) all.emplace_back();
  }
  return all;
}

}  // namespace

Result<Flags> parse_flags(const std::vector<FlagSpec>& specs, int argc, const char* const* argv) {
  CLI::App app;
  app.set_help_flag();  // ours is made from the table of settings
  Flags flags;
  app.add_option("--config", flags.config_file);
  app.add_flag("--check-config", flags.check);
  app.add_flag("--help,-h", flags.help);
  app.add_flag("--version", flags.version);
  app.add_flag("--print-config", flags.print_config);
  app.add_flag("--print-docs", flags.print_docs);
  std::deque<std::vector<std::string>> texts(specs.size());
  const auto names = [](const FlagSpec& spec) {  // --a-b; --a_b, as the file has it, will do too
    auto other = "--" + spec.key;
    std::replace(other.begin(), other.end(), '.', '-');
    return other == spec.flag ? other : spec.flag + "," + other;
  };
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].is_switch) {
      app.add_flag_callback(names(specs[i]), [] {})
          ->disable_flag_override(false)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    } else {
      app.add_option(names(specs[i]), texts[i])
          ->expected(1)
          ->multi_option_policy(specs[i].repeats ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    }
  }
  try {
    auto arguments = spelled_out(argc, argv);
    std::reverse(arguments.begin(), arguments.end());  // CLI11's wish
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return Error{Code::invalid, error.what()};
  }
  for (const FlagSpec& spec : specs) {
    const auto* option = app.get_option(spec.flag);
    if (option->count() > 0) flags.values.emplace_back(spec.key, fmt::format("{}", fmt::join(option->results(), ",")));
  }
  return flags;
}

}  // namespace edgelog::config

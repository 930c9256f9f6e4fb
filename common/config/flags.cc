#include "common/config/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

namespace edgelog::config {

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
    app.parse(argc, argv);
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

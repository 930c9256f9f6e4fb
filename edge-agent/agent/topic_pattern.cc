#include "edge-agent/agent/topic_pattern.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgelog::agent {
namespace {

constexpr std::size_t levels_max = 32;

// The level at the front of `rest`, which is cut off with its slash.
std::string_view next_level(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view level = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  return level;
}

}  // namespace

Result<TopicPattern> TopicPattern::parse(std::string_view text) {
  TopicPattern pattern;
  pattern.text_ = text;
  bool many = false;
  std::string_view rest = text;
  do {
    const std::string_view level = next_level(rest);
    Level parsed{Level::Kind::literal, std::string(level)};
    if (level.size() >= 2 && level.front() == '{' && level.back() == '}') {
      parsed.text = level.substr(1, level.size() - 2);
      parsed.kind = Level::Kind::one;
      if (parsed.text.ends_with("...")) {
        parsed.text.resize(parsed.text.size() - 3);
        parsed.kind = Level::Kind::many;
        if (std::exchange(many, true)) return Error{Code::invalid, fmt::format("'{}': more than one '...'", text)};
      }
      if (pattern.has(parsed.text)) return Error{Code::invalid, fmt::format("'{}': a name twice", text)};
    }
    if (parsed.text.empty()) return Error{Code::invalid, fmt::format("'{}': an empty level or name", text)};
    if (parsed.text.find_first_of("+#{}") != std::string::npos)
      return Error{Code::invalid, fmt::format("'{}': '+', '#' and braces within a level have no meaning here", text)};
    pattern.levels_.push_back(std::move(parsed));
  } while (!rest.empty() && pattern.levels_.size() < levels_max);
  if (!rest.empty() || text.ends_with('/')) return Error{Code::invalid, fmt::format("'{}': malformed", text)};
  return pattern;
}

bool TopicPattern::has(std::string_view name) const {
  return std::any_of(levels_.begin(), levels_.end(),
                     [&](const Level& l) { return l.kind != Level::Kind::literal && l.text == name; });
}

bool TopicPattern::match(std::string_view topic, Captures& captures) const {
  captures.values.clear();
  const auto count = 1 + static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/'));
  if (count < levels_.size()) return false;
  std::string_view rest = topic;
  for (const Level& level : levels_) {
    const std::string_view before = rest;
    std::string_view value = next_level(rest);
    if (level.kind == Level::Kind::literal) {
      if (value != level.text) return false;
      continue;
    }
    if (level.kind == Level::Kind::many) {
      // It takes what the levels after it leave over.
      for (std::size_t extra = count - levels_.size(); extra > 0; --extra) {
        const std::string_view more = next_level(rest);
        value = before.substr(0, static_cast<std::size_t>(more.data() + more.size() - before.data()));
      }
    } else if (value.empty()) {
      return false;
    }
    captures.values.emplace_back(level.text, value);
  }
  const bool many =
      std::any_of(levels_.begin(), levels_.end(), [](const Level& l) { return l.kind == Level::Kind::many; });
  return many || count == levels_.size();
}

std::string TopicPattern::filter() const {
  std::string filter;
  for (const Level& level : levels_) {
    if (!filter.empty()) filter += '/';
    if (level.kind == Level::Kind::many) return filter + "#";
    filter += level.kind == Level::Kind::one ? "+" : level.text;
  }
  return filter;
}

}  // namespace edgelog::agent

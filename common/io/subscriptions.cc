#include "common/io/subscriptions.h"

#include <fmt/format.h>

namespace edgelog::io {

bool Subscriptions::add(const std::string& filter) { return filters_.insert(filter).second; }

bool Subscriptions::remove(const std::string& filter) {
  unanswered_.erase(filter);
  refused_.erase(filter);
  return filters_.erase(filter) > 0;
}

void Subscriptions::begin() {
  refused_.clear();
  told_.clear();
  unanswered_.clear();
}

void Subscriptions::asked(const std::vector<std::string>& filters) {
  unanswered_.insert(filters.begin(), filters.end());
}

bool Subscriptions::answered(const std::string& filter, int reason) {
  const bool wanted = filters_.contains(filter);
  if (wanted && reason == unknown_reason) return true;
  unanswered_.erase(filter);
  refused_.erase(filter);
  if (wanted && reason >= first_failure_reason) refused_[filter] = reason;
  return false;
}

std::vector<std::string> Subscriptions::refused() const {
  std::vector<std::string> out;
  for (const auto& [filter, reason] : refused_) out.push_back(filter);
  return out;
}

std::optional<Refusals> Subscriptions::news() {
  if (!all_answered() || refused_ == told_) return std::nullopt;
  told_ = refused_;
  Refusals out{{}, refused()};
  if (!refused_.empty())
    out.sentence = fmt::format("{} of {} refused, such as {} (reason {:#x})", refused_.size(), filters_.size(),
                               refused_.begin()->first, refused_.begin()->second);
  return out;
}

}  // namespace edgelog::io

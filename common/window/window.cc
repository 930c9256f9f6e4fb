#include "common/window/window.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::window {

Duration wait_after(const Backoff& backoff, std::uint32_t sendings, Prng& random) {
  const std::uint32_t doublings = std::min(sendings == 0 ? 0U : sendings - 1, 20U);
  const std::int64_t whole = std::min(backoff.first.value() << doublings, backoff.most.value());
  return Duration{whole - whole / 4 + random.between(0, whole / 2)};
}

void Window::set_limit(std::uint32_t limit) {
  ASSERT(limit > 0);
  limit_ = limit;
}

std::uint64_t Window::admit() {
  items_.push_back({});
  return end() - 1;
}

void Window::restart(std::uint64_t next) {
  items_.clear();
  begin_ = next;
}

std::optional<std::uint64_t> Window::due(Instant now) const {
  std::uint32_t unanswered = 0;
  for (std::size_t i = 0; i < items_.size() && unanswered < limit_; ++i) {
    const Item& item = items_[i];
    if (item.answered) continue;
    ++unanswered;
    if (!item.held && item.due <= now) return begin_ + i;
  }
  return std::nullopt;
}

void Window::sent(std::uint64_t number, Instant now) {
  Item* item = find(number);
  ASSERT(item != nullptr && !item->answered);
  ++item->sendings;
  item->due = now + wait_after(backoff_, item->sendings, random_);
}

std::uint32_t Window::sendings(std::uint64_t number) const {
  const Item* item = find(number);
  return item == nullptr ? 0 : item->sendings;
}

bool Window::answered(std::uint64_t number) {
  Item* item = find(number);
  if (item == nullptr || item->answered) return false;
  item->answered = true;
  for (auto& other : items_) {
    if (other.held) other.due = Instant{};
    other.held = false;
  }
  settle();
  return true;
}

std::size_t Window::answered_through(std::uint64_t number) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < items_.size() && begin_ + i <= number; ++i) {
    count += items_[i].answered ? 0 : 1;
    items_[i].answered = true;
  }
  if (count > 0) {
    for (auto& other : items_) other.held = false;
    settle();
  }
  return count;
}

bool Window::is_answered(std::uint64_t number) const {
  const Item* item = find(number);
  return number < begin_ || (item != nullptr && item->answered);
}

void Window::resend(std::uint64_t number) {
  Item* item = find(number);
  if (item == nullptr) return;
  item->due = Instant{};
  item->held = false;
}

void Window::resend_all() {
  for (auto& item : items_) {
    item.due = Instant{};
    item.held = false;
  }
}

void Window::defer(std::uint64_t number) {
  if (Item* item = find(number); item != nullptr) item->due = never;
}

void Window::hold(std::uint64_t number) {
  Item* item = find(number);
  if (item != nullptr && number != begin_) item->held = true;
}

Instant Window::deadline() const {
  Instant first = never;
  std::uint32_t unanswered = 0;
  for (std::size_t i = 0; i < items_.size() && unanswered < limit_; ++i) {
    const Item& item = items_[i];
    if (item.answered) continue;
    ++unanswered;
    if (!item.held) first = std::min(first, item.due);
  }
  return first;
}

Window::Item* Window::find(std::uint64_t number) {
  if (number < begin_ || number >= end()) return nullptr;
  return &items_[static_cast<std::size_t>(number - begin_)];
}

void Window::settle() {
  while (!items_.empty() && items_.front().answered) {
    items_.pop_front();
    ++begin_;
  }
  // W3: what stands first has nothing older to wait for.
  if (!items_.empty()) items_.front().held = false;
}

}  // namespace edgelog::window

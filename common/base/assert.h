#pragma once
// ASSERT states what the code believes; it stays on in release. A failed one is our bug, never the
// world's: it prints the expression and the place and aborts, so that a supervisor restarts us from
// what is on disk.

namespace edgelog::detail {
[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;
}  // namespace edgelog::detail

#define ASSERT(expression) \
  (static_cast<bool>(expression) ? void() : ::edgelog::detail::assert_failed(#expression, __FILE__, __LINE__))
#define UNREACHABLE() ::edgelog::detail::assert_failed("unreachable", __FILE__, __LINE__)

#include "common/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace edgelog::detail {

void assert_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "ASSERT failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace edgelog::detail

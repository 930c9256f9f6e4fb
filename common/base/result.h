#pragma once
// What an operation gives that the world may refuse. A broken belief is not an Error; it is an ASSERT.
#include <string>
#include <utility>
#include <variant>

#include "common/base/assert.h"

namespace edgelog {

enum class Code : unsigned char { io, corrupt, not_found, exists, invalid, full, timeout, closed, unsupported, locked };

// Why an operation failed. `what` names operation and object, and the reason as the world gave it:
// "open /var/lib/edgelog/00000.log: No space left on device". The caller acts on `code`.
struct [[nodiscard]] Error {
  Code code;
  std::string what;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return value_.index() == 0; }
  T& operator*() & { return get(); }
  const T& operator*() const& { return const_cast<Result*>(this)->get(); }
  T&& operator*() && { return std::move(get()); }
  T* operator->() { return &get(); }
  const T* operator->() const { return &const_cast<Result*>(this)->get(); }
  const Error& error() const& {
    ASSERT(value_.index() == 1);
    return *std::get_if<1>(&value_);
  }
  Error&& error() && {
    ASSERT(value_.index() == 1);
    return std::move(*std::get_if<1>(&value_));
  }

 private:
  T& get() {
    ASSERT(value_.index() == 0);
    return *std::get_if<0>(&value_);
  }
  std::variant<T, Error> value_;
};

struct Ok {};
using Status = Result<Ok>;

}  // namespace edgelog

// Hands an error to the caller: TRY(disk.write(...)); or auto x = TRY_VALUE is deliberately absent,
// since it needs a statement expression: write the two lines.
#define TRY(expression)                                                        \
  do {                                                                         \
    if (auto tried_ = (expression); !tried_) return std::move(tried_).error(); \
  } while (false)

#pragma once
// A message as text, for logs and failing tests: values in the order of the schema, structs in braces,
// bytes in hex (the first 64 of many).
#include <string>

#include "common/wire/codec.h"

namespace edgelog::wire {

class Printer {
 public:
  explicit Printer(Version version, std::size_t bytes_max = 64) : version_(version), bytes_max_(bytes_max) {}
  std::string take() { return std::move(out_); }

  template <class T>
  void field(const T& f, Versions in = always, Nullable = never_null) {
    if (!in.has(version_)) return;
    separate();
    print(f);
  }
  template <class... T>
  void tags(Tagged<T>... known) {
    ((known.in.has(version_) ? (separate(), print(known.value)) : void()), ...);
  }
  template <class M>
  void message(const M& m) {
    open('{');
    M::describe(*this, m);
    close('}');
  }

 private:
  template <class T>
  void print(const T& f) {
    if constexpr (std::is_same_v<T, bool>)
      out_ += f ? "true" : "false";
    else if constexpr (std::is_enum_v<T>)
      out_ += std::to_string(static_cast<std::underlying_type_t<T>>(f));
    else if constexpr (std::is_arithmetic_v<T>)
      out_ += std::to_string(f);
    else if constexpr (detail::is_strong<T>)
      out_ += std::to_string(f.value());
    else if constexpr (std::is_same_v<T, Uuid> || std::is_same_v<T, Bytes>)
      hex(f);
    else if constexpr (std::is_same_v<T, std::string>)
      quoted(f);
    else if constexpr (detail::is_optional<T>)
      f ? print(*f) : void(out_ += "null");
    else if constexpr (detail::is_vector<T>)
      list(f);
    else
      message(f);
  }
  template <class T>
  void list(const std::vector<T>& items) {
    open('[');
    for (const T& item : items) {
      separate();
      print(item);
    }
    close(']');
  }
  void hex(Bytes bytes);
  void quoted(const std::string& text);
  void separate() {
    if (!first_) out_ += ", ";
    first_ = false;
  }
  void open(char brace) {
    out_ += brace;
    first_ = true;
  }
  void close(char brace) {
    out_ += brace;
    first_ = false;
  }

  std::string out_;
  Version version_;
  std::size_t bytes_max_;
  bool first_ = true;
};

template <class M>
std::string to_text(const M& m, Version version) {
  Printer printer(version);
  printer.message(m);
  return printer.take();
}

}  // namespace edgelog::wire

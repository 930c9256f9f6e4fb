#pragma once
// A read-only view of a TOML file that remembers what was asked for. Getters give the value or the default
// and write down what is wrong; Document::finish() gives all of it at once, each line
// "file:line: key: expected ...", and names every key that nobody asked for. So reading is plain code:
//
//   auto document = Document::from_file("agent.toml");
//   for (Table input : document->root().tables("input")) port = input.integer("port", 1883, {1, 65535});
//   TRY(document->finish());
//
// A Table keeps its document alive. One thread at a time. toml++ stands behind it, in table.cc only.
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/config/quantity.h"

namespace edgelog::config {

struct Range {
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

using Scalar = std::variant<std::string, std::int64_t, double, bool>;

class Table {
 public:
  // In the order of the file.
  std::vector<std::string> keys() const;
  bool has(std::string_view key) const;
  // True if the file has this table; one that is absent gives defaults everywhere.
  bool present() const { return node_ != nullptr; }
  // "input[1].port": how messages name a key of this table.
  std::string path(std::string_view key) const;

  std::string text(std::string_view key, std::string fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, Range range = {}) const;
  double number(std::string_view key, double fallback) const;  // an integer will do
  bool boolean(std::string_view key, bool fallback) const;
  Duration duration(std::string_view key, Duration fallback) const;  // "20ms"
  ByteSize bytes(std::string_view key, ByteSize fallback) const;     // 65536 or "64KiB"
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback) const;
  std::vector<double> numbers(std::string_view key, std::vector<double> fallback) const;
  // One of `allowed`; messages list them.
  std::string choice(std::string_view key, std::string fallback, const std::vector<std::string>& allowed) const;
  std::optional<Scalar> scalar(std::string_view key) const;  // whatever simple value stands there

  // As above, and it is an error that the key is absent ("" and 0 are returned then).
  std::string required_text(std::string_view key) const;
  std::int64_t required_integer(std::string_view key, Range range = {}) const;
  double required_number(std::string_view key) const;

  Table table(std::string_view key) const;                // [key]; absent: present() is false
  std::vector<Table> tables(std::string_view key) const;  // [[key]], in order; absent: none
  // [key.NAME] for every NAME, in the order of the file.
  std::vector<std::pair<std::string, Table>> named_tables(std::string_view key) const;

  // What the caller finds wrong with a value: "expected " + `expected` at the key's line.
  void refuse(std::string_view key, std::string_view expected) const;
  // Says that this table is read elsewhere, all of it.
  void ignore(std::string_view key) const;

 private:
  friend class Document;
  Table(std::shared_ptr<struct DocumentState> state, const void* node, std::string prefix)
      : state_(std::move(state)), node_(node), prefix_(std::move(prefix)) {}
  const void* find(std::string_view key) const;
  void wrong(std::string_view key, const void* node, std::string_view expected) const;
  void missing(std::string_view key, std::string_view expected) const;

  std::shared_ptr<struct DocumentState> state_;
  const void* node_;  // toml::table
  std::string prefix_;
};

class Document {
 public:
  // Code::io if it cannot be read, Code::invalid if it is no TOML ("file:line: expected ...").
  static Result<Document> from_file(const std::string& path);
  static Result<Document> from_text(std::string_view text, const std::string& name);
  static Document empty(const std::string& name);

  Table root() const;
  // All complaints since the beginning, those about unread keys included; Ok if there are none.
  Status finish() const;

 private:
  explicit Document(std::shared_ptr<DocumentState> state) : state_(std::move(state)) {}
  std::shared_ptr<DocumentState> state_;
};

}  // namespace edgelog::config

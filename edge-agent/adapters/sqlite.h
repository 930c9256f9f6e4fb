#pragma once
// A thin owner of SQLite's handles: a connection and its prepared statements, failures as Result. SQLite
// itself is included in sqlite.cc (and in the tests' own VFS) only. One thread at a time.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace edgelog::agent {

// A prepared statement. Bind from 1, step until it gives false; then reset() before the next use. Columns
// from 0, valid until the next step or reset; a blob's view too.
class Statement {
 public:
  Statement() = default;
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, Bytes blob);  // not copied: must live until reset()
  Statement& bind(int index, std::string_view text);
  Statement& bind_null(int index);
  Result<bool> step();  // true: there is a row
  Status run();         // steps to the end and resets
  void reset();

  std::int64_t integer(int column) const;
  Bytes blob(int column) const;
  std::string_view text(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  // `vfs`: a registered SQLite VFS, empty for the system's. Creates the file if `create`. SQL has row_crc(value...),
  // the CRC-32C of integers (64 bits, big-endian), texts and blobs (length as an integer, then the bytes), each after
  // a byte with SQLite's number of its type.
  static Result<Database> open(const std::string& path, bool create, const std::string& vfs = {});
  Status execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> pragma(const char* sql);  // the first column of the first row
  // Copies the WAL into the database, as far as it goes; then the WAL begins again from its start.
  Status checkpoint();
  // Pages in the WAL since it last began from its start, as of the last commit.
  std::int64_t wal_pages() const { return *wal_pages_; }
  bool in_transaction() const;
  std::int64_t changes() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<std::int64_t> wal_pages_ = std::make_unique<std::int64_t>(0);
  std::unique_ptr<sqlite3, Close> handle_;
};

// Once per process, before the first open: memory limits, no allocation statistics.
void configure_sqlite();

}  // namespace edgelog::agent

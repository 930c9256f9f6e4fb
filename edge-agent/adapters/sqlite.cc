#include "edge-agent/adapters/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <span>

#include "common/base/assert.h"
#include "common/record/crc32c.h"

namespace edgelog::agent {
namespace {

Code code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL: return Code::full;
    case SQLITE_ERROR:  // all SQL is ours and fixed: where it does not fit, the schema is not what it was
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT: return Code::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::locked;
    case SQLITE_CANTOPEN: return Code::not_found;
    case SQLITE_TOOBIG: return Code::invalid;
    default: return Code::io;
  }
}

// A header that forbids writing, in a file that may be written.
bool forbids_writing(const char* file, int result) {
  return result == SQLITE_READONLY && file != nullptr && access(file, W_OK) == 0;
}

Error error_of(sqlite3* database, int result, std::string_view operation) {
  const char* file = database == nullptr ? nullptr : sqlite3_db_filename(database, "main");
  const Code code = forbids_writing(file, result) ? Code::corrupt : code_of(result);
  return Error{code, fmt::format("{} {}: {} (SQLite {})", operation, file == nullptr ? "" : file,
                                 database == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database),
                                 database == nullptr ? result : sqlite3_extended_errcode(database))};
}

std::uint32_t crc_of(std::int64_t value, std::uint32_t so_far) {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(value >> (56 - 8 * i));
  return record::crc32c(bytes, so_far);
}

void row_crc(sqlite3_context* context, int count, sqlite3_value** values) {
  std::uint32_t crc = 0;
  for (sqlite3_value* value : std::span(values, static_cast<std::size_t>(count))) {
    const int type = sqlite3_value_type(value);
    const std::array kind = {static_cast<std::byte>(type)};
    crc = record::crc32c(kind, crc);
    if (type == SQLITE_INTEGER) crc = crc_of(sqlite3_value_int64(value), crc);
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) continue;
    const auto* data = static_cast<const std::byte*>(sqlite3_value_blob(value));
    const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
    crc = record::crc32c({data, size}, crc_of(static_cast<std::int64_t>(size), crc));
  }
  sqlite3_result_int64(context, crc);
}

}  // namespace

void configure_sqlite() {
  // Refused (SQLITE_MISUSE) once SQLite has begun, which is harmless.
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Statement& Statement::bind(int index, std::int64_t value) {
  const int result = sqlite3_bind_int64(handle_.get(), index, value);
  ASSERT(result == SQLITE_OK);
  return *this;
}
Statement& Statement::bind(int index, Bytes blob) {
  const void* data = blob.empty() ? "" : static_cast<const void*>(blob.data());
  const int result = sqlite3_bind_blob64(handle_.get(), index, data, blob.size(), SQLITE_STATIC);
  ASSERT(result == SQLITE_OK);
  return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  const int result = sqlite3_bind_text64(handle_.get(), index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  ASSERT(result == SQLITE_OK);
  return *this;
}
Statement& Statement::bind_null(int index) {
  const int result = sqlite3_bind_null(handle_.get(), index);
  ASSERT(result == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int result = sqlite3_step(handle_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  Error error = error_of(sqlite3_db_handle(handle_.get()), result, "step");
  sqlite3_reset(handle_.get());
  return error;
}

Status Statement::run() {
  while (true) {
    auto row = step();
    if (!row) return std::move(row).error();
    if (!*row) break;
  }
  reset();
  return Ok{};
}

void Statement::reset() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
bool Statement::is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
Bytes Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(handle_.get(), column);
  return {static_cast<const std::byte*>(data), static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}
std::string_view Statement::text(int column) const { return as_text(blob(column)); }

Result<Database> Database::open(const std::string& path, bool create, const std::string& vfs) {
  // No mutex: one thread at a time is our contract, not SQLite's work.
  const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX;
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags, vfs.empty() ? nullptr : vfs.c_str());
  Database database;
  database.handle_.reset(raw);
  if (result != SQLITE_OK) return error_of(raw, result, "open");
  sqlite3_extended_result_codes(raw, 1);
  // Instead of SQLite's own hook, which would checkpoint by itself.
  sqlite3_wal_hook(
      raw,
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<std::int64_t*>(pages) = count;
        return SQLITE_OK;
      },
      database.wal_pages_.get());
  const int function = sqlite3_create_function_v2(raw, "row_crc", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                                                  row_crc, nullptr, nullptr, nullptr);
  if (function != SQLITE_OK) return error_of(raw, function, "open");
  return database;
}

Status Database::execute(const char* sql) {
  const int result = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return error_of(handle_.get(), result, std::string_view(sql).substr(0, 60));
  return Ok{};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (result != SQLITE_OK) return error_of(handle_.get(), result, sql);
  Statement statement;
  statement.handle_.reset(raw);
  return statement;
}

Result<std::int64_t> Database::pragma(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->step();
  if (!row) return std::move(row).error();
  return *row ? statement->integer(0) : 0;
}

Status Database::checkpoint() {
  const int result = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (result != SQLITE_OK) return error_of(handle_.get(), result, "checkpoint");
  return Ok{};
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
std::int64_t Database::changes() const { return sqlite3_changes64(handle_.get()); }

}  // namespace edgelog::agent

// Batches whose bytes are not what was written: LogStore::set_damaged_aside.
#include <limits>
#include <vector>

#include "common/record/check.h"
#include "edge-agent/adapters/log_store.h"

namespace edgelog::agent {
namespace {

// Set aside with the code by which Kafka would refuse it.
constexpr std::int64_t corrupt_message = static_cast<std::int64_t>(record::Fault::corrupt_message);

// An empty one is damaged and set aside already.
Result<std::vector<std::int64_t>> damaged_keys(Database& database) {
  auto select = database.prepare("SELECT k, data FROM batches WHERE length(data) > 0 ORDER BY k");
  if (!select) return std::move(select).error();
  std::vector<std::int64_t> keys;
  while (true) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return keys;
    if (!is_whole(select->blob(1))) keys.push_back(select->integer(0));
  }
}

Status move_bytes(Database& database, const std::vector<std::int64_t>& keys) {
  auto keep = database.prepare(
      "INSERT INTO set_aside (k, error, head, data) SELECT k, ?2, head, data FROM batches WHERE k = ?1");
  if (!keep) return std::move(keep).error();
  auto empty = database.prepare("UPDATE batches SET data = x'' WHERE k = ?1");
  if (!empty) return std::move(empty).error();
  for (const std::int64_t key : keys) {
    TRY(keep->bind(1, key).bind(2, corrupt_message).run());
    TRY(empty->bind(1, key).run());
  }
  return Ok{};
}

}  // namespace

bool is_whole(Bytes batch) {
  record::Limits limits;
  limits.batch_bytes_max = std::numeric_limits<std::size_t>::max();
  return static_cast<bool>(record::check(batch, limits));
}

Result<std::int64_t> LogStore::set_damaged_aside() {
  TRY(database_.execute("PRAGMA shrink_memory"));  // a page that was misread may be held still
  auto keys = damaged_keys(database_);
  if (!keys) return std::move(keys).error();
  if (keys->empty()) return std::int64_t{0};
  TRY(database_.execute("BEGIN IMMEDIATE"));
  auto moved = move_bytes(database_, *keys);
  if (moved) moved = trim_set_aside();
  if (moved) moved = database_.execute("COMMIT");
  if (moved) return static_cast<std::int64_t>(keys->size());
  if (database_.in_transaction()) TRY(database_.execute("ROLLBACK"));
  return std::move(moved).error();
}

Status LogStore::trim_set_aside() {
  auto trim = database_.prepare(
      "DELETE FROM set_aside WHERE n <= (SELECT max(n) FROM (SELECT n, sum(length(data)) OVER (ORDER BY n DESC) AS "
      "bytes FROM set_aside) WHERE bytes > ?1)");
  if (!trim) return std::move(trim).error();
  return trim->bind(1, options_.set_aside_bytes_max).run();
}

}  // namespace edgelog::agent

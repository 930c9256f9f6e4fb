#pragma once
// The statements by which rows of the agent's log are written and read. Each row has a checksum of its key and
// columns, `crc`, since SQLite has none (docs/FORMATS.md, "The agent's log"); the function row_crc is of sqlite.h.
// A column `whole` says whether it is as it was written: 0 or NULL, it is not.
namespace edgelog::agent::log_sql {

inline constexpr const char* put_state =
    "INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4, row_crc(?1, ?2, ?3, ?4))";
inline constexpr const char* put_run = "INSERT OR REPLACE INTO runs VALUES (?1, ?2, ?3, row_crc(?1, ?2, ?3, ?4), ?4)";
// Of a batch, key and head: its bytes have a CRC of their own.
inline constexpr const char* put_batch = "INSERT OR REPLACE INTO batches VALUES (?1, ?2, row_crc(?1, ?2), ?3)";
inline constexpr const char* put_head = "UPDATE batches SET head = ?2, crc = row_crc(?1, ?2) WHERE k = ?1";
inline constexpr const char* put_source =
    "INSERT OR REPLACE INTO sources VALUES (?1, ?2, ?3, ?4, ?5, row_crc(?1, ?2, ?3, ?4, ?5))";
inline constexpr const char* put_recent =
    "INSERT OR REPLACE INTO recents VALUES (?1, ?2, ?3, ?4, ?5, row_crc(?1, ?2, ?3, ?4, ?5))";

// kind, stream, id, row, whole
inline constexpr const char* all_state =
    "SELECT kind, stream, id, row, crc = row_crc(kind, stream, id, row) FROM state";
// input, device, incarnation, last, used, whole
inline constexpr const char* all_sources =
    "SELECT input, device, incarnation, last, used, crc = row_crc(input, device, incarnation, last, used) FROM sources";
// input, device, slot, number, hash, whole
inline constexpr const char* all_recents =
    "SELECT input, device, slot, number, hash, crc = row_crc(input, device, slot, number, hash) FROM recents";
// k, last, base_time, events, whole
inline constexpr const char* all_runs =
    "SELECT k, last, base_time, events, crc = row_crc(k, last, base_time, events) FROM runs";

}  // namespace edgelog::agent::log_sql

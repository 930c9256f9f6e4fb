#pragma once
// What stands in an agent's log, to be compared.
#include <string>

#include "edge-agent/adapters/sqlite.h"

namespace edgelog::agent {

// Every row of the log, byte for byte, but for the batches' own bytes.
inline std::string dump_rows(Database& database) {
  std::string out;
  for (const char* sql :
       {"SELECT kind || ',' || stream || ',' || id || ',' || hex(row) FROM state ORDER BY kind, stream, id",
        "SELECT k || ',' || last || ',' || base_time || ',' || hex(events) FROM runs ORDER BY k",
        "SELECT k || ',' || hex(head) FROM batches ORDER BY k",
        "SELECT input || ',' || device || ',' || incarnation || ',' || last || ',' || used FROM sources ORDER BY 1",
        "SELECT input || ',' || device || ',' || slot || ',' || number || ',' || hash FROM recents ORDER BY 1"}) {
    auto rows = database.prepare(sql);
    if (!rows) return rows.error().what;
    while (true) {
      auto row = rows->step();
      if (!row) return row.error().what;
      if (!*row) break;
      out.append(rows->text(0)).append("\n");
    }
  }
  return out;
}

}  // namespace edgelog::agent

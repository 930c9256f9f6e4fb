#pragma once
// Asks the log on behalf of looks: the range of a partition, and pieces of it, of which it decodes the
// first records of the batches that somebody looks for. Owner's thread only.
#include <cstddef>
#include <functional>

#include "common/client/client.h"
#include "common/record/batch.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

struct ReaderConfig {
  std::size_t plain_bytes_max = 4 << 20;         // of one batch, decompressed; above that of any honest one
  std::size_t piece_plain_bytes_max = 16 << 20;  // of all that one piece decompresses: then the piece ends
};

class Reader {
 public:
  explicit Reader(client::Client& client, ReaderConfig config = {}) : config_(config), client_(client) {}
  void ask(const AskRange& what, std::function<void(RangeKnown)> done);
  void read(const Read& what, std::function<void(RangeRead)> done);

 private:
  RangeRead scan(const Read& what, const client::FetchResult& fetched);

  const ReaderConfig config_;
  client::Client& client_;
  record::Scratch scratch_;
};

}  // namespace edgelog::gateway

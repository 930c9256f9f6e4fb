#pragma once
// Asks the log on behalf of looks: the range of a partition, and pieces of it, of which it decodes the
// first records of the batches that somebody looks for. Owner's thread only.
#include <functional>

#include "common/client/client.h"
#include "common/record/batch.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

class Reader {
 public:
  explicit Reader(client::Client& client) : client_(client) {}
  void ask(const AskRange& what, std::function<void(RangeKnown)> done);
  void read(const Read& what, std::function<void(RangeRead)> done);

 private:
  RangeRead scan(const Read& what, const client::FetchResult& fetched);

  client::Client& client_;
  record::Scratch scratch_;
};

}  // namespace edgelog::gateway

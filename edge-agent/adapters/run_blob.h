#pragma once
// The column `events` of the table `runs`: a byte that says how, Kafka's number of a compression, and the run's
// bytes. A few events weigh less than the page that they dirty; many of one kind compress to an eighth.
#include "common/record/compress.h"

namespace edgelog::agent {

class RunBlob {
 public:
  // The blob, valid until the next call.
  Bytes pack(Bytes events);
  // The events, valid until the next call. Code::corrupt if it is none.
  Result<Bytes> unpack(Bytes blob);

 private:
  record::Compressor compressor_;
  record::Decompressor decompressor_;
  Buffer packed_, scratch_;
};

}  // namespace edgelog::agent

#include "cloud-broker/log/manifest.h"

#include "common/wire/codec.h"

namespace edgelog::broker::disklog {
namespace {

template <class T>
Buffer encoded(const T& value) {
  Buffer out;
  wire::Encoder encoder(out, 0, false);
  T::describe(encoder, value);
  return out;
}
template <class T>
bool decoded(Bytes in, T& value) {
  wire::Decoder decoder(in, 0, false);
  T::describe(decoder, value);
  return decoder.ok() && decoder.left() == 0;
}

}  // namespace

Buffer encode(const Manifest& manifest) { return encoded(manifest); }
Buffer encode(const Checkpoint& checkpoint) { return encoded(checkpoint); }
bool decode(Bytes in, Manifest& out) { return decoded(in, out) && !out.segments.empty(); }
bool decode(Bytes in, Checkpoint& out) { return decoded(in, out); }

}  // namespace edgelog::broker::disklog

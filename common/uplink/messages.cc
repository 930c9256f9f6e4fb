#include "common/uplink/messages.h"

namespace edgelog::uplink {
namespace {

template <class M>
Buffer encode_message(const M& message) {
  Buffer out;
  wire::Encoder encoder(out, 0, false);
  M::describe(encoder, message);
  return out;
}

template <class M>
bool decode_message(Bytes in, M& message) {
  if (in.empty() || static_cast<std::int8_t>(in[0]) != version) return false;
  wire::Decoder decoder(in, 0, false);
  M::describe(decoder, message);
  return decoder.ok() && decoder.left() == 0;
}

}  // namespace

Buffer encode(const LookRequest& m) { return encode_message(m); }
Buffer encode(const Answers& m) { return encode_message(m); }
Buffer encode(const TopicList& m) { return encode_message(m); }
Buffer encode(const Heartbeat& m) { return encode_message(m); }
bool decode(Bytes in, LookRequest& m) { return decode_message(in, m); }
bool decode(Bytes in, Answers& m) { return decode_message(in, m); }
bool decode(Bytes in, TopicList& m) { return decode_message(in, m); }
bool decode(Bytes in, Heartbeat& m) { return decode_message(in, m); }

}  // namespace edgelog::uplink

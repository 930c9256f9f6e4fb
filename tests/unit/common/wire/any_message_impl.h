#pragma once
// The table's entries; included by the two .cc that make it.
#include "common/wire/print.h"
#include "tests/unit/common/wire/any_message.h"
#include "tests/unit/common/wire/filler.h"

namespace edgelog::wire {

template <class M>
Image make(Version version, std::uint64_t seed) {
  Filler filler(version, seed);
  M message;
  M::describe(filler, message);
  Image out;
  encode(message, version, out.bytes);
  out.text = to_text(message, version);
  return out;
}

template <class M>
bool again(Bytes bytes, Version version, Image& out) {
  M message;
  if (!decode(bytes, version, message)) return false;
  out = {};
  encode(message, version, out.bytes);
  out.text = to_text(message, version);
  return true;
}

template <class M>
AnyMessage any_message(bool is_request) {
  return {&M::api, is_request, make<M>, again<M>};
}

}  // namespace edgelog::wire

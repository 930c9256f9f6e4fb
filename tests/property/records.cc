#include "tests/property/records.h"

#include <rapidcheck.h>

namespace edgelog::record {
namespace {

template <class T>
rc::Gen<std::optional<T>> maybe(rc::Gen<T> some) {
  return rc::gen::oneOf(rc::gen::just(std::optional<T>{}), rc::gen::map(some, [](T v) { return std::optional<T>(v); }));
}

std::optional<Bytes> view(const std::optional<std::string>& text) {
  return text ? std::optional<Bytes>(as_bytes(*text)) : std::nullopt;
}

}  // namespace

rc::Gen<std::vector<Record>> records() {
  const auto text = rc::gen::arbitrary<std::string>();
  const auto header =
      rc::gen::build<Header>(rc::gen::set(&Header::key, text), rc::gen::set(&Header::value, maybe(text)));
  const auto record =
      rc::gen::build<Record>(rc::gen::set(&Record::timestamp, rc::gen::inRange<std::int64_t>(0, 2'000'000'000'000)),
                             rc::gen::set(&Record::key, maybe(text)), rc::gen::set(&Record::value, maybe(text)),
                             rc::gen::set(&Record::headers, rc::gen::container<std::vector<Header>>(header)));
  return rc::gen::scale(0.5, rc::gen::nonEmpty(rc::gen::container<std::vector<Record>>(record)));
}

rc::Gen<Codec> codecs() {
  return rc::gen::map(rc::gen::inRange(0, codec_count), [](int number) { return static_cast<Codec>(number); });
}

Buffer build(const std::vector<Record>& made, Codec codec) {
  Compressor compressor;
  BatchBuilder builder;
  std::size_t most = header_bytes;
  for (const Record& r : made) {
    std::vector<HeaderView> headers;
    for (const Header& h : r.headers) headers.push_back({h.key, view(h.value)});
    most += BatchBuilder::record_bytes(view(r.key), view(r.value), headers);
    builder.append(r.timestamp, view(r.key), view(r.value), headers);
  }
  RC_ASSERT(builder.plain_bytes() <= most);
  return builder.finish({.codec = codec,
                         .producer_id = ProducerId{3},
                         .producer_epoch = ProducerEpoch{1},
                         .base_sequence = Sequence{7},
                         .keep_codec = true},
                        compressor);
}

}  // namespace edgelog::record

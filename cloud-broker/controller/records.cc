#include "cloud-broker/controller/records.h"

#include <vector>

#include "common/wire/codec.h"

namespace edgelog::broker {

namespace {

enum class Kind : std::uint8_t { topic = 1, producer_ids = 2 };
constexpr std::uint8_t format_version = 1;

struct KeyMessage {
  static constexpr wire::Api api{0, "MetadataKey", 1, 1};
  std::uint8_t version = format_version;
  Kind kind{};
  std::string name;  // empty for what there is one of
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.version);
    v.field(m.kind);
    v.field(m.name);
  }
};

struct TopicMessage {
  static constexpr wire::Api api{0, "MetadataTopic", 1, 1};
  struct Config {
    std::string name, value;
    template <class V>
    static void describe(V& v, auto& m) {
      v.field(m.name);
      v.field(m.value);
    }
  };
  std::uint8_t version = format_version;
  Uuid id{};
  std::int32_t partitions = 0;
  std::vector<Config> config;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.version);
    v.field(m.id);
    v.field(m.partitions);
    v.field(m.config);
  }
};

struct ProducerIdsMessage {
  static constexpr wire::Api api{0, "MetadataProducerIds", 1, 1};
  std::uint8_t version = format_version;
  ProducerId next{};
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.version);
    v.field(m.next);
  }
};

template <class M>
Buffer bytes_of(const M& message) {
  Buffer out;
  wire::encode(message, format_version, out);
  return out;
}

template <class M>
bool parse(Bytes bytes, M& message) {
  return wire::decode(bytes, format_version, message) && message.version == format_version;
}

std::optional<MetadataRecord> decode_topic(std::string name, std::optional<Bytes> value) {
  TopicRecord record{std::move(name), std::nullopt};
  if (!value) return record;
  TopicMessage message;
  if (!parse(*value, message) || message.partitions < 1) return std::nullopt;
  record.value = TopicRecord::Value{};  // clang cannot emplace a nested class with member initialisers here
  auto& into = *record.value;
  into.id = message.id;
  into.partitions = message.partitions;
  for (auto& each : message.config) into.config[std::move(each.name)] = std::move(each.value);
  return record;
}

}  // namespace

EncodedMetadata encode(const MetadataRecord& record) {
  if (const auto* topic = std::get_if<TopicRecord>(&record)) {
    EncodedMetadata out{bytes_of(KeyMessage{format_version, Kind::topic, topic->name}), std::nullopt};
    if (!topic->value) return out;
    TopicMessage message{format_version, topic->value->id, topic->value->partitions, {}};
    for (const auto& [name, value] : topic->value->config) message.config.push_back({name, value});
    out.value = bytes_of(message);
    return out;
  }
  const auto& ids = std::get<ProducerIdsRecord>(record);
  return {bytes_of(KeyMessage{format_version, Kind::producer_ids, {}}),
          bytes_of(ProducerIdsMessage{format_version, ids.next})};
}

std::optional<MetadataRecord> decode_metadata(Bytes key, std::optional<Bytes> value) {
  KeyMessage parsed;
  if (!parse(key, parsed)) return std::nullopt;
  switch (parsed.kind) {
    case Kind::topic: return decode_topic(std::move(parsed.name), value);
    case Kind::producer_ids: {
      ProducerIdsMessage message;
      if (!value || !parse(*value, message)) return std::nullopt;
      return ProducerIdsRecord{message.next};
    }
  }
  return std::nullopt;
}

}  // namespace edgelog::broker

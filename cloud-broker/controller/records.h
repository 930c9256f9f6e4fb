#pragma once
// The records of `__cluster_metadata`, our own format: docs/FORMATS.md, "Cluster metadata". Keys are the
// identity of what they describe, so that compaction keeps the latest.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "cloud-broker/controller/topic_config.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace edgelog::broker {

struct TopicRecord {
  struct Value {
    Uuid id{};
    std::int32_t partitions = 0;
    TopicConfig config;
    bool operator==(const Value&) const = default;
  };
  std::string name;
  std::optional<Value> value;  // none: deleted
  bool operator==(const TopicRecord&) const = default;
};

struct ProducerIdsRecord {
  ProducerId next{};  // every id below may have been handed out
  bool operator==(const ProducerIdsRecord&) const = default;
};

using MetadataRecord = std::variant<TopicRecord, ProducerIdsRecord>;

struct EncodedMetadata {
  Buffer key;
  std::optional<Buffer> value;
};

EncodedMetadata encode(const MetadataRecord& record);
// Nothing if it is malformed or of a later version: a broker must not run on metadata it does not understand.
std::optional<MetadataRecord> decode_metadata(Bytes key, std::optional<Bytes> value);

}  // namespace edgelog::broker

#include "cloud-broker/group/records.h"

#include <utility>

#include "common/wire/codec.h"

namespace edgelog::broker::group {

namespace {
using wire::nullable;
using wire::only;
using wire::since;

constexpr wire::Version offset_key_version = 1, group_key_version = 2, not_flexible = 100;

struct OffsetKeyMessage {
  static constexpr wire::Api api{0, "OffsetCommitKey", 0, 1, not_flexible};
  OffsetKey key;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.key.group);
    v.field(m.key.topic);
    v.field(m.key.partition);
  }
};

struct OffsetValueMessage {
  static constexpr wire::Api api{0, "OffsetCommitValue", 0, 3, not_flexible};
  CommittedOffset value;
  WallMillis expires_at{-1};
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.value.offset);
    v.field(m.value.leader_epoch, since(3));
    v.field(m.value.metadata);
    v.field(m.value.committed_at);
    v.field(m.expires_at, only(1, 1));
  }
};

struct GroupKeyMessage {
  static constexpr wire::Api api{0, "GroupMetadataKey", 2, 2, not_flexible};
  std::string group;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.group);
  }
};

struct MemberMessage {
  GroupMember member;
  Bytes subscription, assignment;  // views, of `member` when encoding
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.member.member_id);
    v.field(m.member.instance_id, since(3), nullable(since(3)));
    v.field(m.member.client_id);
    v.field(m.member.client_host);
    v.field(m.member.rebalance_timeout_ms, since(1));
    v.field(m.member.session_timeout_ms);
    v.field(m.subscription);
    v.field(m.assignment);
  }
};

struct GroupValueMessage {
  static constexpr wire::Api api{0, "GroupMetadataValue", 0, 3, not_flexible};
  GroupSnapshot group;  // without its members
  std::vector<MemberMessage> members;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.group.protocol_type);
    v.field(m.group.generation);
    v.field(m.group.protocol, wire::always, nullable(wire::always));
    v.field(m.group.leader, wire::always, nullable(wire::always));
    v.field(m.group.state_since, since(2));
    v.field(m.members);
  }
};

template <class M>
Buffer versioned(const M& message, wire::Version version) {
  Buffer out(sizeof version);
  store_big(out.data(), version);
  wire::encode(message, version, out);
  return out;
}

template <class M>
bool parse(Bytes bytes, M& message, wire::Version& version) {
  if (bytes.size() < sizeof version) return false;
  version = load_big<wire::Version>(bytes.data());
  if (version < M::api.first || version > M::api.last) return false;
  return wire::decode(bytes.subspan(sizeof version), version, message);
}

EncodedRecord encode_offset(const OffsetRecord& record) {
  EncodedRecord out{versioned(OffsetKeyMessage{record.key}, offset_key_version), std::nullopt};
  if (!record.value) return out;
  OffsetValueMessage message{*record.value, record.value->expires_at.value_or(WallMillis{-1})};
  out.value = versioned(message, record.value->expires_at ? wire::Version{1} : wire::Version{3});
  return out;
}

EncodedRecord encode_group(const GroupRecord& record) {
  EncodedRecord out{versioned(GroupKeyMessage{record.group}, group_key_version), std::nullopt};
  if (!record.value) return out;
  GroupValueMessage message;
  message.group = *record.value;
  message.group.members.clear();
  for (const GroupMember& member : record.value->members) {
    message.members.push_back({member, member.subscription, member.assignment});
  }
  out.value = versioned(message, wire::Version{3});
  return out;
}

std::optional<Record> decode_offset(Bytes key, std::optional<Bytes> value, const char*& why) {
  OffsetKeyMessage key_message;
  wire::Version version = 0;
  if (!parse(key, key_message, version)) return why = "malformed offset key", std::nullopt;
  OffsetRecord record{std::move(key_message.key), std::nullopt};
  if (!value) return record;
  OffsetValueMessage message;
  if (!parse(*value, message, version)) return why = "offset value of an unknown version, or malformed", std::nullopt;
  record.value = std::move(message.value);
  if (version == 1 && message.expires_at.value() >= 0) record.value->expires_at = message.expires_at;
  return record;
}

std::optional<Record> decode_group(Bytes key, std::optional<Bytes> value, const char*& why) {
  GroupKeyMessage key_message;
  wire::Version version = 0;
  if (!parse(key, key_message, version)) return why = "malformed group key", std::nullopt;
  GroupRecord record{std::move(key_message.group), std::nullopt};
  if (!value) return record;
  GroupValueMessage message;
  if (!parse(*value, message, version)) return why = "group value of an unknown version, or malformed", std::nullopt;
  record.value = std::move(message.group);
  for (MemberMessage& each : message.members) {
    GroupMember& member = record.value->members.emplace_back(std::move(each.member));
    // Version 0 had one time-out for both.
    if (version == 0) member.rebalance_timeout_ms = member.session_timeout_ms;
    member.subscription.assign(each.subscription.begin(), each.subscription.end());
    member.assignment.assign(each.assignment.begin(), each.assignment.end());
  }
  return record;
}

}  // namespace

EncodedRecord encode(const Record& record) {
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) return encode_offset(*offset);
  return encode_group(std::get<GroupRecord>(record));
}

std::optional<Record> decode(Bytes key, std::optional<Bytes> value, const char*& why) {
  if (key.size() < sizeof(wire::Version)) return why = "key without a version", std::nullopt;
  switch (load_big<wire::Version>(key.data())) {
    case 0:
    case 1: return decode_offset(key, value, why);
    case 2: return decode_group(key, value, why);
    default: return why = "key of an unknown kind", std::nullopt;
  }
}

}  // namespace edgelog::broker::group

#pragma once
// DeleteTopics, by name or, from version 6, by id (KIP-516).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api delete_topics_api{.key = 20, .name = "DeleteTopics", .first = 0, .last = 6, .flexible = 4};

struct DeleteTopicsRequest {
  static constexpr const Api& api = delete_topics_api;
  struct Topic {
    std::optional<std::string> name;
    Uuid topic_id{};
    static void describe(auto& v, auto& m) {
      v.field(m.name, always, nullable(always));
      v.field(m.topic_id);
      v.tags();
    }
  };
  std::vector<Topic> topics;
  std::vector<std::string> topic_names;
  Millis timeout_ms;
  static void describe(auto& v, auto& m) {
    v.field(m.topics, since(6));
    v.field(m.topic_names, only(0, 5));
    v.field(m.timeout_ms);
    v.tags();
  }
};

struct DeleteTopicsResponse {
  static constexpr const Api& api = delete_topics_api;
  struct Topic {
    std::optional<std::string> name;
    Uuid topic_id{};
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    static void describe(auto& v, auto& m) {
      v.field(m.name, always, nullable(since(6)));
      v.field(m.topic_id, since(6));
      v.field(m.error_code);
      v.field(m.error_message, since(5), nullable(since(5)));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, DeleteTopicsRequest&);
extern template void encode(const DeleteTopicsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, DeleteTopicsResponse&);
extern template void encode(const DeleteTopicsResponse&, Version, Buffer&);

}  // namespace edgelog::wire

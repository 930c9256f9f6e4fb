// DeleteTopics (20), versions 0-6; by id from 6. Answered once the deletion is durable; the data goes after
// that, and with it the offsets that groups committed for the topic.
// Refuses per topic: 29, 3 (by id 100), 17 (internal), 42, once, for one that is named twice, and for
// one that is named by both name and id, or by neither.
#include "common/wire/delete_topics.h"

#include <map>
#include <utility>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Response = wire::DeleteTopicsResponse;

struct Named {
  std::optional<std::string> name;
  Uuid id{};
};

MetadataDecision decide(const World& world, const Context& context, const Named& named, bool twice,
                        Response::Topic& out) {
  const auto refuse = [](ErrorCode error, std::string why) { return MetadataDecision{error, std::move(why), {}}; };
  if (twice) return refuse(ErrorCode::invalid_request, "Duplicate topic.");
  if (named.name && named.id != Uuid{}) return refuse(ErrorCode::invalid_request, "Both name and id were given.");
  if (!named.name && named.id == Uuid{}) return refuse(ErrorCode::invalid_request, "Neither name nor id was given.");
  const Topic* topic = named.name ? world.controller.find(*named.name) : world.controller.find(named.id);
  if (topic == nullptr) {
    return named.name ? refuse(ErrorCode::unknown_topic_or_partition, "This server does not host this topic.")
                      : refuse(ErrorCode::unknown_topic_id, "This server does not host this topic ID.");
  }
  if (!world.authorizer.allows(context, Operation::remove, Resource::topic, topic->name)) {
    return refuse(ErrorCode::topic_authorization_failed, not_authorized);
  }
  out.name = topic->name;
  out.topic_id = topic->id;
  return world.controller.remove(topic->name);
}

}  // namespace

void handle_delete_topics(World& world, const Context& context, const wire::DeleteTopicsRequest& request) {
  std::vector<Named> wanted;
  for (const auto& topic : request.topics) wanted.push_back({topic.name, topic.topic_id});
  for (const auto& name : request.topic_names) wanted.push_back({name, {}});
  // A topic is the same one by its name and by its id.
  const auto key = [&](const Named& named) {
    const Topic* topic = named.name ? nullptr : world.controller.find(named.id);
    return std::pair(topic != nullptr ? std::optional(topic->name) : named.name, topic != nullptr ? Uuid{} : named.id);
  };
  std::map<std::pair<std::optional<std::string>, Uuid>, int> counts;
  for (const Named& each : wanted) ++counts[key(each)];

  const auto collected = collect<Response>(world, context);
  collected->response.topics.reserve(counts.size());
  for (const Named& each : wanted) {
    const int times = std::exchange(counts[key(each)], 0);
    if (times == 0) continue;  // it was answered where it was named first
    const std::size_t i = collected->response.topics.size();
    Response::Topic& out = collected->response.topics.emplace_back();
    out.name = each.name;
    out.topic_id = each.id;
    MetadataDecision decision = decide(world, context, each, times > 1, out);
    collected->expect();
    world.metadata.perform(std::move(decision), context.at.wall, [collected, i](ErrorCode error, std::string why) {
      collected->response.topics[i].error_code = error;
      collected->response.topics[i].error_message = text_or_null(std::move(why));
      collected->arrive();
    });
  }
  collected->arrive();
}

}  // namespace edgelog::broker

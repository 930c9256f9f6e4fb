// DeleteTopics (20), versions 0-6; by id from 6. Answered once the deletion is durable; the data goes after
// that, and with it the offsets that groups committed for the topic.
// Refuses per topic: 29, 3 (by id 100), 17 (internal), 42 (named twice, or by name and id).
#include "common/wire/delete_topics.h"

#include <map>

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
  std::map<std::pair<std::optional<std::string>, Uuid>, int> counts;
  for (const Named& each : wanted) ++counts[{each.name, each.id}];

  const auto collected = collect<Response>(world, context);
  collected->response.topics.resize(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Response::Topic& out = collected->response.topics[i];
    out.name = wanted[i].name;
    out.topic_id = wanted[i].id;
    MetadataDecision decision = decide(world, context, wanted[i], counts[{wanted[i].name, wanted[i].id}] > 1, out);
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

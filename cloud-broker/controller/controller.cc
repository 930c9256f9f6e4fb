#include "cloud-broker/controller/controller.h"

#include <algorithm>
#include <set>

#include "common/base/assert.h"

namespace edgelog::broker {

using wire::ErrorCode;

namespace {

constexpr std::size_t topic_name_max = 249;  // Kafka: leaves room for a directory's suffix

MetadataDecision refuse(ErrorCode error, std::string message) { return {error, std::move(message), std::nullopt}; }

bool topic_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// Kafka's metrics write '.' as '_': names that differ only so would be one there, and tools rely on it.
std::string collision_key(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    items.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return items;
}

std::string join(const std::vector<std::string>& items) {
  std::string list;
  for (const auto& item : items) list += (list.empty() ? "" : ",") + item;
  return list;
}

std::string change_list(const std::string& list, const ConfigChange& change) {
  std::vector<std::string> items = split(list);
  for (const std::string& item : split(*change.value)) {
    const auto at = std::find(items.begin(), items.end(), item);
    if (change.op == ConfigOp::append && at == items.end()) items.push_back(item);
    if (change.op == ConfigOp::subtract && at != items.end()) items.erase(at);
  }
  return join(items);
}

}  // namespace

std::optional<std::string> refuse_topic_name(const std::string& name) {
  if (name.empty()) return "the empty string is not allowed";
  if (name == "." || name == "..") return "'.' or '..' is not allowed";
  if (name.size() > topic_name_max) return "the length of a name may be 249 at most";
  if (!std::all_of(name.begin(), name.end(), topic_character)) {
    return "only ASCII letters, digits, '.', '_' and '-' are allowed";
  }
  return std::nullopt;
}

MetadataDecision Controller::create(const NewTopic& wanted, const Uuid& fresh) const {
  if (const auto why = refuse_topic_name(wanted.name)) {
    return refuse(ErrorCode::invalid_topic, "Topic name is invalid: " + *why);
  }
  if (find(wanted.name) != nullptr)
    return refuse(ErrorCode::topic_already_exists, "Topic '" + wanted.name + "' already exists.");
  if (is_internal(wanted.name))
    return refuse(ErrorCode::invalid_topic, "An internal topic cannot be created by clients.");
  if (const auto other = collisions_.find(collision_key(wanted.name)); other != collisions_.end()) {
    return refuse(ErrorCode::invalid_topic,
                  "Topic '" + wanted.name + "' collides with existing topic: " + other->second);
  }
  for (const auto& [name, value] : wanted.config) {
    if (const auto why = refuse_config(name, value)) return refuse(ErrorCode::invalid_config, *why);
  }
  const std::int32_t partitions = wanted.partitions == -1 ? settings_.default_partitions : wanted.partitions;
  if (wanted.replication_factor != -1 &&
      (wanted.replication_factor < 1 || wanted.replication_factor > settings_.brokers)) {
    return refuse(ErrorCode::invalid_replication_factor,
                  "Replication factor: " + std::to_string(wanted.replication_factor) +
                      " larger than available brokers: " + std::to_string(settings_.brokers) + ", or below 1.");
  }
  if (partitions < 1)
    return refuse(ErrorCode::invalid_partitions, "Number of partitions must be larger than 0, or -1 for the default.");
  if (static_cast<std::int32_t>(topics_.size()) >= settings_.topics_max ||
      partitions_ + partitions > settings_.partitions_max) {
    return refuse(ErrorCode::policy_violation, "This broker keeps " + std::to_string(settings_.topics_max) +
                                                   " topics and " + std::to_string(settings_.partitions_max) +
                                                   " partitions at most.");
  }
  return {ErrorCode::none, {}, TopicRecord{wanted.name, TopicRecord::Value{fresh, partitions, wanted.config}}};
}

MetadataDecision Controller::create_offsets_topic(const Uuid& fresh) const {
  if (find(offsets_topic) != nullptr) return refuse(ErrorCode::topic_already_exists, {});
  // Group metadata may hold many members' subscriptions in one record.
  const TopicConfig config{
      {"cleanup.policy", "compact"}, {"segment.bytes", "104857600"}, {"max.message.bytes", "67108864"}};
  return {
      ErrorCode::none, {}, TopicRecord{offsets_topic, TopicRecord::Value{fresh, settings_.offsets_partitions, config}}};
}

MetadataDecision Controller::remove(const std::string& name) const {
  if (find(name) == nullptr)
    return refuse(ErrorCode::unknown_topic_or_partition, "This server does not host this topic.");
  if (is_internal(name)) return refuse(ErrorCode::invalid_topic, "An internal topic cannot be deleted.");
  return {ErrorCode::none, {}, TopicRecord{name, std::nullopt}};
}

MetadataDecision Controller::add_partitions(const std::string& name, std::int32_t count) const {
  const Topic* topic = find(name);
  if (topic == nullptr) return refuse(ErrorCode::unknown_topic_or_partition, "This server does not host this topic.");
  if (is_internal(name))
    return refuse(ErrorCode::invalid_topic, "Groups are placed by the count of this topic's partitions.");
  if (count == topic->partitions) {
    return refuse(ErrorCode::invalid_partitions, "Topic already has " + std::to_string(count) + " partition(s).");
  }
  if (count < topic->partitions) {
    return refuse(ErrorCode::invalid_partitions, "The topic " + name + " currently has " +
                                                     std::to_string(topic->partitions) + " partition(s); " +
                                                     std::to_string(count) + " would not be an increase.");
  }
  if (partitions_ + count - topic->partitions > settings_.partitions_max) {
    return refuse(ErrorCode::policy_violation,
                  "This broker keeps " + std::to_string(settings_.partitions_max) + " partitions at most.");
  }
  return {ErrorCode::none, {}, TopicRecord{name, TopicRecord::Value{topic->id, count, topic->config}}};
}

MetadataDecision Controller::with_config(const Topic& topic, TopicConfig config) const {
  for (const auto& [name, value] : config) {
    if (const auto why = refuse_config(name, value)) return refuse(ErrorCode::invalid_config, *why);
  }
  return {
      ErrorCode::none, {}, TopicRecord{topic.name, TopicRecord::Value{topic.id, topic.partitions, std::move(config)}}};
}

MetadataDecision Controller::refuse_alteration(const std::string& name) const {
  if (name.empty()) return refuse(ErrorCode::invalid_request, "Default topic resources are not allowed.");
  if (const auto why = refuse_topic_name(name)) {
    return refuse(ErrorCode::invalid_topic, "Topic name is invalid: " + *why);
  }
  return {};
}

MetadataDecision Controller::replace_config(const std::string& name, const TopicConfig& config) const {
  if (MetadataDecision bad = refuse_alteration(name); bad.error != ErrorCode::none) return bad;
  for (const auto& [key, value] : config) {
    if (find_topic_config(key) == nullptr) {
      return refuse(ErrorCode::invalid_config, "Unknown topic config name: " + key);
    }
  }
  const Topic* topic = find(name);
  if (topic == nullptr)
    return refuse(ErrorCode::unknown_topic_or_partition, "The topic '" + name + "' does not exist.");
  return with_config(*topic, config);
}

MetadataDecision Controller::alter(const std::string& name, const std::vector<ConfigChange>& changes) const {
  if (MetadataDecision bad = refuse_alteration(name); bad.error != ErrorCode::none) return bad;
  std::set<std::string_view> named;
  for (const ConfigChange& change : changes) {
    if (!named.insert(change.name).second) return refuse(ErrorCode::invalid_request, "Duplicate " + change.name);
    if (change.op != ConfigOp::remove && find_topic_config(change.name) == nullptr) {
      return refuse(ErrorCode::invalid_config, "Unknown topic config name: " + change.name);
    }
  }
  const Topic* topic = find(name);
  TopicConfig config = topic != nullptr ? topic->config : TopicConfig{};  // bad values are said first
  for (const ConfigChange& change : changes) {
    const ConfigRow* row = find_topic_config(change.name);
    if (change.op == ConfigOp::remove) {
      config.erase(change.name);
      continue;
    }
    if (!change.value) return refuse(ErrorCode::invalid_request, "Null value for " + change.name);
    if (change.op == ConfigOp::set) {
      config[change.name] = *change.value;
      continue;
    }
    if (row->type != ConfigType::list) return refuse(ErrorCode::invalid_config, change.name + " is not a list");
    const auto set = config.find(change.name);
    config[change.name] = change_list(set != config.end() ? set->second : std::string(row->fallback), change);
  }
  for (const auto& [key, value] : config) {
    if (const auto why = refuse_config(key, value)) return refuse(ErrorCode::invalid_config, *why);
  }
  if (topic == nullptr)
    return refuse(ErrorCode::unknown_topic_or_partition, "The topic '" + name + "' does not exist.");
  return with_config(*topic, std::move(config));
}

std::optional<ProducerId> Controller::take_producer_id() {
  if (next_id_ >= claimed_) return std::nullopt;
  const ProducerId id = next_id_;
  next_id_ = ProducerId{id.value() + 1};
  return id;
}

MetadataRecord Controller::claim_producer_ids() const {
  return ProducerIdsRecord{ProducerId{claimed_.value() + settings_.producer_id_block}};
}

void Controller::replay(const MetadataRecord& record) {
  if (const auto* ids = std::get_if<ProducerIdsRecord>(&record)) {
    next_id_ = std::max(next_id_, claimed_);
    claimed_ = ids->next;
    return;
  }
  const auto& topic = std::get<TopicRecord>(record);
  if (const auto old = topics_.find(topic.name); old != topics_.end()) {
    partitions_ -= old->second.partitions;
    names_.erase(old->second.id);
    collisions_.erase(collision_key(topic.name));
    topics_.erase(old);
  }
  if (!topic.value) return;
  topics_[topic.name] = {topic.name, topic.value->id, topic.value->partitions, topic.value->config};
  names_[topic.value->id] = topic.name;
  collisions_[collision_key(topic.name)] = topic.name;
  partitions_ += topic.value->partitions;
}

const Topic* Controller::find(const std::string& name) const {
  const auto at = topics_.find(name);
  return at == topics_.end() ? nullptr : &at->second;
}

const Topic* Controller::find(const Uuid& id) const {
  const auto at = names_.find(id);
  return at == names_.end() ? nullptr : find(at->second);
}

}  // namespace edgelog::broker

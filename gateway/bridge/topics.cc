#include "gateway/bridge/topics.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <utility>

#include "common/base/log.h"
#include "common/uplink/names.h"
#include "common/wire/create_topics.h"
#include "common/wire/describe_configs.h"

namespace edgelog::gateway {
using wire::ErrorCode;

namespace {

constexpr std::int8_t topic_resource = 2, broker_resource = 4;
constexpr std::int32_t own_partitions = 3;
constexpr std::int32_t message_bytes_default = 1'048'588;  // Kafka's
constexpr Duration failure_pause = seconds(1);
constexpr Duration step_timeout = seconds(15);
constexpr Duration missing_kept = seconds(60);

}  // namespace

Result<TopicRule> parse_topic_rule(std::string_view text) {
  TopicRule rule;
  const auto colon = text.find(':');
  rule.pattern = std::string(text.substr(0, colon));
  std::string plain = rule.pattern;
  std::replace(plain.begin(), plain.end(), '*', 'x');
  if (!uplink::valid_topic(plain)) return Error{Code::invalid, "expected a topic's name, with * for any characters"};
  if (colon == std::string_view::npos) return rule;
  const std::string_view count = text.substr(colon + 1);
  const auto parsed = std::from_chars(count.data(), count.data() + count.size(), rule.partitions);
  if (parsed.ec != std::errc{} || parsed.ptr != count.data() + count.size() || rule.partitions < 1 ||
      rule.partitions > 10'000)
    return Error{Code::invalid, "expected a number of partitions, 1 to 10000, after the colon"};
  if (plain != rule.pattern) return Error{Code::invalid, "expected one topic's name before a number of partitions"};
  return rule;
}

bool matches(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= name.size(); ++at)
    if (matches(rest, name.substr(at))) return true;
  return false;
}

Topics::Topics(TopicsConfig config, client::Client& client, Timer& timer, Events events)
    : config_(std::move(config)), client_(client), timer_(timer), events_(std::move(events)) {
  for (const auto name : {uplink::gaps_topic, uplink::dead_letter_topic})
    config_.rules.push_back({std::string(name), own_partitions});
}

void Topics::start() {
  started_ = true;
  next_ = timer_.now();
}

Instant Topics::deadline() const { return started_ && step_ == Step::resting ? next_ : never; }

void Topics::tick() {
  if (started_ && step_ == Step::resting && timer_.now() >= next_) begin();
}

bool Topics::fleet_exists() const {
  const auto found = client_.metadata().topics().find(uplink::fleet_topic);
  return found != client_.metadata().topics().end() && !found->second.partitions.empty();
}

void Topics::begin() {
  step_ = Step::metadata;
  client_.refresh_metadata();
}

void Topics::metadata_changed() {
  if (step_ == Step::metadata) return create_missing();
  if (step_ != Step::resting || !started_) return;
  if (shape_now() != shape_) create_missing();
}

Topics::Shape Topics::shape_now() const {
  Shape shape;
  for (const std::string& name : listed_now()) {
    auto& epochs = shape.emplace_back(name, std::vector<LeaderEpoch>{}).second;
    for (const auto& partition : client_.metadata().topics().find(name)->second.partitions)
      epochs.push_back(partition.leader_epoch);
  }
  return shape;
}

TopicShape Topics::told_shape(const std::string& name) const {
  TopicShape shape{0, client_.metadata().brokers().size()};
  const auto topic = client_.metadata().topics().find(name);
  if (topic == client_.metadata().topics().end()) return shape;
  for (const auto& partition : topic->second.partitions)
    shape.replicas = shape.replicas == 0 ? partition.replicas : std::min(shape.replicas, partition.replicas);
  return shape;
}

bool Topics::listed(const std::string& name, const client::TopicState& state) const {
  if (state.internal || name.starts_with("__") || name == uplink::fleet_topic || state.partitions.empty()) return false;
  return std::any_of(config_.rules.begin(), config_.rules.end(),
                     [&](const TopicRule& rule) { return matches(rule.pattern, name); });
}

std::vector<std::string> Topics::listed_now() const {
  std::vector<std::string> out;
  for (const auto& [name, state] : client_.metadata().topics())
    if (listed(name, state)) out.push_back(name);
  return out;
}

void Topics::create_missing() {
  step_ = Step::creating;
  const auto& there = client_.metadata().topics();
  std::vector<std::string> missing;
  ExpectedSettings wanted = expected();
  if (wanted.replication < 1 && client_.metadata().brokers().size() >= safe_replication)
    wanted.replication = safe_replication;
  wire::CreateTopicsRequest request;
  request.timeout_ms = wire::Millis{static_cast<std::int32_t>(to_millis(step_timeout))};
  const auto add = [&](const std::string& name, std::int32_t partitions, bool compacted) {
    if (there.contains(name)) return;
    missing.push_back(name);
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = wanted.replication;
    for (auto& [key, value] : settings_to_create(compacted, wanted)) topic.configs.push_back({key, value});
  };
  for (const TopicRule& rule : config_.rules)
    if (rule.partitions > 0) add(rule.pattern, rule.partitions, false);
  add(std::string(uplink::fleet_topic), 1, true);
  if (!enough_brokers(missing)) return describe();
  const NodeId controller = client_.metadata().controller();
  client_.ask<wire::CreateTopicsResponse>(
      client_.metadata().brokers().contains(controller) ? std::optional(controller) : std::nullopt,
      client::Way::control, std::move(request), step_timeout,
      [this](ErrorCode error, wire::CreateTopicsResponse& response) {
        if (error != ErrorCode::none) return end_cycle(false);
        bool made = false;
        create_errors_.clear();
        for (const auto& topic : response.topics) {
          made |= topic.error_code == ErrorCode::none || topic.error_code == ErrorCode::topic_already_exists;
          if (topic.error_code == ErrorCode::none) LOG(info, "topic {} made", topic.name);
          if (topic.error_code == ErrorCode::none || topic.error_code == ErrorCode::topic_already_exists) continue;
          create_errors_[topic.name] = fmt::format("topic {}: cannot be made: error {} {}", topic.name,
                                                   wire::code(topic.error_code), topic.error_message.value_or(""));
        }
        if (!made) return describe();
        step_ = Step::metadata;  // with what was made
        client_.refresh_metadata();
      });
}

// Whether there is something to make, and all whom it needs.
bool Topics::enough_brokers(const std::vector<std::string>& missing) {
  create_errors_.clear();
  const std::size_t there = client_.metadata().brokers().size();
  const bool enough = config_.replication < 1 || there >= static_cast<std::size_t>(config_.replication);
  if (!enough)
    for (const std::string& name : missing)
      create_errors_[name] =
          fmt::format("topic {}: not made yet: {} of {} brokers are there", name, there, config_.replication);
  return enough && !missing.empty();
}

void Topics::describe() {
  step_ = Step::describing;
  const auto names = listed_now();
  const bool fresh = described_at_ != never && timer_.now() - described_at_ < config_.settings_age_max;
  const bool all =
      std::all_of(names.begin(), names.end(), [&](const auto& name) { return topic_settings_.contains(name); });
  if (fresh && all) {
    judge();
    return list_ends();
  }
  wire::DescribeConfigsRequest request;
  for (const std::string& name : names) request.resources.push_back({topic_resource, name, judged_topic_settings()});
  if (fleet_exists())
    request.resources.push_back({topic_resource, std::string(uplink::fleet_topic), judged_topic_settings()});
  const NodeId broker = client_.metadata().brokers().begin()->first;
  request.resources.push_back({broker_resource, std::to_string(broker.value()), judged_broker_settings()});
  client_.ask<wire::DescribeConfigsResponse>(broker, client::Way::control, std::move(request), step_timeout,
                                             [this](ErrorCode error, wire::DescribeConfigsResponse& response) {
                                               if (error != ErrorCode::none) return end_cycle(false);
                                               std::map<std::string, Settings> topics;
                                               Settings settings_of_broker;
                                               for (const auto& resource : response.results) {
                                                 if (resource.error_code != ErrorCode::none) continue;
                                                 Settings& settings = resource.resource_type == topic_resource
                                                                          ? topics[resource.resource_name]
                                                                          : settings_of_broker;
                                                 for (const auto& config : resource.configs)
                                                   if (config.value) settings[config.name] = *config.value;
                                               }
                                               took_settings(std::move(topics), std::move(settings_of_broker));
                                             });
}

void Topics::took_settings(std::map<std::string, Settings> topics, Settings broker) {
  topic_settings_ = std::move(topics);
  broker_settings_ = std::move(broker);
  described_at_ = timer_.now();
  judge();
  list_ends();
}

void Topics::judge() {
  std::vector<std::string> findings = judge_broker(broker_settings_);
  for (const auto& [name, error] : create_errors_) findings.push_back(error);
  for (const auto& [name, settings] : topic_settings_) {
    auto more = judge_topic(name, settings, name == uplink::fleet_topic, told_shape(name), expected());
    findings.insert(findings.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  if (findings == findings_ && last_known_ != never) return;
  findings_ = std::move(findings);
  if (events_.findings) events_.findings(findings_);
}

void Topics::list_ends() {
  step_ = Step::listing;
  std::vector<client::TopicPartitionName> partitions;
  shape_ = shape_now();
  for (const auto& [name, epochs] : shape_)
    for (std::size_t i = 0; i < epochs.size(); ++i)
      partitions.push_back({name, PartitionIndex{static_cast<std::int32_t>(i)}});
  if (partitions.empty()) return end_cycle(false);
  client_.list_offsets(partitions, client::latest_offset,
                       [this](const client::Client::Offsets& ends) { publish(ends); });
}

void Topics::publish(const client::Client::Offsets& ends) {
  TopicsKnown known;
  known.producer_memory_ms = producer_memory_ms();
  bool any = false;
  for (const auto& [name, epochs] : shape_) {
    const auto most = number_of(topic_settings_[name], "max.message.bytes").value_or(message_bytes_default);
    auto& topic = known.topics.emplace_back();
    topic.name = name;
    topic.message_bytes_max = static_cast<std::int32_t>(std::min<std::int64_t>(most, config_.batch_bytes_max));
    for (std::size_t i = 0; i < epochs.size(); ++i) {
      const auto& end = ends.at({name, PartitionIndex{static_cast<std::int32_t>(i)}});
      any |= end.error == ErrorCode::none;
      topic.partitions.push_back({end.error == ErrorCode::none ? end.offset : Offset{-1}, epochs[i]});
    }
  }
  // A list without a single end says nothing that the one before did not, and its time would look fresh.
  if (!any) return end_cycle(false);
  last_known_ = timer_.now();
  keep_missing(known);
  events_.known(std::move(known));
  end_cycle(true);
  if (shape_now() != shape_) next_ = timer_.now();  // something has changed while the ends were asked for
}

void Topics::keep_missing(TopicsKnown& known) {
  std::map<std::string, Missing> seen;
  for (const auto& topic : known.topics) seen[topic.name] = {topic.partitions.size(), never};
  for (auto& [name, before] : seen_) {
    if (seen.contains(name)) continue;
    const Instant since = before.since == never ? timer_.now() : before.since;
    if (timer_.now() - since >= missing_kept) continue;
    seen[name] = {before.partitions, since};
    known.topics.push_back({name, static_cast<std::int32_t>(config_.batch_bytes_max),
                            std::vector<uplink::TopicPartition>(before.partitions)});
  }
  seen_ = std::move(seen);
}

void Topics::end_cycle(bool good) {
  step_ = Step::resting;
  next_ = timer_.now() + (good ? config_.refresh : failure_pause);
}

// Rule 8: by cloud-broker's own word; elsewhere the lesser of Kafka's expiration and the least retention.
std::int64_t Topics::producer_memory_ms() const {
  if (const auto own_word = number_of(broker_settings_, memory_of_cloud_broker)) return *own_word;
  std::int64_t memory = number_of(broker_settings_, memory_of_kafka).value_or(86'400'000);
  for (const auto& [name, settings] : topic_settings_) {
    if (name == uplink::fleet_topic) continue;
    const auto kept = number_of(settings, "retention.ms");
    if (kept && *kept >= 0) memory = std::min(memory, *kept);
  }
  return memory;
}

}  // namespace edgelog::gateway

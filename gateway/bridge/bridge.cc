#include "gateway/bridge/bridge.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "gateway/bridge/batch_facts.h"

namespace edgelog::gateway {
namespace {

constexpr Duration log_silence_max = seconds(30);  // three cycles of the topic list
constexpr std::string_view heartbeat_prefix = "edgelog/1/hb/", state_prefix = "edgelog/1/state/";

std::optional<PartitionIndex> parse_partition(std::string_view text) {
  std::int32_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return PartitionIndex{value};
}

// An agent gathers 192 KiB, or seals one event alone; JSON of the size of a batch that compressed to a fourth.
std::size_t plain_bytes_max(std::int64_t batch_bytes_max) {
  return std::max(ReaderConfig{}.plain_bytes_max, 4 * static_cast<std::size_t>(batch_bytes_max));
}

constexpr std::array<std::string_view, 2> shard_kinds{"up", "look"};

std::string filter(std::string_view kind, std::uint32_t shard) { return fmt::format("edgelog/1/{}/{}/#", kind, shard); }

bool is_of_a_shard(const std::string& filter) {
  return std::any_of(shard_kinds.begin(), shard_kinds.end(),
                     [&](std::string_view kind) { return filter.starts_with(fmt::format("edgelog/1/{}/", kind)); });
}

}  // namespace

Bridge::Bridge(BridgeConfig config, Ports ports, Events events, std::uint64_t seed)
    : ports_(std::move(ports)),
      events_(std::move(events)),
      core_(config.core, seed),
      topics_(config.topics, ports_.client, ports_.timer,
              {[this](TopicsKnown known) {
                 log_reached_ = true;
                 events_.state("log", "");
                 feed(known);
               },
               [this](const std::vector<std::string>& findings) { events_.findings(findings); }}),
      outbox_(ports_.uplink),
      reader_(ports_.client, {.plain_bytes_max = plain_bytes_max(config.core.batch_bytes_max)}),
      fleet_(config.fleet, config.name, ports_.client, ports_.timer),
      membership_(
          config.group, ports_.client, ports_.timer, [this](const Shards& shards) { own(shards); },
          [this](const std::string& trouble) { events_.state("group", trouble); }, seed ^ 0x5eed) {}

void Bridge::start() {
  events_.state("log", "not reached yet");
  events_.state("mqtt", "not connected yet");
  ports_.client.on_metadata([this] {
    topics_.metadata_changed();
    schedule();
  });
  ports_.client.start();
  topics_.start();
  events_.state("group", "not joined: MQTT does not work yet");
  // Until the group has spoken every shard is served, so that one that starts again after a crash need not
  // wait for its former self's session to end. Two who serve one shard do no harm, only work.
  own(Shards().set());
  ports_.uplink.subscribe(fmt::format("{}+", heartbeat_prefix));
  ports_.uplink.subscribe(fmt::format("{}+", state_prefix));
  schedule();
}

void Bridge::stop(std::function<void()> done) {
  attendance_.end();
  membership_.leave(std::move(done));
}

void Bridge::own(const Shards& shards) {
  metrics_.shards.set(static_cast<std::int64_t>(shards.count()));
  fleet_.own(shards);
  ShardsAssigned assigned;
  for (std::uint32_t shard = 0; shard < uplink::shard_count; ++shard)
    if (shards[shard]) assigned.shards.push_back(shard);
  feed(assigned);
}

void Bridge::on_alarm() {
  topics_.tick();
  attend();
  membership_.tick();
  fleet_.tick(ports_.wall());
  judge_log();
  if (ports_.timer.now() >= core_.deadline()) feed(Tick{});
  outbox_.flush(ports_.timer.now(), ports_.wall());
  publish_list();
  schedule();
}

void Bridge::judge_log() {
  if (!log_reached_ || ports_.timer.now() - topics_.last_known() < log_silence_max) return;
  log_reached_ = false;
  events_.state("log", "does not answer");
}

void Bridge::attend() { membership_.attend(attendance_.wanted(ports_.timer.now())); }

void Bridge::schedule() {
  Instant at = std::min(
      {core_.deadline(), topics_.deadline(), membership_.deadline(), fleet_.deadline(), attendance_.deadline()});
  // A turn later, so that what is answered together is told together.
  if (ports_.uplink.connected()) at = std::min({at, outbox_.deadline(), list_ ? list_retry_at_ : never});
  ports_.timer.wake_at(at);
}

void Bridge::feed(const Input& input) {
  Effects effects;
  core_.step(ports_.timer.now(), input, effects);
  for (const Effect& effect : effects) std::visit([this](const auto& e) { perform(e); }, effect);
  schedule();
}

void Bridge::connected() {
  for (const char* subject : {"mqtt", "mqtt publish", "mqtt subscriptions"}) events_.state(subject, "");
  attendance_.connected();
  outbox_.room();
  list_retry_at_ = {};
  feed(SessionStarted{});
  topics_.start();  // the server may have forgotten the list
  schedule();
}

void Bridge::disconnected(const std::string& reason) {
  events_.state("mqtt", "not connected: " + reason);
  attendance_.disconnected(ports_.timer.now());
  schedule();
}

void Bridge::acknowledged(const std::string& topic, int reason) {
  const bool taken = reason < uplink_refusal_min;
  if (!taken) metrics_.publishes_refused.add();
  if (topic != uplink::topics_topic) return;
  events_.state("mqtt publish", taken ? "" : fmt::format("{}: refused, reason {:#x}", topic, reason));
  attendance_.list_answered(taken);
  attend();
  schedule();
}

// Without the fleet's filters a gateway serves its shards as well as any other.
void Bridge::filters_refused(const std::string& which, const std::vector<std::string>& filters) {
  events_.state("mqtt subscriptions", which);
  attendance_.filters_refused(std::any_of(filters.begin(), filters.end(), is_of_a_shard));
  attend();
  schedule();
}

void Bridge::room() {
  outbox_.flush(ports_.timer.now(), ports_.wall());
  publish_list();
  schedule();
}

void Bridge::message(UplinkMessage message) {
  metrics_.messages.add();
  if (fleet_came(message)) return schedule();
  const auto address = uplink::parse_up_topic(message.topic);
  if (!address) return metrics_.bad_topics.add();
  if (address->look) return look_came(*address, message);
  batch_came(*address, message);
}

bool Bridge::fleet_came(const UplinkMessage& message) {
  const std::string_view topic = message.topic;
  if (topic.starts_with(state_prefix)) {
    const std::string agent(topic.substr(state_prefix.size()));
    const std::string_view state = as_text(message.payload);
    if (state == "online" || state == "offline")
      fleet_.state(agent, state == "online", ports_.wall());
    else
      metrics_.bad_messages.add();
    return true;
  }
  if (!topic.starts_with(heartbeat_prefix)) return false;
  uplink::Heartbeat heartbeat;
  if (uplink::decode(message.payload, heartbeat))
    fleet_.heartbeat(std::string(topic.substr(heartbeat_prefix.size())), std::move(heartbeat), ports_.wall());
  else
    metrics_.bad_messages.add();
  return true;
}

void Bridge::batch_came(const uplink::UpAddress& address, UplinkMessage& message) {
  const Ticket ticket{++last_ticket_};
  BatchArrived arrived{ticket, address.agent, address.topic, parse_partition(message.partition),
                       read_facts(message.payload, scratch_)};
  payloads_.emplace(ticket, Payload{std::make_shared<const Buffer>(std::move(message.payload)), ports_.timer.now()});
  feed(arrived);
}

void Bridge::look_came(const uplink::UpAddress& address, const UplinkMessage& message) {
  LookArrived arrived{address.agent, address.topic, {}};
  if (!uplink::decode(message.payload, arrived.request)) return metrics_.bad_messages.add();
  feed(arrived);
}

void Bridge::perform(const Produce& effect) {
  const auto found = payloads_.find(effect.ticket);
  ASSERT(found != payloads_.end());
  const Ticket ticket = effect.ticket;
  found->second.token =
      ports_.client.produce({effect.topic, effect.partition}, effect.lane, found->second.bytes, effect.not_after,
                            [this, ticket](const client::ProduceResult& result) { produced(ticket, result); });
}

void Bridge::produced(Ticket ticket, const client::ProduceResult& result) {
  const auto found = payloads_.find(ticket);
  if (result.error == wire::ErrorCode::none) {
    metrics_.produced_ok.add();
    if (found != payloads_.end())
      metrics_.produce_nanoseconds.add(
          static_cast<std::uint64_t>((ports_.timer.now() - found->second.arrived).value()));
  } else {
    metrics_.produced_error.add();
    if (!result.message.empty()) LOG(debug, "produce: error {}: {}", wire::code(result.error), result.message);
  }
  feed(Produced{ticket, wire::code(result.error), result.offset, result.leader_epoch});
}

void Bridge::perform(const AnswerBatch& effect) { outbox_.add(effect.agent, effect.answer); }
void Bridge::perform(const AnswerLook& effect) { outbox_.add(effect.agent, effect.answer); }

void Bridge::perform(const Released& effect) {
  const auto found = payloads_.find(effect.ticket);
  ASSERT(found != payloads_.end());
  if (effect.reason == Release::expired) ports_.client.cancel(found->second.token);
  payloads_.erase(found);
}

void Bridge::perform(const AskRange& effect) {
  reader_.ask(effect, [this](const RangeKnown& known) { feed(known); });
}
void Bridge::perform(const Read& effect) {
  reader_.read(effect, [this](const RangeRead& read) { feed(read); });
}

void Bridge::perform(const PublishTopics& effect) {
  list_ = effect.list;
  list_retry_at_ = {};
}

void Bridge::publish_list() {
  // What is old must not get a fresh time: another list comes as soon as the log answers.
  if (list_ && ports_.timer.now() - topics_.last_known() >= log_silence_max) list_.reset();
  if (!list_) return;
  list_->gateway_time = ports_.wall();
  if (ports_.uplink.publish(std::string(uplink::topics_topic), uplink::encode(*list_), true))
    list_.reset();
  else
    list_retry_at_ = ports_.timer.now() + no_place_pause;
}

void Bridge::perform(const Subscribe& effect) {
  for (const auto kind : shard_kinds) ports_.uplink.subscribe(filter(kind, effect.shard));
}
void Bridge::perform(const Unsubscribe& effect) {
  for (const auto kind : shard_kinds) ports_.uplink.unsubscribe(filter(kind, effect.shard));
}
void Bridge::perform(const Reconnect&) {
  LOG(warning, "this process slept: the MQTT session begins anew");
  ports_.uplink.reconnect();
}

}  // namespace edgelog::gateway

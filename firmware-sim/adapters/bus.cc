#include "firmware-sim/adapters/bus.h"

#include <fmt/format.h>
#include <algorithm>

#include <nlohmann/json.hpp>

#include "firmware-sim/core/text.h"

namespace edgelog::firmware {
namespace {

constexpr std::size_t events_per_turn = 1'000;  // then the loop gets its chance
constexpr Duration turn_pause = microseconds(1);

struct Confirmation {
  std::uint64_t boot = 0, through = 0;
};

std::optional<Confirmation> parse_confirmation(Bytes payload) {
  const auto text = as_text(payload);
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto boot = json.find("boot"), through = json.find("through");
  if (boot == json.end() || through == json.end() || !boot->is_number_unsigned() || !through->is_number_unsigned())
    return std::nullopt;
  return Confirmation{boot->get<std::uint64_t>(), through->get<std::uint64_t>()};
}

}  // namespace

struct Bus::Device {
  std::string name, topic, notice;
  Line* line;
  std::uint64_t boot;
  Outbox outbox;
  std::deque<std::string> payloads;                   // of the outbox's numbers, in their order
  std::set<std::uint64_t> stutters;                   // numbers to publish twice
  std::pair<Instant, std::uint64_t> place{never, 0};  // in its line's queue
};

struct Bus::Line {
  std::unique_ptr<io::MqttClient> mqtt;
  std::set<std::pair<std::pair<Instant, std::uint64_t>, Device*>> queue;           // by the time of the next sending
  std::unordered_map<std::uint64_t, std::pair<Device*, std::uint64_t>> in_flight;  // ticket -> number
};

Bus::Bus(io::Loop& loop, BusConfig config, EventSource& source, Ledger& ledger, std::function<void()> finished)
    : loop_(loop),
      config_(std::move(config)),
      source_(source),
      ledger_(ledger),
      finished_(std::move(finished)),
      alarm_(loop, [this] { on_alarm(); }) {}

Bus::~Bus() = default;

void Bus::start() {
  begin_ = io::boottime_now();
  for (std::size_t i = 0; i < config_.connections; ++i) {
    lines_.push_back(std::make_unique<Line>());
    Line& line = *lines_.back();
    auto options = config_.mqtt;
    options.client_id += fmt::format("-{}", i);
    io::MqttHandlers handlers;
    handlers.connected = [this, &line] { on_connected(line); };
    handlers.disconnected = [this, &line](const std::string& why) {
      line.in_flight.clear();
      std::uint64_t suppressed = 0;
      if (complaints_.pass(io::boottime_now(), suppressed)) LOG(warning, "MQTT: {}; will try again", why);
    };
    handlers.message = [this](const io::MqttMessage& message) { on_message(message); };
    handlers.published = [this, &line](std::uint64_t ticket, int) { on_handed_over(line, ticket); };
    line.mqtt = std::make_unique<io::MqttClient>(loop_, options, std::move(handlers));
    // One connection hears all confirmations: the devices are one process.
    if (i == 0 && config_.outbox.kind == SourceKind::ring) {
      std::string filter = config_.topic;
      if (const auto at = filter.find("{device}"); at != std::string::npos) filter.replace(at, 8, "+");
      line.mqtt->subscribe(filter + "/confirm");
    }
    line.mqtt->start();
  }
  wake();
}

std::uint64_t Bus::connections_ready() const {
  std::uint64_t ready = 0;
  for (const auto& line : lines_) ready += line->mqtt->connected() ? 1 : 0;
  return ready;
}

Instant Bus::now() const { return Instant{} + (io::boottime_now() - begin_); }

void Bus::on_alarm() {
  const bool more = take_events();
  for (auto& line : lines_) pump(*line);
  counters_.stored.set(static_cast<std::int64_t>(stored_));
  if (awaited_ && source_.deadline() == never && stored_ == 0) {
    awaited_ = false;
    finished_();
  }
  if (more) {
    alarm_.wake_at(io::boottime_now() + turn_pause);
  } else {
    wake();
  }
}

// True if there is more to take at once.
bool Bus::take_events() {
  for (std::size_t taken = 0; taken < events_per_turn; ++taken) {
    if (source_.deadline() > now()) return false;
    Device& device = device_of(source_.front());
    if (config_.wait_when_full && device.outbox.full()) return false;
    make(device, source_.front());
    source_.pop();
  }
  return true;
}

Bus::Device& Bus::device_of(const Made& made) {
  if (const auto found = devices_.find(made.device); found != devices_.end()) return *found->second;
  std::string topic = config_.topic;
  if (const auto at = topic.find("{device}"); at != std::string::npos) topic.replace(at, 8, topic_level(made.device));
  while (by_confirm_topic_.contains(topic + "/confirm")) topic += '_';  // "a/b" and "a_b"
  Line& line = *lines_[devices_.size() % lines_.size()];
  auto device = std::unique_ptr<Device>(new Device{made.device,
                                                   topic,
                                                   made.notice,
                                                   &line,
                                                   config_.boot,
                                                   Outbox(config_.outbox, config_.seed ^ name_hash(made.device)),
                                                   {},
                                                   {},
                                                   {never, 0}});
  Device& ref = *device;
  by_confirm_topic_[topic + "/confirm"] = &ref;
  devices_.emplace(made.device, std::move(device));
  counters_.devices.set(static_cast<std::int64_t>(devices_.size()));
  return ref;
}

void Bus::make(Device& device, const Made& made) {
  if (made.what == Made::What::reboot) return reboot(device);
  const std::uint64_t number = device.outbox.make();
  forget(device, true);
  std::string payload = "{";
  if (config_.outbox.kind != SourceKind::plain) {
    if (config_.with_boot) payload += fmt::format("\"boot\":{},", device.boot);
    payload += fmt::format("\"n\":{},", number);
  }
  payload += made.fields;
  payload += '}';
  ledger_.made(device.name, device.boot, number, payload);
  counters_.made.add();
  ++stored_;
  device.payloads.push_back(std::move(payload));
  if (made.repeat) device.stutters.insert(number);
  ASSERT(device.payloads.size() == device.outbox.stored());  // F2
  schedule(device);
}

// Memory in RAM is gone and nobody can say what was in it; flash keeps ring, number and boot.
void Bus::reboot(Device& device) {
  counters_.reboots.add();
  if (config_.ring_survives_reboot) return;
  if (device.outbox.stored() > 0)
    ledger_.lost(device.name, device.boot, device.outbox.oldest(), device.outbox.next() - 1);
  counters_.lost.add(device.outbox.stored());
  stored_ -= device.outbox.stored();
  device.payloads.clear();
  device.stutters.clear();
  std::erase_if(device.line->in_flight, [&](const auto& entry) { return entry.second.first == &device; });
  ++device.boot;
  device.outbox = Outbox(config_.outbox, config_.seed ^ name_hash(device.name) ^ device.boot);
  schedule(device);
}

void Bus::forget(Device& device, bool lost) {
  const std::size_t gone =
      device.payloads.size() -
      std::min(device.payloads.size(),
               static_cast<std::size_t>(device.outbox.next() - device.outbox.oldest()) - (lost ? 1 : 0));
  if (gone == 0) return;
  if (lost) {
    const std::uint64_t last = device.outbox.oldest() - 1;
    ledger_.lost(device.name, device.boot, last - gone + 1, last);
    counters_.lost.add(gone);
  } else {
    counters_.confirmed.add(gone);
  }
  device.payloads.erase(device.payloads.begin(), device.payloads.begin() + static_cast<std::ptrdiff_t>(gone));
  device.stutters.erase(device.stutters.begin(), device.stutters.lower_bound(device.outbox.oldest()));
  stored_ -= gone;
}

void Bus::schedule(Device& device) {
  Line& line = *device.line;
  const Instant due = device.outbox.deadline();
  if (device.place.first == due) return;
  if (device.place.first != never) line.queue.erase({device.place, &device});
  device.place = {due, ++turn_};
  if (due != never) line.queue.emplace(device.place, &device);
}

void Bus::pump(Line& line) {
  const Instant at = now();
  while (line.mqtt->places() > 0 && !line.queue.empty() && line.queue.begin()->first.first <= at) {
    Device& device = *line.queue.begin()->second;
    line.queue.erase(line.queue.begin());
    device.place = {never, 0};
    if (const auto number = device.outbox.due(at)) send(line, device, *number);
    schedule(device);
  }
}

void Bus::send(Line& line, Device& device, std::uint64_t number) {
  const std::string& payload = device.payloads[static_cast<std::size_t>(number - device.outbox.oldest())];
  const bool first = device.outbox.sendings(number) == 0;
  device.outbox.sent(number, now());
  const auto ticket = line.mqtt->publish(device.topic, as_bytes(payload));
  if (!ticket) return;  // the connection broke meanwhile: its turn comes again
  line.in_flight[*ticket] = {&device, number};
  counters_.published.add();
  if (!first) counters_.resent.add();
  if (first && device.stutters.erase(number) > 0 && line.mqtt->places() > 0 &&
      line.mqtt->publish(device.topic, as_bytes(payload)))
    counters_.resent.add();
}

void Bus::on_connected(Line& line) {
  LOG(info, "MQTT: connected");
  line.in_flight.clear();
  for (auto& [name, device] : devices_) {
    if (device->line != &line) continue;
    device->outbox.resend_all();
    schedule(*device);
  }
  wake();
}

void Bus::on_handed_over(Line& line, std::uint64_t ticket) {
  if (const auto found = line.in_flight.find(ticket); found != line.in_flight.end()) {
    const auto [device, number] = found->second;
    line.in_flight.erase(found);
    device->outbox.handed_over(number);
    forget(*device, false);
    schedule(*device);
  }
  wake();
}

void Bus::on_message(const io::MqttMessage& message) {
  const auto found = by_confirm_topic_.find(message.topic);
  const auto confirmation = parse_confirmation(message.payload);
  if (found == by_confirm_topic_.end() || !confirmation) return;
  Device& device = *found->second;
  if (confirmation->boot != device.boot) return;
  const auto notice = device.outbox.confirmed(confirmation->through, now());
  forget(device, false);
  schedule(device);
  if (notice) say_notice(device, *notice);
  wake();
}

void Bus::say_notice(Device& device, const Notice& notice) {
  std::string payload =
      fmt::format(R"({{"boot":{},"confirmed":{},"lost":{})", device.boot, notice.confirmed, notice.lost);
  if (!device.notice.empty()) payload += "," + device.notice;
  payload += '}';
  if (device.line->mqtt->publish(device.topic, as_bytes(payload))) counters_.notices.add();
}

void Bus::wake() {
  Instant next = source_.deadline();
  if (next <= now()) {
    // Held back by a full outbox: a confirmation wakes us.
    Device& device = device_of(source_.front());
    if (config_.wait_when_full && device.outbox.full()) next = never;
  }
  if (source_.deadline() == never && stored_ == 0 && awaited_) next = Instant{};
  for (const auto& line : lines_)
    if (line->mqtt->places() > 0 && !line->queue.empty()) next = std::min(next, line->queue.begin()->first.first);
  alarm_.wake_at(next == never ? never : begin_ + (next - Instant{}));
}

}  // namespace edgelog::firmware

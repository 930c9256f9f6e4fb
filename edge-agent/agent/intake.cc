#include "edge-agent/agent/intake.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "common/uplink/names.h"
#include "edge-agent/agent/gap_record.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t confirm_topics_max = 100'000;
constexpr std::size_t topic_max = 1024;

// FNV-1a: tells a repeat from another message with the same number, no more.
std::uint64_t hash_of(Bytes bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte b : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3;
  return hash;
}

void set_number(std::string& text, std::int64_t number) {
  text.clear();
  fmt::format_to(std::back_inserter(text), "{}", number);
}

}  // namespace

Intake::Intake(IntakeOptions options, Mapping mapping, Driver& driver, Parse parse)
    : options_(std::move(options)), mapping_(std::move(mapping)), driver_(driver), parse_(std::move(parse)) {
  message_.source.input = options_.input;
  message_.can_wait = options_.can_wait;
}

Outcome Intake::deliver(std::string_view topic, Bytes payload, bool retained) {
  counts_.messages.add();
  counts_.bytes.add(payload.size());
  mapped_.numbered = false;
  mapped_.device.clear();
  if (topic.size() > topic_max || !is_utf8(topic)) {
    counts_.unknown_topics.add();
    return take_dead_letter({}, payload, "topic too long or not UTF-8", {});
  }
  const TopicRule* rule = mapping_.match(topic, captures_);
  if (rule == nullptr) {
    counts_.unknown_topics.add();
    return take_dead_letter(topic, payload, "no rule for this topic", {});
  }
  if (rule->ignore) {
    counts_.ignored.add();
    return Outcome::repeat;
  }
  if (retained && !mapping_.snapshots) {
    counts_.snapshots.add();
    return Outcome::repeat;
  }
  if (payload.size() > options_.message_bytes_max) return take_dead_letter(topic, payload, "too large", {});
  if (const auto reason = parse_(payload, object_); !reason.empty())
    return take_dead_letter(topic, payload, reason, {});
  mapping_.apply(*rule, {options_.site, topic, &captures_, &object_}, driver_.core().best_time(driver_.now()), mapped_);
  learn_confirm_topic();
  switch (mapped_.verdict) {
    case Mapped::Verdict::ignored: counts_.ignored.add(); return Outcome::repeat;
    case Mapped::Verdict::refused: return take_dead_letter(topic, payload, mapped_.reason, mapped_.detail);
    case Mapped::Verdict::events:
      if (const Outcome outcome = take_events(payload); outcome != Outcome::refused) return outcome;
      return take_dead_letter(topic, payload, refusal_, {});
    case Mapped::Verdict::notice: break;
  }
  driver_.device_says({{options_.input, mapped_.device},
                       mapped_.source.incarnation,
                       mapped_.notice.confirmed_through,
                       mapped_.notice.lost_through});
  return Outcome::taken;
}

// Whatever became of the delivery: a device with a ring is told where it stands also when what it says is refused.
void Intake::learn_confirm_topic() {
  if (mapping_.source.kind != SourceKind::ring || mapped_.device.empty() || mapped_.confirm.empty()) return;
  const auto known = confirm_topics_.find(mapped_.device);
  if (known == confirm_topics_.end()) {
    if (confirm_topics_.size() >= confirm_topics_max) confirm_topics_.erase(confirm_topics_.begin());
    confirm_topics_.emplace(mapped_.device, mapped_.confirm);
  } else if (known->second != mapped_.confirm) {
    known->second = mapped_.confirm;
  }
}

void Intake::make_headers() {
  headers_.clear();
  if (mapped_.time.at) {
    set_number(time_text_, mapped_.time.at->value());
    headers_.push_back({header_time, time_text_});
  }
  if (mapped_.time.trust != ClockTrust::none) headers_.push_back({header_clock, name_of(mapped_.time.trust)});
  if (!mapped_.numbered) return;
  if (!mapped_.source.incarnation.empty()) headers_.push_back({header_boot, mapped_.source.incarnation});
  set_number(number_text_, mapped_.source.number);
  headers_.push_back({header_number, number_text_});
}

Outcome Intake::take_events(Bytes payload) {
  const ClockTrust trust = mapped_.time.trust;
  if (trust == ClockTrust::unset || trust == ClockTrust::ahead || trust == ClockTrust::unreadable) {
    counts_.clocks_off.add();
    if (counts_.clocks_off.value() == 1)
      LOG(warning, "input {}: {} gives a time that is {}; its events say so in a header", options_.input,
          mapped_.device, name_of(trust));
  }
  make_headers();
  contents_.clear();
  for (std::size_t i = 0; i < mapped_.count; ++i)
    contents_.push_back({mapped_.events[i].stream, mapped_.key, mapped_.events[i].value, headers_});
  return offer(contents_, payload);
}

Outcome Intake::offer(std::span<const Content> contents, Bytes payload) {
  const SourceMark& mark = mapped_.source;
  message_.kind = mapped_.numbered ? mark.kind : SourceKind::plain;
  message_.source.device = mapped_.device;
  message_.incarnation = mapped_.numbered ? mark.incarnation : std::string();
  message_.number = mapped_.numbered ? mark.number : 0;
  message_.modulus = mapping_.source.modulus;
  message_.payload_hash = mapped_.numbered && mark.incarnation.empty() ? hash_of(payload) : 0;
  const Taking taking = driver_.take(message_, contents);
  if (taking.outcome == Outcome::refused) refusal_ = taking.reason;
  return taking.outcome;
}

Outcome Intake::offer_dead_letter(std::string_view key, std::string_view value, Bytes payload) {
  make_headers();
  const Content content{uplink::dead_letter_topic, key, value, headers_};
  return offer({&content, 1}, payload);
}

// Without any event: its device goes on behind it.
Outcome Intake::take_number(Bytes payload) { return mapped_.numbered ? offer({}, payload) : Outcome::refused; }

// Under its own number where that could be read: the device goes on.
Outcome Intake::take_dead_letter(std::string_view topic, Bytes payload, std::string_view reason,
                                 std::string_view detail) {
  counts_.refused.add();
  complain(topic, reason, detail);
  if (!options_.dead_letters) return take_number(payload);
  const std::string value = dead_letter_value({options_.agent, options_.input, topic, reason, detail, payload});
  const bool named = !mapped_.device.empty();
  const std::string key = named ? mapped_.key : options_.site;
  mapped_.time = {};
  const Outcome outcome = offer_dead_letter(key, value, payload);
  if (outcome != Outcome::refused || !mapped_.numbered) return outcome;
  const char* refusal = refusal_;
  if (const Outcome number = take_number(payload); number != Outcome::refused) {
    complain(topic, "no dead letter can be made of it", refusal);
    return number;
  }
  mapped_.numbered = false;  // it is the number that does not do
  return offer_dead_letter(key, value, payload);
}

void Intake::complain(std::string_view topic, std::string_view reason, std::string_view detail) {
  std::uint64_t suppressed = 0;
  if (!complaints_.pass(driver_.now().now, suppressed)) return;
  LOG(warning, "input {}: {}: {} {}{}", options_.input, topic.substr(0, 128), reason, detail.substr(0, 128),
      suppressed == 0 ? "" : fmt::format(" ({} more were not logged)", suppressed));
}

std::string_view Intake::confirm_topic(std::string_view device) const {
  const auto known = confirm_topics_.find(device);
  return known == confirm_topics_.end() ? std::string_view{} : std::string_view(known->second);
}

std::string confirmation(std::string_view incarnation, std::int64_t through) {
  return fmt::format("{{\"boot\":{},\"through\":{}}}", incarnation, through);
}

}  // namespace edgelog::agent

#include "tests/sim/edge/devices.h"

#include <algorithm>

namespace edgelog::sim::edge {

namespace {

constexpr std::size_t queue_max = 100;
std::uint64_t last_fact = 0;

}  // namespace

class Device {
 public:
  Device(Site& site, Base& base, int id, DeviceKind kind, std::int64_t ring)
      : site_(site), base_(base), id_(id), kind_(kind), ring_(ring) {
    source_ = {"mqtt", "device-" + std::to_string(id)};
    boot_ = id * 1000 + 1;
    fresh_outbox();
    site_.checker_.booted(id_, boot_);
  }

  bool has_ring() const { return kind_ == DeviceKind::ring || kind_ == DeviceKind::ring_lasting; }
  int id() const { return id_; }
  const agent::SourceName& source() const { return source_; }
  bool empty() const { return !has_ring() || outbox_->stored() == 0; }

  void make() {
    auto fact = std::make_shared<Fact>();
    fact->id = ++last_fact;
    fact->device = id_;
    fact->boot = boot_;
    fact->events = static_cast<int>(topics().size());
    if (has_ring()) {
      const std::uint64_t oldest = outbox_->oldest();
      fact->number = static_cast<std::int64_t>(outbox_->make());
      if (outbox_->oldest() > oldest) base_.injected(Fault::ring_overflow);
      ring_facts_[static_cast<std::uint64_t>(fact->number)] = fact;
      ring_facts_.erase(ring_facts_.begin(), ring_facts_.lower_bound(outbox_->oldest()));
    } else {
      fact->number = ++number_;
    }
    site_.checker_.made(fact);
    if (has_ring()) return pump();
    site_.send({fact, std::nullopt, this});
  }

  void pump() {
    if (!has_ring()) return;
    while (const auto number = outbox_->due(base_.now)) {
      outbox_->sent(*number, base_.now);
      site_.send({ring_facts_.at(*number), std::nullopt, this});
    }
    const Instant due = outbox_->deadline();
    if (due == never || (armed_ != never && armed_ > base_.now && armed_ <= due)) return;
    armed_ = due;
    base_.at(std::max(due, base_.now + microseconds(1)), [this, due] {
      if (armed_ != due) return;
      armed_ = never;
      pump();
    });
  }

  void confirmed(const agent::ConfirmDevice& confirmation) {
    if (!has_ring() || confirmation.incarnation != std::to_string(boot_)) return;
    confirmed_ = std::max(confirmed_, confirmation.through);
    const auto notice = outbox_->confirmed(static_cast<std::uint64_t>(confirmation.through), base_.now);
    ring_facts_.erase(ring_facts_.begin(), ring_facts_.lower_bound(outbox_->oldest()));
    if (notice) {
      agent::DeviceSays says{source_, std::to_string(boot_), static_cast<std::int64_t>(notice->confirmed),
                             static_cast<std::int64_t>(notice->lost)};
      site_.send({nullptr, says, this});
    }
    pump();
  }

  void reboot() {
    base_.injected(Fault::device_reboot);
    base_.say("device {}: reboots", id_);
    if (kind_ == DeviceKind::ring_lasting) {
      outbox_->resend_all();
      return pump();
    }
    if (kind_ == DeviceKind::ring) {
      // Also what the ring had lost before, and not told yet.
      site_.checker_.lost_at_device(id_, boot_, confirmed_ + 1, static_cast<std::int64_t>(outbox_->next()) - 1);
      fresh_outbox();
    }
    if (kind_ == DeviceKind::numbered_without_boot) {
      base_.injected(Fault::device_renumbers);
      number_ = 0;
      ++boot_;  // which it tells nobody
      return;
    }
    number_ = 0;
    site_.checker_.booted(id_, ++boot_);
  }

  std::vector<std::string> topics() const {
    if (id_ % 3 == 0) return {"doors", "climate"};
    return {id_ % 3 == 1 ? "doors" : "climate"};
  }

  bool deliver(const FactPtr& fact) {
    if (!site_.agent_.up()) return false;
    agent::Taken taken;
    taken.source = source_;
    taken.kind = has_ring()                   ? agent::SourceKind::ring
                 : kind_ == DeviceKind::plain ? agent::SourceKind::plain
                                              : agent::SourceKind::numbered;
    if (kind_ != DeviceKind::numbered_without_boot && kind_ != DeviceKind::plain)
      taken.incarnation = std::to_string(fact->boot);
    taken.number = fact->number;
    taken.can_wait = !site_.plan_.cannot_wait || id_ % 2 == 0;
    if (taken.kind == agent::SourceKind::numbered && site_.plan_.modulus > 0) {
      if (taken.number >= site_.plan_.modulus) base_.injected(Fault::number_wraps);
      taken.modulus = site_.plan_.modulus;
      taken.number %= taken.modulus;
    }
    taken.payload_hash = taken.ticket = fact->id;
    for (const std::string& topic : topics()) taken.events.push_back({*site_.agent_.stream(topic), 40});
    return site_.agent_.take(taken, fact);
  }

 private:
  void fresh_outbox() {
    outbox_ = std::make_unique<firmware::Outbox>(
        firmware::OutboxConfig{firmware::SourceKind::ring, static_cast<std::size_t>(ring_)}, base_.random.next());
    ring_facts_.clear();
    confirmed_ = 0;
  }

  Site& site_;
  Base& base_;
  int id_;
  DeviceKind kind_;
  std::int64_t ring_;
  agent::SourceName source_;
  std::int64_t boot_ = 1, number_ = 0;
  std::int64_t confirmed_ = 0;  // of the ring, in this boot
  std::unique_ptr<firmware::Outbox> outbox_;
  std::map<std::uint64_t, FactPtr> ring_facts_;
  Instant armed_ = never;
};

Site::Site(Base& base, const Plan& plan, Checker& checker, AgentNode& agent, int index)
    : base_(base), plan_(plan), checker_(checker), agent_(agent), index_(index) {
  if (index == 0) last_fact = 0;
  agent_.confirm = [this](const agent::ConfirmDevice& c) { confirm(c); };
  for (int i = 0; i < plan.devices; ++i) {
    const auto kind = static_cast<DeviceKind>(base_.random.below(5));
    const int id = index * 100 + i;
    checker_.device(id, kind);
    devices_.push_back(std::make_unique<Device>(*this, base_, id, kind, plan.ring));
  }
  for (auto& device : devices_)
    base_.after(base_.between(Duration{0}, plan_.pace), [this, d = device.get()] { make(*d); });
}

// Each device makes messages at its own pace, for as long as the site makes any.
void Site::make(Device& device) {
  if (!making_) return;
  device.make();
  base_.after(base_.between(Duration{1}, Duration{2 * plan_.pace.value()}), [this, d = &device] { make(*d); });
}

Site::~Site() = default;

void Site::send(ToAgent message) {
  if (!healed_ && base_.chance(plan_.site_loss)) {
    base_.injected(Fault::site_loss);
    return;
  }
  last_up_ = std::max(last_up_, base_.now + base_.between(microseconds(200), milliseconds(20)));
  base_.at(last_up_, [this, message, life = life_] {
    if (life == life_) arrive(message);
  });
  if (healed_ || !message.fact || !base_.chance(plan_.site_repeat)) return;
  base_.injected(Fault::site_repeat);
  checker_.redelivered(message.fact->id);
  base_.at(last_up_ + base_.between(milliseconds(1), seconds(5)), [this, message, life = life_] {
    if (life == life_) arrive(message);
  });
}

void Site::arrive(const ToAgent& message) {
  if (!agent_.up()) {
    if (waiting_.size() < queue_max) waiting_.push_back(message);
    if (waiting_.size() == 1) base_.after(milliseconds(500), [this] { drain(); });
    return;
  }
  if (message.says)
    agent_.says(*message.says);
  else
    message.from->deliver(message.fact);
}

void Site::drain() {
  if (!agent_.up()) {
    base_.after(milliseconds(500), [this] { drain(); });
    return;
  }
  while (!waiting_.empty() && agent_.up()) {
    const ToAgent message = waiting_.front();
    waiting_.pop_front();
    arrive(message);
  }
  if (!waiting_.empty()) base_.after(milliseconds(500), [this] { drain(); });
}

void Site::kill_mqtt() {
  base_.injected(Fault::site_killed);
  base_.say("site {}: MQTT server killed", index_);
  ++life_;
  waiting_.clear();
}

void Site::reboot_device() { devices_[base_.random.below(devices_.size())]->reboot(); }

void Site::confirm(const agent::ConfirmDevice& confirmation) {
  for (auto& device : devices_) {
    if (device->source() != confirmation.source) continue;
    checker_.confirmed(index_, agent_.store(), confirmation, device->id());
    if (!healed_ && base_.chance(plan_.site_loss)) {
      base_.injected(Fault::site_loss);
      return;
    }
    last_down_ = std::max(last_down_, base_.now + base_.between(microseconds(200), milliseconds(20)));
    base_.at(last_down_, [d = device.get(), confirmation, this, life = life_] {
      if (life == life_) d->confirmed(confirmation);
    });
  }
}

void Site::heal() { healed_ = true; }
void Site::stop_making() {
  making_ = false;
  for (auto& device : devices_) device->make();
}

bool Site::empty() const {
  return std::all_of(devices_.begin(), devices_.end(), [](const auto& d) { return d->empty(); });
}

}  // namespace edgelog::sim::edge

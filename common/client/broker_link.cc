#include "common/client/broker_link.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/wire/api_versions.h"
#include "common/wire/header.h"

namespace edgelog::client {
using wire::ErrorCode;

BrokerLink::BrokerLink(const LinkOptions& options, Links& links, Timer& timer, LinkOwner& owner, Address address,
                       std::uint64_t seed)
    : options_(options), links_(links), timer_(timer), owner_(owner), address_(std::move(address)), prng_(seed) {}

BrokerLink::~BrokerLink() {
  if (const LinkId* open = link()) links_.close(*open);
}

const LinkId* BrokerLink::link() const {
  if (const auto* connecting = std::get_if<Connecting>(&state_)) return &connecting->link;
  if (const auto* ready = std::get_if<Ready>(&state_)) return &ready->link;
  return nullptr;
}

bool BrokerLink::call(Call&& call) {
  ASSERT(call.api && call.encode && call.done);
  if (waiting_.size() >= options_.waiting_max) return false;
  waiting_.push_back(std::move(call));
  connect();
  pump();
  return true;
}

void BrokerLink::connect() {
  wanted_ = true;
  if (const auto* pausing = std::get_if<Pausing>(&state_); pausing && pausing->until <= timer_.now()) state_ = Idle{};
  if (std::holds_alternative<Idle>(state_)) dial();
}

void BrokerLink::dial() { state_ = Connecting{links_.dial(address_, *this), timer_.now() + options_.connect_timeout}; }

void BrokerLink::opened(LinkId id) {
  auto* connecting = std::get_if<Connecting>(&state_);
  ASSERT(connecting && connecting->link == id);  // C1
  connecting->asked = true;
  const wire::RequestHeader header{wire::api_versions_api.key, 0, ++last_correlation_id_, options_.client_id};
  Buffer frame;
  wire::encode_request(header, wire::ApiVersionsRequest{}, frame);
  links_.send(id, std::move(frame));
}

void BrokerLink::learn_versions(LinkId id, Bytes frame) {
  std::int32_t correlation_id = 0;
  wire::ApiVersionsResponse response;
  if (!wire::take_response_header(frame, wire::api_versions_api, 0, correlation_id) ||
      correlation_id != last_correlation_id_ || !wire::decode(frame, 0, response) ||
      response.error_code != ErrorCode::none)
    return lose("no answer to ApiVersions", false);
  Ready ready{id, {}};
  for (const auto& range : response.apis)
    ready.spoken[range.api_key] = wire::only(range.min_version, range.max_version);
  state_ = std::move(ready);
  owner_.link_ready(*this);
  pump();
}

void BrokerLink::received(LinkId id, Bytes frame) {
  if (std::holds_alternative<Connecting>(state_)) return learn_versions(id, frame);
  ASSERT(ready() && *link() == id);  // C1
  if (in_flight_.empty()) return lose("an answer that nobody asked for", false);
  InFlight call = std::move(in_flight_.front());
  std::int32_t correlation_id = 0;
  if (!wire::take_response_header(frame, *call.api, call.version, correlation_id) ||
      correlation_id != call.correlation_id) {
    in_flight_.front() = std::move(call);
    return lose("an answer out of order", false);
  }
  in_flight_.pop_front();
  failures_ = 0;
  call.done(ErrorCode::none, call.version, frame);
  pump();
  owner_.link_moved(*this);
}

void BrokerLink::closed(LinkId id, const std::string& reason) {
  ASSERT(link() && *link() == id);  // C1
  state_ = Idle{};
  lose(reason, false);
}

void BrokerLink::drop(const std::string& reason) {
  if (link() || !waiting_.empty()) lose(reason, false);
}

void BrokerLink::move_to(const Address& address) {
  if (address == address_) return;
  address_ = address;
  failures_ = 0;
  drop("the broker has moved");
}

// Everything under way fails. `late`: the oldest had no answer in time.
void BrokerLink::lose(const std::string& reason, bool late) {
  if (const LinkId* open = link()) links_.close(*open);
  const std::int64_t doubled = options_.pause_min.value() << std::min<std::uint32_t>(failures_++, 10);
  const std::int64_t whole = std::min(options_.pause_max.value(), doubled);
  state_ = Pausing{timer_.now() + Duration{prng_.between(whole / 2, whole)}};
  std::vector<Failed> failed;
  for (InFlight& call : in_flight_)
    failed.push_back(
        {std::move(call.done), late && failed.empty() ? ErrorCode::request_timed_out : ErrorCode::network_exception});
  for (Call& call : waiting_) failed.push_back({std::move(call.done), ErrorCode::network_exception});
  in_flight_.clear();
  waiting_.clear();
  wanted_ = false;
  LOG(debug, "{}:{}: {}; {} requests fail", address_.host, address_.port, reason, failed.size());
  owner_.link_lost(*this, reason);
  tell(failed);
  owner_.link_moved(*this);
}

void BrokerLink::tell(std::vector<Failed>& failed) {
  for (Failed& call : failed) call.done(call.error, 0, {});
}

void BrokerLink::pump() {
  const auto* connection = std::get_if<Ready>(&state_);
  if (!connection) return;
  while (!waiting_.empty() && in_flight_.size() < options_.in_flight_max &&
         links_.unsent(connection->link) < options_.unsent_bytes_max) {
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    send(call);
  }
}

void BrokerLink::send(Call& call) {
  const auto& connection = std::get<Ready>(state_);
  const auto spoken = connection.spoken.find(call.api->key);
  const wire::Versions theirs = spoken == connection.spoken.end() ? wire::only(1, 0) : spoken->second;
  const wire::Version version = std::min({call.api->last, call.version_max, theirs.last});
  if (!theirs.has(version) || version < call.api->first) {
    refused_.push_back({std::move(call.done), ErrorCode::unsupported_version});
    return;
  }
  const std::int32_t correlation_id = ++last_correlation_id_;
  Buffer frame;
  call.encode(version, correlation_id, frame);
  links_.send(connection.link, std::move(frame));
  in_flight_.push_back({call.api, version, correlation_id, call.deadline, std::move(call.done)});
}

void BrokerLink::tick() {
  const Instant now = timer_.now();
  if (auto* pausing = std::get_if<Pausing>(&state_); pausing && pausing->until <= now) {
    state_ = Idle{};
    if (wanted_) dial();
  }
  if (auto* connecting = std::get_if<Connecting>(&state_); connecting && connecting->deadline <= now)
    return lose(connecting->asked ? "no answer to ApiVersions in time" : "no connection in time", true);
  for (const InFlight& call : in_flight_)
    if (call.deadline <= now) return lose("no answer in time", true);
  std::vector<Failed> failed = std::exchange(refused_, {});
  for (auto call = waiting_.begin(); call != waiting_.end();) {
    if (call->deadline > now) {
      ++call;
      continue;
    }
    failed.push_back({std::move(call->done), ErrorCode::request_timed_out});
    call = waiting_.erase(call);
  }
  tell(failed);
  pump();
}

Instant BrokerLink::deadline() const {
  if (!refused_.empty()) return timer_.now();
  Instant at = never;
  if (const auto* pausing = std::get_if<Pausing>(&state_); pausing && wanted_) at = pausing->until;
  if (const auto* connecting = std::get_if<Connecting>(&state_)) at = connecting->deadline;
  for (const InFlight& call : in_flight_) at = std::min(at, call.deadline);
  for (const Call& call : waiting_) at = std::min(at, call.deadline);
  // Written on demand of the socket only: look again soon for room.
  if (ready() && !waiting_.empty()) at = std::min(at, timer_.now() + milliseconds(5));
  return at;
}

}  // namespace edgelog::client

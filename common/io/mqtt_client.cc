#include "common/io/mqtt_client.h"

#include <mqtt/async_client.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/log.h"
#include "common/base/prng.h"
#include "common/io/no_delay.h"
#include "common/io/subscriptions.h"

namespace edgelog::io {
namespace {

constexpr Duration connect_timeout = seconds(5);
constexpr Duration ready_timeout = seconds(10);  // from CONNECT to SUBACK
constexpr int receive_maximum_default = 65'535;  // MQTT 5, 3.2.2.3.3: when CONNACK does not say
constexpr std::size_t turn_max = 64;             // events that are handled before others have the loop

// What Paho's threads saw, in their order. `of` is the number of the connection attempt.
struct Accepted {
  std::uint64_t of;
  std::size_t receive_maximum;
};
struct Subscribed {
  std::uint64_t of;
  std::vector<std::pair<std::string, int>> answers;  // filter, reason code or unknown_reason
  std::string failure;                               // why there is no answer; empty: there is one
};
struct Broken {
  std::uint64_t of;
  std::string why;
};
struct Answered {
  std::uint64_t ticket;
  int reason;  // below 0: no answer came
};
using Event = std::variant<MqttMessage, Answered, Accepted, Subscribed, Broken>;

// OpenSSL begins by itself when TLS is first used; Paho would bring all of it up at start, some megabytes.
void leave_openssl_alone() {
  static const bool once = [] {
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    options.do_openssl_init = 0;
    MQTTAsync_global_init(&options);
    return true;
  }();
  static_cast<void>(once);
}

void* as_context(std::uint64_t number) {
  static_assert(sizeof(void*) <= sizeof number);
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
}
std::uint64_t number_of(const mqtt::token& token) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(token.get_user_context()));
}

std::string failure_of(const mqtt::token& token) {
  const auto reason = static_cast<int>(token.get_reason_code());
  if (reason >= first_failure_reason) return fmt::format("refused, reason {:#x}", reason);
  const char* text = MQTTAsync_strerror(token.get_return_code());
  return fmt::format("Paho error {} ({})", token.get_return_code(), text ? text : "no text");
}

// Of a SUBACK. Paho C++ 1.2.0 throws instead where the first of many is refused, and keeps the others to itself.
std::vector<int> reasons_of(const mqtt::token& token) {
  std::vector<int> out;
  try {
    const auto answer = token.get_subscribe_response();
    for (const auto code : answer.get_reason_codes()) out.push_back(static_cast<int>(code));
  } catch (const mqtt::exception&) {
    out.push_back(static_cast<int>(token.get_reason_code()));
  }
  return out;
}

mqtt::properties to_paho(const UserProperties& list) {
  mqtt::properties out;
  for (const auto& [key, value] : list) out.add({mqtt::property::USER_PROPERTY, key, value});
  return out;
}

std::string text_of(const MQTTLenString& text) {
  return text.data ? std::string(text.data, static_cast<std::size_t>(text.len)) : std::string();
}

MqttMessage from_paho(const mqtt::message& message) {
  const auto& payload = message.get_payload_ref();
  MqttMessage out;
  out.topic = message.get_topic();
  const auto bytes = as_bytes({payload.data(), payload.size()});
  out.payload.assign(bytes.begin(), bytes.end());
  out.retained = message.is_retained();
  out.duplicate = message.is_duplicate();
  // By hand: mqtt::get() looks for the i-th from the first on.
  const MQTTProperties& list = message.get_properties().c_struct();
  for (int i = 0; i < list.count && out.properties.size() < user_properties_max; ++i)
    if (list.array[i].identifier == MQTTPROPERTY_CODE_USER_PROPERTY)
      out.properties.emplace_back(text_of(list.array[i].value.data), text_of(list.array[i].value.value));
  return out;
}

// What an event takes in the inbox.
std::size_t bytes_of(const Event& event) {
  const auto* const message = std::get_if<MqttMessage>(&event);
  if (!message) return 0;  // the server's window bounds how many there are
  std::size_t bytes = sizeof(Event) + message->payload.size() + message->topic.size();
  for (const auto& [key, value] : message->properties) bytes += sizeof key + key.size() + sizeof value + value.size();
  return bytes;
}

}  // namespace

// Two halves: the inbox, which Paho's threads fill under `mutex`, and everything else, which only the
// loop's thread touches. Paho calls back under a lock of its own that publish() needs too, so that
// nothing may be held across a call into Paho.
struct MqttClient::State : std::enable_shared_from_this<MqttClient::State> {
  State(Loop& owner, MqttOptions chosen, MqttHandlers given)
      : loop(owner),
        options(std::move(chosen)),
        handlers(std::move(given)),
        alarm(owner, [this] { on_alarm(); }),
        chance(static_cast<std::uint64_t>(boottime_now().value()) ^ static_cast<std::uint64_t>(::getpid()) << 40) {
    connecting.state = subscribing.state = publishing.state = this;
  }

  // --- Paho's threads ---
  struct ConnectListener : mqtt::iaction_listener {
    State* state = nullptr;
    void on_success(const mqtt::token& token) override {
      int maximum = receive_maximum_default;
      const auto answer = token.get_connect_response();
      if (answer.get_properties().contains(mqtt::property::RECEIVE_MAXIMUM))
        maximum = mqtt::get<std::uint16_t>(answer.get_properties(), mqtt::property::RECEIVE_MAXIMUM);
      state->put(Accepted{number_of(token), static_cast<std::size_t>(maximum)});
    }
    void on_failure(const mqtt::token& token) override { state->put(Broken{number_of(token), failure_of(token)}); }
  };
  struct SubscribeListener : mqtt::iaction_listener {
    State* state = nullptr;
    void on_success(const mqtt::token& token) override {
      Subscribed event{number_of(token), {}, {}};
      const auto asked = token.get_topics();
      const auto reasons = reasons_of(token);
      for (std::size_t i = 0; asked && i < asked->size(); ++i)
        event.answers.emplace_back((*asked)[i], i < reasons.size() ? reasons[i] : unknown_reason);
      state->put(std::move(event));
    }
    // Also where the one filter of a SUBSCRIBE is refused.
    void on_failure(const mqtt::token& token) override {
      Subscribed event{number_of(token), {}, {}};
      const auto reason = static_cast<int>(token.get_reason_code());
      const auto asked = token.get_topics();
      if (reason < first_failure_reason || !asked)
        event.failure = failure_of(token);
      else
        for (std::size_t i = 0; i < asked->size(); ++i) event.answers.emplace_back((*asked)[i], reason);
      state->put(std::move(event));
    }
  };
  struct PublishListener : mqtt::iaction_listener {
    State* state = nullptr;
    void on_success(const mqtt::token& token) override {
      state->put(Answered{number_of(token), static_cast<int>(token.get_reason_code())});
    }
    void on_failure(const mqtt::token& token) override {
      const auto reason = static_cast<int>(token.get_reason_code());
      state->put(Answered{number_of(token), reason >= first_failure_reason ? reason : -1});
    }
  };

  void put(Event event) {
    const std::scoped_lock lock(mutex);
    const std::size_t bytes = bytes_of(event);
    if (bytes > 0 && inbox_bytes + bytes > inbox_bytes_max) {
      dropped_in_inbox += 1;
      return;
    }
    inbox_bytes += bytes;
    inbox.push_back(std::move(event));
    if (!drain_posted) post_drain();
  }

  // Under `mutex`.
  void post_drain() {
    drain_posted = true;
    loop.post([self = weak_from_this()] {
      if (const auto state = self.lock()) state->drain();
    });
  }

  // --- the loop's thread ---
  void drain() {
    std::uint64_t dropped = 0;
    {
      const std::scoped_lock lock(mutex);
      for (; !inbox.empty() && draining.size() < turn_max; inbox.pop_front()) {
        inbox_bytes -= bytes_of(inbox.front());
        draining.push_back(std::move(inbox.front()));
      }
      drain_posted = false;
      if (!inbox.empty()) post_drain();
      std::swap(dropped, dropped_in_inbox);
    }
    counters.dropped.add(dropped);
    if (dropped > 0)
      LOG(error, "mqtt {}: {} messages dropped, this process is too far behind", options.client_id, dropped);
    const auto keep = shared_from_this();  // a handler may destroy the client
    for (auto& event : draining) {
      if (closed) break;
      std::visit([this](auto& e) { handle(e); }, event);
    }
    draining.clear();
  }

  void handle(MqttMessage& message) {
    counters.received.add();
    if (phase == Phase::subscribing) return early.push_back(std::move(message));
    if (handlers.message) handlers.message(std::move(message));
  }

  void handle(const Answered& answer) {
    if (answer.ticket < first_ticket || phase == Phase::idle) return;  // of a connection that is gone
    if (in_flight > 0) --in_flight;
    if (answer.reason < 0) return;  // the connection breaks, and `disconnected` says so
    counters.acknowledged.add();
    if (handlers.published) handlers.published(answer.ticket, answer.reason);
  }

  void handle(const Accepted& accepted) {
    if (accepted.of != connection || phase != Phase::connecting) return;
    window = std::max<std::size_t>(1, std::min(options.in_flight_max, accepted.receive_maximum));
    no_delay(options.port);
    phase = Phase::subscribing;
    subscriptions.begin();
    const auto all = subscriptions.filters();
    if (all.empty()) return ready();
    subscribe_to(all);
  }

  void subscribe_to(const std::vector<std::string>& wanted) {
    auto list = std::make_shared<mqtt::string_collection>();
    for (const auto& filter : wanted) list->push_back(filter);
    subscriptions.asked(wanted);
    try {
      paho->subscribe(list, mqtt::iasync_client::qos_collection(wanted.size(), 1), as_context(connection), subscribing);
    } catch (const mqtt::exception& error) {
      broken(fmt::format("subscribe: {}", error.what()));
    }
  }

  void handle(const Subscribed& subscribed) {
    if (subscribed.of != connection || phase == Phase::idle) return;
    if (!subscribed.failure.empty()) return broken("subscribe: " + subscribed.failure);
    for (const auto& [filter, reason] : subscribed.answers)
      if (subscriptions.answered(filter, reason) && phase != Phase::idle) subscribe_to({filter});
    if (phase == Phase::subscribing) ready();
    if (closed) return;
    tell_refused();
    if (!closed && phase == Phase::ready && !subscriptions.refused().empty())
      alarm.wake_at(boottime_now() + options.refused_pause);
  }

  void tell_refused() {
    const auto news = subscriptions.news();
    if (!news) return;
    if (!news->sentence.empty()) LOG(warning, "mqtt {}: subscriptions: {}", options.client_id, news->sentence);
    if (handlers.refused) handlers.refused(news->sentence, news->filters);
  }

  // A round of questions that takes long is not joined by the next one; its last answer sets the alarm.
  void ask_again() {
    if (!subscriptions.all_answered()) return;
    const auto again = subscriptions.refused();
    if (!again.empty()) subscribe_to(again);
  }

  void handle(const Broken& event) {
    if (event.of == connection && phase != Phase::idle) broken(event.why);
  }

  void ready() {
    phase = Phase::ready;
    failures = 0;
    in_flight = 0;
    first_ticket = next_ticket;
    alarm.wake_at(never);
    counters.connects.add();
    if (handlers.connected) handlers.connected();
    // Mosquitto sends what is retained before its SUBACK.
    for (auto& message : std::exchange(early, {}))
      if (!closed && handlers.message) handlers.message(std::move(message));
  }

  void broken(const std::string& why) {
    phase = Phase::idle;
    in_flight = 0;
    early.clear();
    counters.disconnects.add();
    drop_connection();
    const auto doublings = std::min<std::uint32_t>(failures++, 16);
    const std::int64_t ceiling = std::min(options.backoff_max.value(), options.backoff_min.value() << doublings);
    alarm.wake_at(boottime_now() + nanoseconds(chance.between(ceiling / 2, ceiling)));
    if (handlers.disconnected) handlers.disconnected(why);
  }

  // Whatever Paho still believes of this connection: it shall not go on with it behind our back.
  void drop_connection() {
    try {
      if (paho->is_connected()) paho->disconnect(0);
    } catch (const mqtt::exception&) {
      // It was gone already.
    }
  }

  void on_alarm() {
    if (phase == Phase::idle) return attempt();
    if (phase == Phase::ready) return ask_again();
    broken("no answer to CONNECT or SUBSCRIBE in time");
  }

  void attempt() {
    ++connection;
    phase = Phase::connecting;
    alarm.wake_at(boottime_now() + ready_timeout);
    try {
      paho->connect(connect_options, as_context(connection), connecting);
    } catch (const mqtt::exception& error) {
      broken(error.what());
    }
  }

  void start() {
    const mqtt::create_options create = [] {
      mqtt::create_options made(MQTTVERSION_5);
      made.set_send_while_disconnected(false);
      made.set_max_buffered_messages(receive_maximum_default);  // it counts while connected too; the window is ours
      return made;
    }();
    leave_openssl_alone();
    paho = std::make_unique<mqtt::async_client>(fmt::format("tcp://{}:{}", options.host, options.port),
                                                options.client_id, create);
    paho->set_message_callback([this](const mqtt::const_message_ptr& message) { put(from_paho(*message)); });
    paho->set_connection_lost_handler([this](const std::string& why) { lost(why.empty() ? "connection lost" : why); });
    paho->set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode reason) {
      lost(reason == mqtt::ReasonCode::SESSION_TAKEN_OVER
               ? "another client with this client id took the session over"
               : fmt::format("server says disconnect, reason {:#x}", static_cast<int>(reason)));
    });
    // No v5 properties here: Paho C++ 1.2.0 passes this object on by value, and a copy keeps a dangling
    // pointer to them. None are needed: an absent session expiry is 0, an absent receive maximum 65,535.
    connect_options.set_mqtt_version(MQTTVERSION_5);
    connect_options.set_clean_start(true);
    connect_options.set_automatic_reconnect(false);
    connect_options.set_connect_timeout(std::chrono::milliseconds(to_millis(connect_timeout)));
    connect_options.set_keep_alive_interval(std::chrono::milliseconds(to_millis(options.keep_alive)));
    connect_options.set_max_inflight(receive_maximum_default);
    if (!options.user.empty()) connect_options.set_user_name(options.user);
    if (!options.password.empty()) connect_options.set_password(options.password);
    if (options.will)
      connect_options.set_will_message(mqtt::message(options.will->topic, options.will->payload.data(),
                                                     options.will->payload.size(), 1, options.will->retain));
    attempt();
  }

  // Called on Paho's threads, which know of one connection at a time.
  void lost(const std::string& why) { put(Broken{connection.load(), why}); }

  enum class Phase : unsigned char { idle, connecting, subscribing, ready };

  Loop& loop;
  const MqttOptions options;
  MqttHandlers handlers;
  MqttCounters counters;
  std::unique_ptr<mqtt::async_client> paho;
  mqtt::connect_options connect_options;
  ConnectListener connecting;
  SubscribeListener subscribing;
  PublishListener publishing;
  Alarm alarm;
  Prng chance;
  Subscriptions subscriptions;
  std::vector<Event> draining;
  std::vector<MqttMessage> early;  // between CONNACK and `connected`; the server's own window bounds it
  Phase phase = Phase::idle;
  std::atomic<std::uint64_t> connection = 0;
  std::uint64_t next_ticket = 1, first_ticket = 1;
  std::size_t window = 0, in_flight = 0;
  std::uint32_t failures = 0;
  bool closed = false;

  std::mutex mutex;
  std::deque<Event> inbox;
  std::size_t inbox_bytes = 0;
  std::uint64_t dropped_in_inbox = 0;
  bool drain_posted = false;
};

MqttClient::MqttClient(Loop& loop, MqttOptions options, MqttHandlers handlers)
    : state_(std::make_shared<State>(loop, std::move(options), std::move(handlers))) {}

MqttClient::~MqttClient() {
  state_->closed = true;
  state_->alarm.wake_at(never);
  if (!state_->paho) return;
  try {
    // DISCONNECT has to leave before the object goes: without it the server publishes the will.
    if (state_->paho->is_connected()) state_->paho->disconnect(0)->wait_for(std::chrono::seconds(1));
  } catch (const mqtt::exception&) {
    // It was not connected any more.
  }
  state_->paho.reset();
}

void MqttClient::start() {
  ASSERT(!state_->paho);
  state_->start();
}

void MqttClient::subscribe(std::string filter) {
  auto& s = *state_;
  const bool added = s.subscriptions.add(filter);
  if (!added || s.phase == State::Phase::idle || s.phase == State::Phase::connecting) return;
  s.subscribe_to({std::move(filter)});
}

void MqttClient::unsubscribe(const std::string& filter) {
  auto& s = *state_;
  const bool known = s.subscriptions.remove(filter);
  s.tell_refused();
  if (!known || s.phase == State::Phase::idle || s.phase == State::Phase::connecting) return;
  try {
    s.paho->unsubscribe(filter);
  } catch (const mqtt::exception& error) {
    s.broken(fmt::format("unsubscribe: {}", error.what()));
  }
}

bool MqttClient::connected() const { return state_->phase == State::Phase::ready; }

std::size_t MqttClient::places() const {
  const auto& s = *state_;
  return connected() && s.in_flight < s.window ? s.window - s.in_flight : 0;
}

Result<std::uint64_t> MqttClient::publish(const std::string& topic, Bytes payload, bool retain,
                                          const UserProperties& properties, int qos) {
  auto& s = *state_;
  if (!connected()) return Error{Code::closed, "publish " + topic + ": not connected"};
  if (places() == 0) return Error{Code::full, "publish " + topic + ": the send window is full"};
  const std::uint64_t ticket = s.next_ticket++;
  ++s.in_flight;  // before Paho, whose thread may answer first
  try {
    const auto message = mqtt::message::create(topic, payload.data(), payload.size(), qos, retain, to_paho(properties));
    s.paho->publish(message, as_context(ticket), s.publishing);
  } catch (const mqtt::exception& error) {
    --s.in_flight;
    return Error{Code::closed, "publish " + topic + ": " + error.what()};
  }
  s.counters.published.add();
  return ticket;
}

const MqttCounters& MqttClient::counters() const { return state_->counters; }

}  // namespace edgelog::io

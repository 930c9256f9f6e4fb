// Overheating rooms: reads readings of thermostats, writes an alarm when a room is 3 degrees above its setpoint,
// and an all-clear when it is within 1 again.
//
//   overheating 127.0.0.1:9092 climate alarms
//
// At least once, and a repeat is harmless: an offset is committed only after the alarms that came of the records
// before it are acknowledged, and an alarm says what is (room, since when), not what changed.
#include <librdkafka/rdkafkacpp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace {

volatile std::sig_atomic_t running = 1;

template <class Client>
std::unique_ptr<Client> connect(const std::map<std::string, std::string>& settings) {
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  std::string error;
  for (const auto& [key, value] : settings)
    if (conf->set(key, value, error) != RdKafka::Conf::CONF_OK) std::fprintf(stderr, "%s\n", error.c_str());
  std::unique_ptr<Client> client(Client::create(conf.get(), error));
  if (!client) {
    std::fprintf(stderr, "%s\n", error.c_str());
    std::exit(1);
  }
  return client;
}

// Room -> when it began to be too hot. Lost in a restart, which at worst repeats an alarm.
std::map<std::string, std::int64_t> hot;

// What there is to say about this reading; empty: nothing.
std::string judge(const std::string& room, std::int64_t at, const nlohmann::json& reading) {
  const auto temperature = reading.find("temperature_c"), setpoint = reading.find("setpoint_c");
  if (temperature == reading.end() || setpoint == reading.end()) return {};
  if (!temperature->is_number() || !setpoint->is_number()) return {};
  const double over = temperature->get<double>() - setpoint->get<double>();
  const bool was_hot = hot.contains(room);
  if (was_hot ? over > 1 : over < 3) return {};
  if (!was_hot) hot[room] = at;
  const nlohmann::json alarm{{"room", room},
                             {"hot", !was_hot},
                             {"since_ms", hot[room]},
                             {"at_ms", at},
                             {"temperature_c", *temperature},
                             {"setpoint_c", *setpoint}};
  if (was_hot) hot.erase(room);
  return alarm.dump();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: overheating HOST:PORT READINGS ALARMS\n"), 2;
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { running = 0; });
  const auto consumer = connect<RdKafka::KafkaConsumer>({{"bootstrap.servers", argv[1]},
                                                         {"group.id", "overheating"},
                                                         {"enable.auto.commit", "false"},
                                                         {"auto.offset.reset", "earliest"}});
  const auto producer =
      connect<RdKafka::Producer>({{"bootstrap.servers", argv[1]}, {"enable.idempotence", "true"}, {"linger.ms", "5"}});
  consumer->subscribe({argv[2]});
  std::uint64_t readings = 0, alarms = 0, uncommitted = 0;
  while (running) {
    const std::unique_ptr<RdKafka::Message> message(consumer->consume(200));
    if (message->err() == RdKafka::ERR_NO_ERROR && message->key() && message->len() > 0) {
      const auto* text = static_cast<const char*>(message->payload());
      const auto reading = nlohmann::json::parse(text, text + message->len(), nullptr, false);
      const std::string said = judge(*message->key(), message->timestamp().timestamp, reading);
      ++readings, ++uncommitted;
      if (!said.empty()) {
        producer->produce(argv[3], RdKafka::Topic::PARTITION_UA, RdKafka::Producer::RK_MSG_COPY,
                          const_cast<char*>(said.data()), said.size(), message->key()->data(), message->key()->size(),
                          0, nullptr);
        ++alarms;
      }
    }
    // Alarms first, offsets second: a kill between the two repeats an alarm and loses none.
    if (uncommitted > 0 && (uncommitted >= 1000 || message->err() != RdKafka::ERR_NO_ERROR))
      if (producer->flush(10'000) == RdKafka::ERR_NO_ERROR && consumer->commitSync() == RdKafka::ERR_NO_ERROR)
        uncommitted = 0;
  }
  if (producer->flush(10'000) == RdKafka::ERR_NO_ERROR) consumer->commitSync();
  consumer->close();
  std::printf("{\"readings\": %llu, \"alarms\": %llu}\n", static_cast<unsigned long long>(readings),
              static_cast<unsigned long long>(alarms));
}

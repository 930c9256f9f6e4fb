// Overheating rooms: an alarm when one is 3 degrees above its setpoint, an all-clear when it is within 1 again.
//   overheating 127.0.0.1:9092 climate alarms
// At least once, and a repeat is harmless: an alarm says what is (room, since when), not what changed, and offsets
// follow the alarms that came of them. Which rooms are hot it reads at its start from partition 0 of the alarms.
#include <librdkafka/rdkafkacpp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

volatile std::sig_atomic_t running = 1;
std::map<std::string, std::int64_t> hot;  // room -> when it began to be too hot

template <class Client>
std::unique_ptr<Client> connect(const char* brokers, std::map<std::string, std::string> settings) {
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  std::string error;
  settings["bootstrap.servers"] = brokers;
  for (const auto& [key, value] : settings) conf->set(key, value, error);
  if (std::unique_ptr<Client> client{Client::create(conf.get(), error)}) return client;
  std::exit((std::fprintf(stderr, "%s\n", error.c_str()), 1));
}

nlohmann::json parse(const RdKafka::Message& message) {
  const auto* text = static_cast<const char*>(message.payload());
  return nlohmann::json::parse(text, text + message.len(), nullptr, false);
}

// Reads the alarms from their beginning to where they end now. False: they could not be read.
bool recall(RdKafka::KafkaConsumer& reader, const std::string& alarms) {
  std::vector from{RdKafka::TopicPartition::create(alarms, 0, RdKafka::Topic::OFFSET_BEGINNING)};
  reader.assign(from);
  RdKafka::TopicPartition::destroy(from);
  while (running) {
    const std::unique_ptr<RdKafka::Message> message(reader.consume(10'000));
    if (message->err() == RdKafka::ERR__PARTITION_EOF) return reader.unassign() == RdKafka::ERR_NO_ERROR;
    if (message->err() == RdKafka::ERR__TIMED_OUT) break;
    if (message->err() != RdKafka::ERR_NO_ERROR || !message->key() || message->len() == 0) continue;
    const auto alarm = parse(*message);
    const auto is = alarm.find("hot"), since = alarm.find("since_ms");
    if (is == alarm.end() || since == alarm.end() || !since->is_number_integer()) continue;
    if (*is == true) hot[*message->key()] = since->get<std::int64_t>();
    if (*is == false) hot.erase(*message->key());
  }
  return false;
}

// What there is to say about this reading; empty: nothing.
std::string judge(const std::string& room, std::int64_t at, const nlohmann::json& reading) {
  const auto temperature = reading.find("temperature_c"), setpoint = reading.find("setpoint_c");
  if (temperature == reading.end() || setpoint == reading.end() || !temperature->is_number() || !setpoint->is_number())
    return {};
  const double over = temperature->get<double>() - setpoint->get<double>();
  const bool was_hot = hot.contains(room);
  if (was_hot ? over > 1 : over < 3) return {};
  if (!was_hot) hot[room] = at;
  nlohmann::json alarm{{"room", room}, {"hot", !was_hot}, {"since_ms", hot[room]}, {"at_ms", at}};
  alarm.update({{"temperature_c", *temperature}, {"setpoint_c", *setpoint}});
  if (was_hot) hot.erase(room);
  return alarm.dump();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: overheating HOST:PORT READINGS ALARMS\n"), 2;
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { running = 0; });
  const auto consumer = connect<RdKafka::KafkaConsumer>(argv[1], {{"group.id", "overheating"},
                                                                  {"enable.auto.commit", "false"},
                                                                  {"enable.partition.eof", "true"},
                                                                  {"allow.auto.create.topics", "true"},
                                                                  {"auto.offset.reset", "earliest"}});
  const auto producer = connect<RdKafka::Producer>(argv[1], {{"enable.idempotence", "true"}, {"linger.ms", "5"}});
  if (!recall(*consumer, argv[3]) && running != 0) return std::fprintf(stderr, "%s could not be read\n", argv[3]), 1;
  consumer->subscribe({argv[2]});
  for (std::uint64_t uncommitted = 0; running != 0;) {
    const std::unique_ptr<RdKafka::Message> message(consumer->consume(200));
    if (message->err() == RdKafka::ERR_NO_ERROR && message->key() && message->len() > 0) {
      const std::string said = judge(*message->key(), message->timestamp().timestamp, parse(*message));
      ++uncommitted;
      if (!said.empty())
        producer->produce(argv[3], 0, RdKafka::Producer::RK_MSG_COPY, const_cast<char*>(said.data()), said.size(),
                          message->key()->data(), message->key()->size(), 0, nullptr);
    }
    // Alarms first, offsets second: a kill between the two repeats an alarm and loses none.
    if (uncommitted > 0 && (uncommitted >= 1000 || message->err() == RdKafka::ERR__TIMED_OUT))
      if (producer->flush(10'000) == RdKafka::ERR_NO_ERROR && consumer->commitSync() == RdKafka::ERR_NO_ERROR)
        uncommitted = 0;
  }
  if (producer->flush(10'000) == RdKafka::ERR_NO_ERROR) consumer->commitSync();
  consumer->close();
}

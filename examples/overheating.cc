// Overheating rooms: reads readings of thermostats, writes an alarm when a room is 3 degrees above its setpoint,
// and an all-clear when it is within 1 again.
//
//   overheating 127.0.0.1:9092 climate alarms
//
// At least once, and a repeat is harmless: an offset is committed only after the alarms that came of the records
// before it are acknowledged, and an alarm says what is (room, since when), not what changed. Which rooms are hot it
// reads at its start from the alarms that it wrote: that topic is its memory.
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

// Room -> when it began to be too hot.
std::map<std::string, std::int64_t> hot;

void remember(const std::string& room, const nlohmann::json& alarm) {
  const auto is = alarm.find("hot"), since = alarm.find("since_ms");
  if (is == alarm.end() || !is->is_boolean() || since == alarm.end() || !since->is_number_integer()) return;
  if (is->get<bool>())
    hot[room] = since->get<std::int64_t>();
  else
    hot.erase(room);
}

// Reads the alarms from their beginning to where they end now. False: they could not be read.
bool recall(const char* brokers, const char* alarms) {
  const auto reader = connect<RdKafka::KafkaConsumer>({{"bootstrap.servers", brokers},
                                                       {"group.id", "overheating"},
                                                       {"enable.auto.commit", "false"},
                                                       {"enable.partition.eof", "true"}});
  std::string error;
  const std::unique_ptr<RdKafka::Topic> topic(RdKafka::Topic::create(reader.get(), alarms, nullptr, error));
  RdKafka::Metadata* told = nullptr;
  if (!topic || reader->metadata(false, topic.get(), &told, 10'000) != RdKafka::ERR_NO_ERROR) return false;
  const std::unique_ptr<RdKafka::Metadata> metadata(told);
  std::vector<RdKafka::TopicPartition*> partitions;
  for (const auto* one : *metadata->topics())
    for (const auto* partition : *one->partitions())
      partitions.push_back(RdKafka::TopicPartition::create(alarms, partition->id(), RdKafka::Topic::OFFSET_BEGINNING));
  std::size_t ended = 0;
  reader->assign(partitions);
  while (running && ended < partitions.size()) {
    const std::unique_ptr<RdKafka::Message> message(reader->consume(10'000));
    if (message->err() == RdKafka::ERR__PARTITION_EOF) ++ended;
    if (message->err() == RdKafka::ERR__TIMED_OUT) break;
    if (message->err() != RdKafka::ERR_NO_ERROR || !message->key() || message->len() == 0) continue;
    const auto* text = static_cast<const char*>(message->payload());
    remember(*message->key(), nlohmann::json::parse(text, text + message->len(), nullptr, false));
  }
  const bool all = ended == partitions.size();
  RdKafka::TopicPartition::destroy(partitions);
  reader->close();
  return all;
}

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
  if (!recall(argv[1], argv[3]) && running != 0) return std::fprintf(stderr, "%s could not be read\n", argv[3]), 1;
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

// edgelog-load: makes events at a steady rate over MQTT, and measures how old they are when a Kafka
// consumer has them. Each event carries the nanosecond of CLOCK_REALTIME at which it was made, so both
// ends must run on one machine. Used by tests/bench/run.py.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/loop.h"
#include "common/io/mqtt_client.h"
#include "tests/bench/wire.h"

namespace edgelog::bench {
namespace {

std::int64_t wall_nanoseconds() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 2; i + 1 < argc; i += 2) values_[argv[i]] = argv[i + 1];
  }
  std::string text(const char* key, std::string otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::move(otherwise) : found->second;
  }
  std::int64_t number(const char* key, std::int64_t otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : std::strtoll(found->second.c_str(), nullptr, 10);
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// A reading as a thermostat makes it, with its time in milliseconds as devices tell it, or in nanoseconds where the
// event's age is to be measured.
enum class Stamp { milliseconds, nanoseconds };

std::string event_json(std::int64_t index, Stamp stamp) {
  char text[160];
  const bool fine = stamp == Stamp::nanoseconds;
  const std::int64_t now = wall_nanoseconds();
  const int size = std::snprintf(
      text, sizeof text, "{\"%s\":%" PRId64 ",\"temperature\":%d.%02d,\"setpoint\":21.0,\"heating\":%s,\"battery\":%d}",
      fine ? "sent_ns" : "sent_ms", fine ? now : now / 1'000'000, 18 + static_cast<int>(index * 7 % 6),
      static_cast<int>(index * 37 % 100), index % 3 == 0 ? "true" : "false", 60 + static_cast<int>(index / 50 % 40));
  return {text, static_cast<std::size_t>(size)};
}

// Publishes `rate` events a second over `devices` topics until `count` are out; what finds no place in the
// send window waits, so the rate is a ceiling.
class Publisher {
 public:
  Publisher(io::Loop& loop, const Arguments& args)
      : loop_(loop),
        prefix_(args.text("--prefix", "events/climate/")),
        rate_(args.number("--rate", 1000)),
        count_(args.number("--count", 10'000)),
        devices_(args.number("--devices", 20)),
        stamp_(args.text("--stamp", "ns") == "ns" ? Stamp::nanoseconds : Stamp::milliseconds),
        alarm_(loop, [this] { tick(); }) {
    io::MqttOptions options;
    options.host = args.text("--host", "127.0.0.1");
    options.port = static_cast<std::uint16_t>(args.number("--port", 1883));
    options.user = args.text("--user", "");
    options.password = args.text("--password", "");
    options.client_id = args.text("--client", "edgelog-load");
    options.in_flight_max = 1000;
    io::MqttHandlers handlers;
    handlers.connected = [this] {
      if (started_ == Instant{}) started_ = io::boottime_now();
      tick();
    };
    handlers.disconnected = [](const std::string& reason) { std::fprintf(stderr, "mqtt: %s\n", reason.c_str()); };
    handlers.message = [](io::MqttMessage) {};
    handlers.published = [this](std::uint64_t, int) {
      ++confirmed_;
      if (confirmed_ == count_) finish();
    };
    client_ = std::make_unique<io::MqttClient>(loop, std::move(options), std::move(handlers));
    client_->start();
  }

 private:
  void tick() {
    const Instant now = io::boottime_now();
    const std::int64_t due = std::min(count_, (now - started_).value() / 1000 * rate_ / 1'000'000 + 1);
    while (sent_ < due && client_->places() > 0) {
      const auto topic = prefix_ + "d" + std::to_string(sent_ % devices_);
      if (!client_->publish(topic, as_bytes(event_json(sent_, stamp_)))) break;
      ++sent_;
    }
    if (sent_ < count_) alarm_.wake_at(now + milliseconds(1));
  }
  void finish() {
    const double took = static_cast<double>((io::boottime_now() - started_).value()) / 1e9;
    std::printf("{\"sent\": %" PRId64 ", \"seconds\": %.3f}\n", count_, took);
    loop_.stop();
  }

  io::Loop& loop_;
  std::string prefix_;
  std::int64_t rate_, count_, devices_, sent_ = 0, confirmed_ = 0;
  Stamp stamp_;
  Instant started_{};
  io::Alarm alarm_;
  std::unique_ptr<io::MqttClient> client_;
};

int publish(const Arguments& args) {
  io::Loop loop;
  loop.on_stop_signal([&loop] { loop.stop(); });
  Publisher publisher(loop, args);
  loop.run();
  return 0;
}

// Writes `count` event lines to stdout, for the agent's stdin.
int lines(const Arguments& args) {
  const std::int64_t count = args.number("--count", 1'000'000);
  const std::int64_t devices = args.number("--devices", 20);
  const std::string stream = args.text("--stream", "climate");
  std::string block;
  for (std::int64_t i = 0; i < count; ++i) {
    block += "{\"stream\":\"" + stream + "\",\"device\":\"d" + std::to_string(i % devices) +
             "\",\"value\":" + event_json(i, Stamp::nanoseconds) + "}\n";
    if (block.size() > 60'000 || i + 1 == count) {
      if (std::fwrite(block.data(), 1, block.size(), stdout) != block.size()) return 1;
      block.clear();
    }
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// When the event was made, in nanoseconds; -1 for what is no event.
std::int64_t sent_at(std::string_view value) {
  for (const auto& [key, unit] : {std::pair{std::string_view("\"sent_ns\":"), 1}, {"\"sent_ms\":", 1'000'000}}) {
    const auto at = value.find(key);
    std::int64_t sent = -1;
    if (at == std::string_view::npos) continue;
    std::from_chars(value.data() + at + key.size(), value.data() + value.size(), sent);
    return sent * unit;
  }
  return -1;
}

struct KafkaDelete {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};

std::unique_ptr<rd_kafka_t, KafkaDelete> make_consumer(const Arguments& args) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::pair<const char*, std::string> settings[] = {
      {"bootstrap.servers", args.text("--brokers", "127.0.0.1:9092")},
      {"group.id", "edgelog-load"},
      {"auto.offset.reset", "earliest"},
      {"enable.auto.commit", "false"},
      {"fetch.wait.max.ms", "100"},
      {"check.crcs", "true"}};
  for (const auto& [key, value] : settings)
    if (rd_kafka_conf_set(conf, key, value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK) return nullptr;
  std::unique_ptr<rd_kafka_t, KafkaDelete> handle(rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error));
  if (!handle) std::fprintf(stderr, "%s\n", error);
  return handle;
}

// Reads every partition of a topic from its start until `count` events came or nothing has for `idle` seconds;
// prints how many, how fast, and the percentiles of their age after the first `skip`.
int consume(const Arguments& args) {
  const auto handle = make_consumer(args);
  if (!handle) return 1;
  const std::string topic = args.text("--topic", "climate");
  auto* list = rd_kafka_topic_partition_list_new(1);
  for (std::int64_t p = 0; p < args.number("--partitions", 1); ++p)
    rd_kafka_topic_partition_list_add(list, topic.c_str(), static_cast<std::int32_t>(p))->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(handle.get(), list);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(handle.get());
  const std::int64_t count = args.number("--count", 10'000), skip = args.number("--skip", 0);
  std::vector<std::int64_t> ages;
  std::int64_t seen = 0, first = 0, last = wall_nanoseconds();
  std::vector<rd_kafka_message_t*> batch(1000);
  while (seen < count && wall_nanoseconds() - last < args.number("--idle", 30) * 1'000'000'000) {
    // A batch is waited for until it is full, which would be counted as latency: so one is waited for, and what else
    // lies there is taken.
    batch[0] = rd_kafka_consume_queue(queue, 100);
    const auto more = batch[0] ? rd_kafka_consume_batch_queue(queue, 0, batch.data() + 1, batch.size() - 1) : 0;
    const auto got = batch[0] ? 1 + std::max<ssize_t>(more, 0) : 0;
    for (ssize_t i = 0; i < got; ++i) {
      auto* const message = batch[static_cast<std::size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const auto sent = sent_at({static_cast<const char*>(message->payload), message->len});
        if (sent >= 0) {
          last = wall_nanoseconds();
          if (seen++ == 0) first = last;
          if (seen > skip) ages.push_back(last - sent);
        }
      }
      rd_kafka_message_destroy(message);
    }
  }
  rd_kafka_queue_destroy(queue);
  std::sort(ages.begin(), ages.end());
  const auto percentile = [&](std::size_t p) {
    return ages.empty() ? -1.0 : static_cast<double>(ages[(ages.size() - 1) * p / 100]) / 1e6;
  };
  std::printf("{\"received\": %" PRId64 ", \"seconds\": %.3f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
              seen, static_cast<double>(last - first) / 1e9, percentile(50), percentile(99), percentile(100));
  return seen >= count ? 0 : 1;
}

bool stop_counting = false;

int wire(const Arguments& args) {
  std::signal(SIGTERM, [](int) { stop_counting = true; });
  const auto count = count_wire(static_cast<std::uint16_t>(args.number("--port", 1883)),
                                seconds(args.number("--seconds", 10)), stop_counting);
  if (!count) {
    std::fprintf(stderr, "%s\n", count.error().what.c_str());
    return 1;
  }
  std::printf("{\"payload_bytes\": %" PRIu64 ", \"wire_bytes\": %" PRIu64 ", \"segments\": %" PRIu64
              ", \"missed\": %" PRIu64 "}\n",
              count->payload_bytes, count->wire_bytes, count->segments, count->missed);
  return 0;
}

}  // namespace
}  // namespace edgelog::bench

int main(int argc, char** argv) {
  using namespace edgelog::bench;
  const std::string_view command = argc > 1 ? argv[1] : "";
  const Arguments args(argc, argv);
  if (command == "publish") return publish(args);
  if (command == "lines") return lines(args);
  if (command == "consume") return consume(args);
  if (command == "wire") return wire(args);
  std::fprintf(stderr,
               "edgelog-load wire    --port P --seconds S\n"
               "edgelog-load publish --host H --port P --rate N --count N [--devices N --prefix events/climate/ --user "
               "U --password W --stamp ns|ms]\n"
               "edgelog-load lines   --count N [--devices N --stream S]\n"
               "edgelog-load consume --brokers H:P --topic T --count N [--partitions N --skip N --idle SECONDS]\n");
  return 2;
}

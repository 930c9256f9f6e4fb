// compat_rdkafka HOST:PORT NAME: what librdkafka can and its Python binding of Debian 12 cannot: headers
// without a value, DeleteRecords, and the administration of groups. Prints a line a step; exit code 1 and the
// reason at the first that is not as expected. NAME makes topic and group unique.
#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int timeout_ms = 60'000;
constexpr int message_count = 5'000;

[[noreturn]] void fail(const std::string& why) {
  fmt::print("FAIL {}\n", why);
  std::exit(1);
}
void expect(bool holds, const std::string& what) {
  if (!holds) fail(what);
}

template <class T>
using Owned = std::unique_ptr<T, std::function<void(T*)>>;

Owned<rd_kafka_t> make_client(rd_kafka_type_t type, const std::vector<std::pair<std::string, std::string>>& settings) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512] = "";
  for (const auto& [name, value] : settings) {
    expect(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK, why);
  }
  rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    if (message->err) fail(fmt::format("delivery: {}", rd_kafka_err2str(message->err)));
  });
  rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
  expect(client != nullptr, why);
  return {client, rd_kafka_destroy};
}

// Sends one administrative call and waits for its event.
Owned<rd_kafka_event_t> ask(rd_kafka_t* client, const std::function<void(rd_kafka_queue_t*)>& call) {
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client), rd_kafka_queue_destroy);
  call(queue.get());
  Owned<rd_kafka_event_t> event(rd_kafka_queue_poll(queue.get(), timeout_ms), rd_kafka_event_destroy);
  expect(event != nullptr, "no answer to an administrative call");
  expect(!rd_kafka_event_error(event.get()),
         fmt::format("administrative call: {}", rd_kafka_event_error_string(event.get())));
  return event;
}

Owned<rd_kafka_topic_partition_list_t> one_partition(const std::string& topic, std::int64_t offset) {
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), 0)->offset = offset;
  return {list, rd_kafka_topic_partition_list_destroy};
}

void create_topic(rd_kafka_t* client, const std::string& topic) {
  char why[256];
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic.c_str(), 1, 1, why, sizeof why);
  const auto event = ask(client, [&](auto* queue) { rd_kafka_CreateTopics(client, &wanted, 1, nullptr, queue); });
  rd_kafka_NewTopic_destroy(wanted);
  std::size_t count = 0;
  const auto* const* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  expect(count == 1 && !rd_kafka_topic_result_error(results[0]), "create topic");
}

void produce(const std::string& bootstrap, const std::string& topic) {
  const auto client = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", bootstrap},
                                                      {"enable.idempotence", "true"},
                                                      {"compression.type", "zstd"},
                                                      {"linger.ms", "5"}});
  for (int i = 0; i < message_count; ++i) {
    const std::string value = fmt::format("value {}", i);
    rd_kafka_headers_t* headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, "number", -1, value.data() + 6, static_cast<ssize_t>(value.size() - 6));
    rd_kafka_header_add(headers, "nothing", -1, nullptr, 0);
    rd_kafka_vu_t parts[5]{};
    parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    parts[0].u.cstr = topic.c_str();
    parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[2].u.mem = {const_cast<char*>(value.data()), value.size()};
    parts[3].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[3].u.headers = headers;
    parts[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[4].u.i = RD_KAFKA_MSG_F_COPY;
    const Owned<rd_kafka_error_t> error(rd_kafka_produceva(client.get(), parts, 5), rd_kafka_error_destroy);
    expect(error == nullptr, "produce");
    rd_kafka_poll(client.get(), 0);
  }
  expect(!rd_kafka_flush(client.get(), timeout_ms), "flush");
}

void check_message(const rd_kafka_message_t* message, int number) {
  const std::string value(static_cast<const char*>(message->payload), message->len);
  expect(value == fmt::format("value {}", number), fmt::format("message {} is '{}'", number, value));
  expect(message->key == nullptr, "key is null");
  rd_kafka_headers_t* headers = nullptr;
  expect(!rd_kafka_message_headers(message, &headers), "headers");
  const void* data = nullptr;
  std::size_t size = 0;
  expect(!rd_kafka_header_get_last(headers, "number", &data, &size), "header 'number'");
  expect(std::string(static_cast<const char*>(data), size) == std::to_string(number), "header's value");
  expect(!rd_kafka_header_get_last(headers, "nothing", &data, &size) && data == nullptr, "a header without a value");
}

void consume(const std::string& bootstrap, const std::string& topic, const std::string& group) {
  const auto client = make_client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", bootstrap},
                                                      {"group.id", group},
                                                      {"check.crcs", "true"},
                                                      {"auto.offset.reset", "earliest"},
                                                      {"enable.auto.commit", "false"}});
  rd_kafka_poll_set_consumer(client.get());
  const auto list = one_partition(topic, RD_KAFKA_OFFSET_INVALID);
  expect(!rd_kafka_subscribe(client.get(), list.get()), "subscribe");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (int number = 0; number < message_count;) {
    expect(std::chrono::steady_clock::now() < give_up, fmt::format("only {} messages came", number));
    const Owned<rd_kafka_message_t> message(rd_kafka_consumer_poll(client.get(), 500), rd_kafka_message_destroy);
    if (!message || message->err) continue;
    check_message(message.get(), number++);
  }
  expect(!rd_kafka_commit(client.get(), nullptr, 0), "commit");
  rd_kafka_consumer_close(client.get());
}

void delete_records(rd_kafka_t* client, const std::string& topic) {
  const auto before = one_partition(topic, 1'000);
  rd_kafka_DeleteRecords_t* wanted = rd_kafka_DeleteRecords_new(before.get());
  const auto event = ask(client, [&](auto* queue) { rd_kafka_DeleteRecords(client, &wanted, 1, nullptr, queue); });
  rd_kafka_DeleteRecords_destroy(wanted);
  const auto* moved = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  expect(moved->cnt == 1 && !moved->elems[0].err && moved->elems[0].offset == 1'000, "delete records");
  std::int64_t low = -1, high = -1;
  expect(!rd_kafka_query_watermark_offsets(client, topic.c_str(), 0, &low, &high, timeout_ms), "watermarks");
  expect(low == 1'000 && high == message_count, fmt::format("watermarks {} {}", low, high));
}

std::int64_t committed(rd_kafka_t* client, const std::string& group, const std::string& topic) {
  const auto partitions = one_partition(topic, RD_KAFKA_OFFSET_INVALID);
  rd_kafka_ListConsumerGroupOffsets_t* wanted = rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), partitions.get());
  const auto event =
      ask(client, [&](auto* queue) { rd_kafka_ListConsumerGroupOffsets(client, &wanted, 1, nullptr, queue); });
  rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
  std::size_t count = 0;
  const auto* const* groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(event.get()), &count);
  expect(count == 1 && !rd_kafka_group_result_error(groups[0]), "list offsets of a group");
  return rd_kafka_group_result_partitions(groups[0])->elems[0].offset;
}

void alter_offset(rd_kafka_t* client, const std::string& group, const std::string& topic, std::int64_t offset) {
  const auto partitions = one_partition(topic, offset);
  rd_kafka_AlterConsumerGroupOffsets_t* wanted =
      rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), partitions.get());
  const auto event =
      ask(client, [&](auto* queue) { rd_kafka_AlterConsumerGroupOffsets(client, &wanted, 1, nullptr, queue); });
  rd_kafka_AlterConsumerGroupOffsets_destroy(wanted);
  std::size_t count = 0;
  const auto* const* groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(event.get()), &count);
  expect(count == 1 && !rd_kafka_group_result_error(groups[0]), "alter offsets of a group");
}

void describe_group(rd_kafka_t* client, const std::string& group) {
  const char* name = group.c_str();
  const auto event =
      ask(client, [&](auto* queue) { rd_kafka_DescribeConsumerGroups(client, &name, 1, nullptr, queue); });
  std::size_t count = 0;
  const auto* const* groups =
      rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
  expect(count == 1 && !rd_kafka_ConsumerGroupDescription_error(groups[0]), "describe a group");
  expect(rd_kafka_ConsumerGroupDescription_state(groups[0]) == RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY,
         "the group is empty");
}

void delete_offsets(rd_kafka_t* client, const std::string& group, const std::string& topic) {
  const auto partitions = one_partition(topic, RD_KAFKA_OFFSET_INVALID);
  rd_kafka_DeleteConsumerGroupOffsets_t* wanted =
      rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), partitions.get());
  const auto event =
      ask(client, [&](auto* queue) { rd_kafka_DeleteConsumerGroupOffsets(client, &wanted, 1, nullptr, queue); });
  rd_kafka_DeleteConsumerGroupOffsets_destroy(wanted);
  std::size_t count = 0;
  const auto* const* groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
      rd_kafka_event_DeleteConsumerGroupOffsets_result(event.get()), &count);
  expect(count == 1 && !rd_kafka_group_result_error(groups[0]), "delete offsets of a group");
  expect(!rd_kafka_group_result_partitions(groups[0])->elems[0].err, "delete offsets of a partition");
}

void delete_group(rd_kafka_t* client, const std::string& group, rd_kafka_resp_err_t expected) {
  rd_kafka_DeleteGroup_t* wanted = rd_kafka_DeleteGroup_new(group.c_str());
  const auto event = ask(client, [&](auto* queue) { rd_kafka_DeleteGroups(client, &wanted, 1, nullptr, queue); });
  rd_kafka_DeleteGroup_destroy(wanted);
  std::size_t count = 0;
  const auto* const* groups =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event.get()), &count);
  expect(count == 1, "delete a group");
  const rd_kafka_error_t* error = rd_kafka_group_result_error(groups[0]);
  const rd_kafka_resp_err_t got = error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
  expect(got == expected, fmt::format("delete a group: {}", rd_kafka_err2str(got)));
}

void step(const char* what, const std::function<void()>& run) {
  run();
  fmt::print("ok {}\n", what);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: compat_rdkafka HOST:PORT NAME\n");
    return 2;
  }
  const std::string bootstrap = argv[1], topic = argv[2], group = topic + "-group";
  const auto admin = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", bootstrap}});
  step("create topic", [&] { create_topic(admin.get(), topic); });
  step("idempotent produce, zstd, headers", [&] { produce(bootstrap, topic); });
  step("consume in a group", [&] { consume(bootstrap, topic, group); });
  step("committed", [&] { expect(committed(admin.get(), group, topic) == message_count, "committed offset"); });
  step("describe group", [&] { describe_group(admin.get(), group); });
  step("alter offsets", [&] {
    alter_offset(admin.get(), group, topic, 17);
    expect(committed(admin.get(), group, topic) == 17, "altered offset");
  });
  step("delete offsets", [&] {
    delete_offsets(admin.get(), group, topic);
    expect(committed(admin.get(), group, topic) == RD_KAFKA_OFFSET_INVALID, "deleted offset");
  });
  step("delete group", [&] {
    alter_offset(admin.get(), group, topic, 17);
    delete_group(admin.get(), group, RD_KAFKA_RESP_ERR_NO_ERROR);
    delete_group(admin.get(), group, RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND);
  });
  step("delete records", [&] { delete_records(admin.get(), topic); });
}

#include "edge-agent/adapters/agent_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/uplink/names.h"
#include "edge-agent/agent/mapping_file.h"
#include "edge-agent/mappings/shipped.h"

namespace edgelog::agent {
namespace {

using config::Table;

constexpr std::size_t inputs_max = 32;

constexpr const char* inputs_sample = R"toml([[input]]
name = "site"                # in metrics, and part of what names a device; may not change while devices number
kind = "mqtt"                # mqtt, stdin or socket
mapping = "plain-json"       # one that ships (calit2, edgelog-devices, nordwijk, opensmarthome, plain-json, zigbee2mqtt), or a path
host = "127.0.0.1"           # of the site's MQTT server
port = 1883
# user = "agent"
# password_file = "site.password"
# filters = ["events/#"]     # default: what the mapping's patterns need
# path = "/run/edgelog/agent.sock"   # of a socket

[stream.doors]
linger = "20ms"              # a batch waits this long for company
bytes = "256MiB"             # unacknowledged; what is over is dropped and becomes a gap
age = "400d"                 # of what was never published, counted anew when the agent starts
priority = 10                # the greater goes first
when_full = "drop-oldest"    # drop-oldest, drop-newest or block (what comes by MQTT cannot wait: the oldest goes)
)toml";

// MQTT 5, 4.7: a wildcard stands for whole levels, '#' for the last ones.
bool valid_filter(std::string_view filter) {
  if (filter.empty() || filter.size() > 65'535 || !is_utf8(filter) || filter.find('\0') != std::string_view::npos)
    return false;
  for (std::size_t at = 0; at < filter.size(); ++at) {
    const bool first = at == 0 || filter[at - 1] == '/', last = at + 1 == filter.size();
    if (filter[at] == '#' && (!first || !last)) return false;
    if (filter[at] == '+' && (!first || (!last && filter[at + 1] != '/'))) return false;
  }
  return true;
}

void read_input(const Table& table, AgentConfig& config) {
  InputConfig input;
  input.kind = table.choice("kind", "mqtt", {"mqtt", "stdin", "socket"});
  input.name = table.text("name", input.kind);
  for (const auto& other : config.inputs)
    if (other.name == input.name)
      table.refuse("name", fmt::format("a name that no other input has, not '{}'", input.name));
  const std::string mapping = table.text("mapping", "plain-json");
  auto found = find_mapping(mapping);
  if (found)
    input.mapping = std::move(*found);
  else
    table.refuse("mapping", fmt::format("a mapping: {}", found.error().what));
  input.host = table.text("host", "127.0.0.1");
  input.port = static_cast<std::uint16_t>(table.integer("port", 1883, {1, 65535}));
  input.user = table.text("user", "");
  input.password = table.text("password", "");
  if (const std::string file = table.text("password_file", ""); !file.empty()) {
    auto secret = config::read_secret(file);
    if (secret)
      input.password = *secret;
    else
      table.refuse("password_file", fmt::format("a readable file: {}", secret.error().what));
  }
  input.filters = table.texts("filters", {});
  for (const auto& filter : input.filters)
    if (!valid_filter(filter)) table.refuse("filters", fmt::format("MQTT topic filters, not '{}'", filter));
  input.path = table.text("path", "");
  if (input.kind == "socket" && input.path.empty()) table.refuse("path", "the path of the socket");
  config.inputs.push_back(std::move(input));
}

StreamSettings read_stream(const Table& table, const StreamSettings& defaults) {
  StreamSettings stream = defaults;
  stream.linger = table.duration("linger", stream.linger);
  stream.bytes_max = table.bytes("bytes", config::ByteSize{stream.bytes_max}).value();
  stream.age_max = table.duration("age", stream.age_max);
  stream.priority = static_cast<std::int32_t>(table.integer("priority", stream.priority, {-1000, 1000}));
  const std::string full = table.choice("when_full", "drop-oldest", {"drop-oldest", "drop-newest", "block"});
  stream.when_full = full == "block"         ? WhenFull::block
                     : full == "drop-newest" ? WhenFull::drop_newest
                                             : WhenFull::drop_oldest;
  return stream;
}

// Mosquitto would drop in silence what an input does not read. What names its stream by topic or payload is not known
// here: for that, a stream that blocks drops the oldest.
void refuse_block_by_mqtt(const Table& table, const std::string& name, const AgentConfig& config) {
  for (const auto& input : config.inputs) {
    if (input.kind != "mqtt") continue;
    bool takes = name == uplink::dead_letter_topic;
    for (const auto& topic : input.mapping.topics)
      for (const auto& event : topic.events) {
        std::string stream;
        const Captures none;
        takes = takes || (event.stream.render({config.site, "", &none, nullptr}, stream) && stream == name);
      }
    if (takes) table.refuse("when_full", fmt::format("no \"block\" for what input '{}' takes by MQTT", input.name));
  }
}

Status read_lists(const Table& root, AgentConfig& config) {
  config.inputs.clear();
  config.core.streams.clear();
  const auto inputs = root.tables("input");
  if (inputs.size() > inputs_max) root.refuse("input", fmt::format("at most {} inputs", inputs_max));
  for (const Table& input : inputs) read_input(input, config);
  for (const auto& [name, table] : root.named_tables("stream")) {
    if (!uplink::valid_topic(name)) root.refuse("stream", fmt::format("a Kafka topic, not '{}'", name));
    config.core.streams[name] = read_stream(table, config.core.defaults);
    if (config.core.streams[name].when_full == WhenFull::block) refuse_block_by_mqtt(table, name, config);
  }
  return Ok{};
}

// A configuration of a version that allowed less still starts.
void raise_log_bound(std::int64_t& bytes) {
  constexpr std::int64_t least = 64 << 20;
  if (bytes >= least) return;
  LOG(warning, "log_bytes_max: {} is less than {}, which is taken", bytes, least);
  bytes = least;
}

Status check(AgentConfig& config) {
  if (!uplink::valid_agent_id(config.id))
    return Error{Code::invalid, fmt::format("id: expected 1 to 64 of a-z 0-9 . _ -, got '{}'", config.id)};
  if (config.data.empty()) return Error{Code::invalid, "data: expected a folder, got \"\""};
  const auto admin = config::parse_endpoint(config.admin);
  if (!admin)
    return Error{Code::invalid, fmt::format("admin: expected {}, got \"{}\"", admin.error().what, config.admin)};
  config.admin_endpoint = *admin;
  if (config.site.empty()) config.site = config.id;
  if (config.site.size() > 64 || !is_utf8(config.site))
    return Error{Code::invalid, "site: expected at most 64 bytes of UTF-8"};
  if (!config.uplink_password_file.empty()) {
    auto secret = config::read_secret(config.uplink_password_file);
    if (!secret) return std::move(secret).error();
    config.uplink_password = *secret;
  }
  if (!config.stdin_mapping.empty()) {
    auto mapping = find_mapping(config.stdin_mapping);
    if (!mapping) return Error{Code::invalid, fmt::format("stdin: expected a mapping: {}", mapping.error().what)};
    for (const auto& input : config.inputs)
      if (input.name == "stdin") return Error{Code::invalid, "stdin: there is an input of that name already"};
    config.inputs.push_back({"stdin", "stdin", std::move(*mapping), {}, {}, {}, 0, {}, {}});
  }
  raise_log_bound(config.core.log_bytes_max);
  // What waits in memory for its round; a small machine has little of it.
  config.core.round_bytes = 512 << 10;
  config.core.pending_bytes_max = 2 << 20;
  config.core.agent = config.id;
  // A dead letter has up to 16 KiB of payload, each byte of which may take six.
  config.core.event_bytes_max = static_cast<std::int32_t>(std::max<std::int64_t>(config.message_bytes_max, 128 << 10));
  return Ok{};
}

}  // namespace

Result<Mapping> find_mapping(const std::string& name_or_path) {
  for (const ShippedMapping& shipped : shipped_mappings()) {
    if (shipped.name != name_or_path) continue;
    auto document = config::Document::from_text(shipped.text, name_or_path + ".toml");
    if (!document) return std::move(document).error();
    return read_mapping(*document);
  }
  return load_mapping(name_or_path);
}

void describe_settings(config::Settings& settings, AgentConfig& config) {
  settings
      .add("id", config.id, "the agent's name: its MQTT user name, and where its producer ids come from",
           "no default: two agents of one name would break each other's streams")
      .required = true;
  settings.add("site", config.site, "first part of every key, site/device", "empty: the agent's id");
  settings.add("data", config.data, "folder of the durable log", "beside where it was started");
  settings.add("admin", config.admin, "host:port of /healthz, /readyz, /metrics and the page of status",
               "loopback; port 0: any free one, which the log names");
  settings.add("uplink.host", config.uplink_host, "host of the cloud's MQTT server", "loopback: safe by default");
  settings.add("uplink.port", config.uplink_port, "its port", "MQTT's own").range = {1, 65535};
  settings.add("uplink.user", config.uplink_user, "user name there",
               "empty: the agent's id, as the ACL patterns want it");
  settings.add("uplink.password", config.uplink_password, "password there", "empty: none");
  settings.add("uplink.password_file", config.uplink_password_file, "file with the password in its first line",
               "empty: none; better than a password that every user of the machine can read");
  settings
      .add("message_bytes_max", config.message_bytes_max, "largest message that an input takes, in bytes",
           "under every limit on the way: Mosquitto's packet size, the topic's max.message.bytes")
      .range = {64, 900 << 10};
  settings.add("dead_letters", config.dead_letters, "whether what cannot be read goes to edgelog.dead-letters",
               "nothing is dropped in silence; without, it is counted, and a numbered device goes on behind it");
  settings.add("stdin", config.stdin_mapping,
               "a mapping: stdin is an input too, one JSON object a line; the agent ends with it",
               "empty: stdin is not read");
  settings
      .add("log_bytes_max", config.core.log_bytes_max, "bound of the log on disk in bytes, all streams",
           "a small machine's spare space; below 64 MiB, which leave room beside the WAL, what is set aside, and "
           "sources, it is taken for that")
      .range = {1 << 20, std::int64_t{1} << 50};
  settings
      .add("round_linger", config.core.round_linger, "how long a round waits for more events before it is written",
           "a device's message is confirmed after it at the latest; a due batch, 16 messages or 512 KiB do not wait: "
           "every round writes about 12 KiB")
      .range = {0, 10'000'000'000};
  settings.add("linger", config.core.defaults.linger,
               "how long a batch waits for company, where [stream.NAME] says nothing",
               "a second's batch costs a tenth of single messages");
  settings.nested(inputs_sample, [&config](const Table& root) { return read_lists(root, config); });
  settings.check([&config] { return check(config); });
}

}  // namespace edgelog::agent

#include "firmware-sim/adapters/profile.h"

#include <algorithm>
#include <limits>

namespace edgelog::firmware {
namespace {

constexpr const char* replay_sample = R"(# A recording instead of the model: give its files with `input`.
# [replay]
# layout = "table"          # or "series": one file a series, in directories or tar archives; its name is the device
# delimiter = "\t"
# header = true             # each file begins with the names of its columns; else: columns = ["a", "b"]
# device_column = "name"    # or device = "main-door": there is only one
# fields = ["name", "value:number", "count=column 7:number"]   # payload field = column; default: all, as text
# notice = ["name"]         # fields that the device repeats in its own notices
# time = ["epoch"]          # columns with the recorded time
# time_format = "iso8601"   # or unix_seconds, us_date_time
)";

// "name", "name:number", "name=column", "name=column:number"
ReplayField parse_field(std::string text) {
  ReplayField field;
  if (text.ends_with(":number")) {
    field.number = true;
    text.resize(text.size() - 7);
  }
  const auto equals = text.find('=');
  field.name = text.substr(0, equals);
  field.column = equals == std::string::npos ? text : text.substr(equals + 1);
  return field;
}

Status read_replay(const config::Table& root, ReplayConfig& replay) {
  const auto table = root.table("replay");
  replay.series = table.choice("layout", "table", {"table", "series"}) == "series";
  const std::string delimiter = table.text("delimiter", "\t");
  if (delimiter.size() != 1) table.refuse("delimiter", "one character");
  replay.delimiter = delimiter.empty() ? '\t' : delimiter[0];
  replay.header = table.boolean("header", !replay.series) && !replay.series;
  replay.columns = table.texts("columns", {});
  replay.device_column = table.text("device_column", "");
  replay.device = table.text("device", "device");
  for (auto& field : table.texts("fields", {})) replay.fields.push_back(parse_field(std::move(field)));
  replay.notice = table.texts("notice", {});
  replay.time = table.texts("time", {});
  const std::string format = table.choice("time_format", "none", {"none", "iso8601", "unix_seconds", "us_date_time"});
  replay.time_format = format == "iso8601"        ? TimeFormat::iso8601
                       : format == "unix_seconds" ? TimeFormat::unix_seconds
                       : format == "us_date_time" ? TimeFormat::us_date_time
                                                  : TimeFormat::none;
  if (table.present() && !replay.header && replay.columns.empty())
    table.refuse("columns", "the names of the columns, because the files have no header");
  return Ok{};
}

Status check(Profile& p) {
  const auto slash = p.part.find('/');
  const auto part = config::parse_integer(p.part.substr(0, slash));
  const auto parts = config::parse_integer(slash == std::string::npos ? "" : p.part.substr(slash + 1));
  if (!part || !parts || *part < 0 || *part >= *parts)
    return Error{Code::invalid, "part: expected K/N with K from 0 to N-1, got \"" + p.part + "\""};
  p.replay.part = static_cast<std::uint64_t>(*part);
  p.replay.parts = static_cast<std::uint64_t>(*parts);
  p.replay.inputs = p.input;
  p.replay.speed = p.speed;
  p.replay.rate = p.rate;
  p.replay.rows_max = static_cast<std::uint64_t>(p.rows);
  p.fleet.seed = static_cast<std::uint64_t>(p.seed);
  if (p.input.empty() && p.speed != 0 && (p.speed < 1 || p.speed > 1e6))
    return Error{Code::invalid, "speed: expected 1 to 1000000 seconds of the model per second, or 0 for 1"};
  p.fleet.speed = std::max<std::int64_t>(1, static_cast<std::int64_t>(p.speed));
  if (const auto endpoint = config::parse_endpoint(p.mqtt); !endpoint)
    return Error{Code::invalid, "mqtt: " + endpoint.error().what};
  if (!p.admin.empty())
    if (const auto endpoint = config::parse_endpoint(p.admin); !endpoint)
      return Error{Code::invalid, "admin: " + endpoint.error().what};
  return Ok{};
}

void describe_source(config::Settings& s, Profile& p) {
  s.add("kind", p.kind, "what the firmware can do: plain; numbered; ring: numbered, and keeps what is not confirmed",
        "what loses nothing")
      .choices = {"plain", "numbered", "ring"};
  s.add("topic", p.topic, "MQTT topic of a device's events; {device} is its name",
        "what mapping edgelog-devices reads");
  s.add("ring", p.ring, "events that a device keeps until they are done", "what a small flash holds").range = {1,
                                                                                                               1 << 20};
  s.add("ring_in_flight", p.ring_in_flight, "events of one ring on their way at once", "no flood when an agent returns")
      .range = {1, 32};
  s.add("with_boot", p.with_boot, "numbered: the payload says which start of the device its number belongs to",
        "repeats can be told from a new beginning");
  s.add("boot", p.boot, "first incarnation of every device; 0: the time of this start, in ms", "new at every start")
      .range = {0, (std::int64_t{1} << 53) - 1};
  s.add("ring_survives_reboot", p.ring_survives_reboot, "number and ring lie in flash", "a reboot loses nothing then");
  s.add("when_full", p.when_full, "wait: the source is held back; lose: the oldest event is forgotten",
        "a replay shall be complete")
      .choices = {"wait", "lose"};
  s.add("resend", p.resend, "a ring sends again what is not confirmed after this time, then doubles it",
        "longer than a round of the agent takes")
      .range = {1'000'000, std::numeric_limits<std::int64_t>::max()};
  s.add("resend_most", p.resend_most, "longest such time", "an agent that returns is found soon");
}

void describe_model(config::Settings& s, Profile& p) {
  auto& f = p.fleet;
  auto& q = f.quirks;
  s.add("seed", p.seed, "of everything that is left to chance", "the same history each time");
  s.add("duration", f.duration, "how long the model makes events; then what is stored is delivered, and it ends",
        "a look");
  s.add("model.prefix", f.prefix, "of all device names", "one site needs none");
  s.add("model.thermostats", f.thermostats, "rooms with a thermostat", "a small office").range = {0, 1'000'000};
  s.add("model.interval_ms", f.thermostat.interval_ms, "between two reports of a room, ms of the model", "usual")
      .range = {1'000, 86'400'000};
  s.add("model.stuck_per_million", f.thermostat.stuck_per_million, "steps at which a valve sticks open",
        "rooms overheat");
  s.add("model.buildings", f.buildings, "with doors and people", "one site").range = {0, 10'000};
  s.add("model.doors", f.building.doors, "of each building", "a small office").range = {1, 10'000};
  s.add("model.people", f.building.people, "of each building", "a small office").range = {0, 1'000'000};
  s.add("quirks.clock_offset_ms", q.clock_offset_ms, "a device's clock is off by up to this", "no NTP on the device");
  s.add("quirks.clock_drift_ppm", q.clock_drift_ppm, "and drifts by up to this", "cheap crystals");
  s.add("quirks.clock_unset_per_thousand", q.clock_unset_per_thousand, "devices that live in 2012 for an hour", "seen");
  s.add("quirks.repeat_per_million", q.repeat_per_million, "events that are published twice", "seen");
  s.add("quirks.silence_per_million", q.silence_per_million, "events that begin a silence, then a flush", "seen");
  s.add("quirks.silence_most_ms", q.silence_most_ms, "longest silence, ms of the model", "an hour").range = {
      1, 1'000'000'000};
  s.add("quirks.reboot_per_million", q.reboot_per_million, "events after which the device starts again", "brown-outs");
}

}  // namespace

void describe(config::Settings& s, Profile& p) {
  s.add("mqtt", p.mqtt, "host:port of the site's MQTT server", "its usual port");
  s.add("user", p.user, "MQTT user name", "a site's server may be open");
  s.add("password_file", p.password_file, "file with the MQTT password", "secrets are not in configuration");
  s.add("client_id", p.client_id, "MQTT client id; each connection adds its number", "one process a server");
  s.add("connections", p.connections, "MQTT connections that the devices share", "enough for 10,000 events/s").range = {
      1, 64};
  s.add("in_flight_max", p.in_flight_max, "messages on their way per connection; never above the server's limit",
        "the server's limit decides")
      .range = {1, 65'535};
  describe_source(s, p);
  s.add("input", p.input, "files of a recording, in this order; empty: the model makes events", "the model needs none");
  s.add("part", p.part, "K/N: only devices of the Kth of N parts, by a hash of the name", "all");
  s.add("speed", p.speed,
        "times as fast as the recording or the clock; 0: a recording as fast as possible, the model at its pace",
        "recordings are long");
  s.add("rows", p.rows, "rows of a recording that are played, of all parts; 0: all", "all").range = {
      0, std::numeric_limits<std::int64_t>::max()};
  s.add("rate", p.rate, "events of a recording per second, at most; 0: no limit", "the window is limit enough")
      .range = {0, 10'000'000};
  describe_model(s, p);
  s.add("ledger", p.ledger, "file that gets a line for every event made or lost", "only accounts need it");
  s.add("drain", p.drain, "longest wait at the end for confirmations; 0: until all are there", "an account must close");
  s.add("admin", p.admin, "host:port of /metrics; empty: none", "many run on one machine");
  s.nested(replay_sample, [&p](const config::Table& root) { return read_replay(root, p.replay); });
  s.check([&p] { return check(p); });
}

BusConfig bus_config(const Profile& p, const std::string& password, std::uint64_t boot) {
  BusConfig bus;
  const auto endpoint = config::parse_endpoint(p.mqtt);
  ASSERT(endpoint);  // check() has read it
  bus.mqtt.host = endpoint->host;
  bus.mqtt.port = endpoint->port;
  bus.mqtt.client_id = p.client_id;
  bus.mqtt.user = p.user;
  bus.mqtt.password = password;
  bus.mqtt.in_flight_max = static_cast<std::size_t>(p.in_flight_max);
  bus.connections = static_cast<std::size_t>(p.connections);
  bus.topic = p.topic;
  bus.outbox.kind = p.kind == "plain" ? SourceKind::plain : p.kind == "ring" ? SourceKind::ring : SourceKind::numbered;
  bus.outbox.capacity = static_cast<std::size_t>(p.ring);
  bus.outbox.in_flight = static_cast<std::uint32_t>(p.ring_in_flight);
  bus.outbox.backoff = {p.resend, std::max(p.resend, p.resend_most)};
  // MQTT 5, 4.4: without a ring's confirmations, nothing is sent again on a connection that lives.
  if (bus.outbox.kind != SourceKind::ring) bus.outbox.backoff = {seconds(86'400), seconds(86'400)};
  bus.with_boot = p.with_boot || p.kind == "ring";
  bus.boot = boot;
  bus.ring_survives_reboot = p.ring_survives_reboot;
  bus.wait_when_full = p.when_full == "wait";
  bus.seed = static_cast<std::uint64_t>(p.seed);
  return bus;
}

}  // namespace edgelog::firmware

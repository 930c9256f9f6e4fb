#include "edge-agent/adapters/status_board.h"

#include <fmt/format.h>

#include <iterator>

namespace edgelog::agent {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

constexpr const char* state_names[] = {"flowing", "fencing", "looking", "waiting for the log", "full"};

std::string_view state_name(std::int8_t state) {
  return state >= 0 && static_cast<std::size_t>(state) < std::size(state_names)
             ? state_names[static_cast<std::size_t>(state)]
             : "unknown";
}

}  // namespace

StatusBoard::StatusBoard(std::string agent, std::string version, Driver& driver, EventLog& log, MqttUplink& uplink)
    : agent_(std::move(agent)), version_(std::move(version)), driver_(driver), log_(log), uplink_(uplink) {
  describe();
}

void StatusBoard::counter(const char* name, const char* help, std::uint64_t (*read)(const StatusBoard&)) {
  const Figure& figure = figures_.emplace_back(read);
  metrics_.add({name, help, {}, true, [&figure] { return static_cast<double>(figure.value.value()); }});
}

void StatusBoard::gauge(const char* name, const char* help, std::uint64_t (*read)(const StatusBoard&)) {
  const Figure& figure = figures_.emplace_back(read);
  metrics_.add(name, help, figure.value);
}

// Names without the agent's: a scrape knows whom it asked.
void StatusBoard::describe() {
  using Board = const StatusBoard&;
  counter("edgelog_agent_events_taken_total", "Events taken.",
          [](Board b) { return b.driver_.core().counts().events_taken; });
  counter("edgelog_agent_repeats_total", "Messages that were there already.",
          [](Board b) { return b.driver_.core().counts().repeats; });
  counter("edgelog_agent_out_of_order_total", "Messages of a ring that were not the next.",
          [](Board b) { return b.driver_.core().counts().out_of_order; });
  counter("edgelog_agent_events_dropped_total", "Events dropped by a bound, each named by a gap.",
          [](Board b) { return b.driver_.core().counts().events_dropped; });
  counter("edgelog_agent_gaps_total", "Gaps written down.", [](Board b) { return b.driver_.core().counts().gaps; });
  counter("edgelog_agent_rounds_total", "Transactions that the log made durable.",
          [](Board b) { return b.driver_.core().counts().commits; });
  counter("edgelog_agent_rounds_failed_total", "Transactions that did not fit on the disk.",
          [](Board b) { return b.driver_.core().counts().commits_failed; });
  counter("edgelog_agent_batches_sealed_total", "Batches sealed.",
          [](Board b) { return b.driver_.core().counts().batches_sealed; });
  counter("edgelog_agent_batches_published_total", "Batches published for the first time.",
          [](Board b) { return b.driver_.core().counts().batches_published; });
  counter("edgelog_agent_batches_sent_again_total", "Publishes of batches in all, the first ones included.",
          [](Board b) { return b.driver_.core().counts().batches_sent_again; });
  counter("edgelog_agent_batches_acknowledged_total", "Batches that the cloud's log has.",
          [](Board b) { return b.driver_.core().counts().batches_acknowledged; });
  counter("edgelog_agent_events_acknowledged_total", "Events that the cloud's log has.",
          [](Board b) { return b.driver_.core().counts().events_acknowledged; });
  counter("edgelog_agent_fences_total", "Fences published.", [](Board b) { return b.driver_.core().counts().fences; });
  counter("edgelog_agent_looks_total", "Looks asked for.", [](Board b) { return b.driver_.core().counts().looks; });
  counter("edgelog_agent_recoveries_total", "Times that fence, look, renumber began.",
          [](Board b) { return b.driver_.core().counts().recoveries; });
  counter("edgelog_agent_published_bytes_total", "Payload bytes handed to the uplink.",
          [](Board b) { return b.driver_.bytes_published(); });
  gauge("edgelog_agent_log_bytes", "Database without its free pages, and WAL, on disk.",
        [](Board b) { return static_cast<std::uint64_t>(b.log_.usage().log_bytes); });
  gauge("edgelog_agent_disk_full", "1 while inputs are held for want of space on the log's disk.",
        [](Board b) -> std::uint64_t { return b.driver_.disk_full(); });
  gauge("edgelog_agent_uplink_connected", "1 while the uplink is connected.",
        [](Board b) -> std::uint64_t { return b.uplink_.connected(); });
  gauge("edgelog_agent_batches_in_flight", "Batches published and not answered.", [](Board b) {
    std::uint64_t batches = 0;
    for (const auto& stream : b.driver_.core().status()) batches += stream.in_flight;
    return batches;
  });
  gauge("edgelog_agent_backlog_events", "Events taken and not acknowledged.", [](Board b) {
    std::int64_t events = 0;
    for (const auto& stream : b.driver_.core().status()) events += stream.state.newest - stream.state.oldest;
    return static_cast<std::uint64_t>(events);
  });
}

void StatusBoard::add(const Intake& intake, const MqttInput* mqtt) {
  inputs_.push_back({&intake, mqtt});
  const MetricList::Labels labels{{"input", intake.options().input}};
  const IntakeCounts& counts = intake.counts();
  metrics_.add("edgelog_agent_input_messages_total", "Messages delivered.", counts.messages, labels);
  metrics_.add("edgelog_agent_input_bytes_total", "Their payload bytes.", counts.bytes, labels);
  metrics_.add("edgelog_agent_input_ignored_total", "Messages that the mapping ignores.", counts.ignored, labels);
  metrics_.add("edgelog_agent_input_snapshots_total", "Retained messages, not taken.", counts.snapshots, labels);
  metrics_.add("edgelog_agent_input_unknown_topics_total", "Messages on topics without a rule.", counts.unknown_topics,
               labels);
  metrics_.add("edgelog_agent_input_refused_total", "Messages that are no events: dead letters.", counts.refused,
               labels);
  metrics_.add("edgelog_agent_input_clocks_off_total", "Events whose device time is not to be trusted.",
               counts.clocks_off, labels);
  if (mqtt != nullptr)
    metrics_.add("edgelog_agent_input_lost_total", "Messages for which there was no room.", mqtt->lost(), labels);
}

Status StatusBoard::start(const std::string& host, std::uint16_t port) {
  http_ = std::make_unique<io::AdminHttp>(metrics_, ready_);
  http_->get("/", [this] { return io::HttpAnswer{200, "text/html; charset=utf-8", page_.load()}; });
  refresh();
  return http_->start(host, port);
}

void StatusBoard::refresh() {
  for (Figure& figure : figures_) figure.value.set(static_cast<std::int64_t>(figure.read(*this)));
  const auto streams = driver_.core().status();
  refresh_readiness(streams);
  page_.store(page(streams));
}

void StatusBoard::refresh_readiness(const std::vector<StreamStatus>& streams) {
  const auto say = [this](const std::string& subject, const std::string& reason) {
    if (reason.empty())
      ready_.clear(subject);
    else
      ready_.set(subject, reason);
  };
  say("uplink", uplink_.trouble());
  say("disk", driver_.disk_full() ? "no space left for the log: inputs are held until there is some" : "");
  for (const auto& input : inputs_)
    if (input.mqtt != nullptr) say("input " + input.intake->options().input, input.mqtt->trouble());
  for (const auto& stream : streams) say("stream " + stream.state.topic, stream.waits_for);
}

std::string StatusBoard::page(const std::vector<StreamStatus>& streams) const {
  std::string out = fmt::format(
      "<!doctype html><html><head><meta charset=utf-8><meta http-equiv=refresh content=2><title>{0}</title><style>"
      "body{{font:15px system-ui,sans-serif;margin:2em;color:#222}}table{{border-collapse:collapse;margin:1em 0}}"
      "td,th{{padding:.3em .8em;border-bottom:1px solid "
      "#ddd;text-align:right}}td:first-child,th:first-child{{text-align:left}}"
      "</style></head><body><h1>edgelog agent {0}</h1><p>Version {1}. Uplink: {2}. Log: {3} KiB on disk, {4} MiB of "
      "the disk free{5}.</p>",
      escaped(agent_), escaped(version_), uplink_.trouble().empty() ? "connected" : escaped(uplink_.trouble()),
      log_.usage().log_bytes >> 10, log_.usage().disk_free_bytes >> 20,
      driver_.disk_full() ? ", <b>disk full</b>" : "");
  out += "<table><tr><th>stream<th>backlog<th>bytes<th>acknowledged<th>taken<th>in flight<th>state</tr>";
  for (const auto& s : streams)
    fmt::format_to(std::back_inserter(out), "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
                   escaped(s.state.topic), s.state.newest - s.state.oldest, s.state.bytes, s.state.acknowledged.value(),
                   s.state.newest.value(), s.in_flight,
                   s.waits_for.empty() ? state_name(s.state.state) : escaped(s.waits_for));
  out += "</table><table><tr><th>input<th>messages<th>refused<th>snapshots<th>ignored<th>state</tr>";
  for (const auto& input : inputs_) {
    const auto& counts = input.intake->counts();
    fmt::format_to(std::back_inserter(out), "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
                   escaped(input.intake->options().input), counts.messages.value(), counts.refused.value(),
                   counts.snapshots.value(), counts.ignored.value(),
                   input.mqtt == nullptr || input.mqtt->trouble().empty() ? "open" : escaped(input.mqtt->trouble()));
  }
  return out + "</table></body></html>\n";
}

}  // namespace edgelog::agent

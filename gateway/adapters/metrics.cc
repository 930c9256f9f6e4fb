#include "gateway/adapters/metrics.h"

namespace edgelog::gateway {

void list_metrics(const Bridge& bridge, const client::Client& client, MetricList& list) {
  const CoreMetrics& core = bridge.core_metrics();
  list.add("edgelog_gateway_batches_total", "Batches that came from agents, copies and fences included.", core.batches);
  list.add("edgelog_gateway_batch_bytes_total", "Bytes of these.", core.bytes);
  list.add("edgelog_gateway_fences_total", "Fences among them that were passed on.", core.fences);
  const char* const answers = "Answers to agents for batches, by Kafka's error code.";
  for (std::size_t i = 0; i < AnswerCounters::codes.size(); ++i)
    list.add("edgelog_gateway_answers_total", answers, core.answers.counters[i],
             {{"error", std::to_string(AnswerCounters::codes[i])}});
  list.add("edgelog_gateway_answers_total", answers, core.answers.counters.back(), {{"error", "other"}});
  const char* const released = "Batches let go without an answer, by reason.";
  list.add("edgelog_gateway_released_total", released, core.released_malformed, {{"reason", "malformed"}});
  list.add("edgelog_gateway_released_total", released, core.released_expired, {{"reason", "expired"}});
  list.add("edgelog_gateway_released_total", released, core.released_full, {{"reason", "full"}});
  list.add("edgelog_gateway_released_total", released, core.released_copy, {{"reason", "copy"}});
  list.add("edgelog_gateway_released_total", released, core.released_not_ready, {{"reason", "not_ready"}});
  list.add("edgelog_gateway_released_total", released, core.released_stale, {{"reason", "stale"}});
  list.add("edgelog_gateway_retries_total", "Sendings to the log that failed and were, or will be, repeated.",
           core.retries);
  list.add("edgelog_gateway_late_results_total", "Results of the log for batches that were let go.", core.late_results);
  list.add("edgelog_gateway_pauses_total", "Times that this process was found to have slept.", core.pauses);
  list.add("edgelog_gateway_in_hand", "Batches in hand.", core.in_hand);
  list.add("edgelog_gateway_in_hand_bytes", "Bytes of these.", core.in_hand_bytes);
  const LookMetrics& looks = bridge.look_metrics();
  list.add("edgelog_gateway_looks_total", "Looks that agents asked for.", looks.asked);
  list.add("edgelog_gateway_look_answers_total", "Answers to looks.", looks.answered_ok, {{"result", "ok"}});
  list.add("edgelog_gateway_look_answers_total", "Answers to looks.", looks.answered_error, {{"result", "error"}});
  list.add("edgelog_gateway_look_rounds_total", "Readings of a partition for those who look.", looks.rounds);
  list.add("edgelog_gateway_looks_waiting", "Agents that wait for a look.", looks.waiting);
  const BridgeMetrics& own = bridge.metrics();
  list.add("edgelog_gateway_messages_total", "MQTT messages.", own.messages);
  list.add("edgelog_gateway_bad_messages_total", "Messages that could not be read.", own.bad_topics,
           {{"what", "topic"}});
  list.add("edgelog_gateway_bad_messages_total", "Messages that could not be read.", own.bad_messages,
           {{"what", "payload"}});
  list.add("edgelog_gateway_publishes_refused_total", "Answers and topic lists that the MQTT server refused.",
           own.publishes_refused);
  list.add("edgelog_gateway_produced_total", "Batches that the log has answered for.", own.produced_ok,
           {{"result", "ok"}});
  list.add("edgelog_gateway_produced_total", "Batches that the log has answered for.", own.produced_error,
           {{"result", "error"}});
  list.add({"edgelog_gateway_produce_seconds_total",
            "Time from arrival to the log's good answer, summed over batches.",
            {},
            true,
            [&own] { return static_cast<double>(own.produce_nanoseconds.value()) * 1e-9; }});
  list.add("edgelog_gateway_shards", "Shards that are this gateway's, of 64.", own.shards);
  const FleetMetrics& fleet = bridge.fleet_metrics();
  list.add("edgelog_gateway_heartbeats_total", "Heartbeats of agents.", fleet.heartbeats);
  list.add("edgelog_gateway_fleet_records_total", "Records written to edgelog.fleet.", fleet.records);
  list.add("edgelog_gateway_fleet_failures_total", "Writes to edgelog.fleet that failed, and are repeated.",
           fleet.failures);
  list.add("edgelog_gateway_agents", "Agents that this gateway has heard of.", fleet.agents);
  list.add("edgelog_gateway_agents_online", "Agents that say they are online.", fleet.online);
  const OutboxMetrics& outbox = bridge.outbox_metrics();
  list.add("edgelog_gateway_answer_messages_total", "MQTT messages with answers.", outbox.messages);
  list.add("edgelog_gateway_answers_dropped_total", "Answers dropped for want of room.", outbox.dropped);
  list.add("edgelog_gateway_answers_waiting", "Answers that wait for a place on the MQTT connection.", outbox.waiting);
  list.add("edgelog_gateway_log_requests_total", "Requests to the log.", client.metrics().requests);
  list.add("edgelog_gateway_log_connections_lost_total", "Connections to brokers that ended or failed.",
           client.metrics().links_lost);
}

}  // namespace edgelog::gateway

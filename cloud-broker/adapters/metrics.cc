#include "cloud-broker/adapters/metrics.h"

#include "common/wire/apis.h"

namespace edgelog::broker {

namespace {

void list_connections(MetricList& list, const io::TcpServerMetrics& m) {
  list.add("edgelog_broker_connections", "open connections", m.connections);
  list.add("edgelog_broker_connections_accepted_total", "connections accepted", m.accepted);
  list.add("edgelog_broker_connections_refused_total", "connections closed at once: too many", m.refused);
  list.add("edgelog_broker_connections_timed_out_total", "connections closed for idleness or standstill", m.timed_out);
  list.add("edgelog_broker_connections_shed_total", "connections closed since they held memory that others needed",
           m.shed);
  list.add("edgelog_broker_bad_frames_total", "frames of an impossible length", m.bad_frames);
  list.add("edgelog_broker_received_bytes_total", "bytes received from clients", m.bytes_in);
  list.add("edgelog_broker_sent_bytes_total", "bytes sent to clients", m.bytes_out);
  list.add("edgelog_broker_connection_memory_bytes", "half-received requests and unsent responses", m.memory_bytes);
}

void list_requests(MetricList& list, const BrokerMetrics& m) {
  for (const wire::Api& api : wire::apis()) {
    const auto key = static_cast<std::size_t>(api.key);
    if (key >= m.requests.size()) continue;
    list.add("edgelog_broker_requests_total", "requests by API", m.requests[key], {{"api", api.name}});
  }
  list.add("edgelog_broker_malformed_requests_total", "requests that could not be read", m.malformed);
  list.add("edgelog_broker_unsupported_requests_total", "requests of an API or version that is not served",
           m.unsupported);
  list.add("edgelog_broker_produced_batches_total", "record batches taken from clients", m.produced_batches);
  list.add("edgelog_broker_produced_records_total", "records taken from clients", m.produced_records);
  list.add("edgelog_broker_produced_bytes_total", "bytes of record batches taken from clients", m.produced_bytes);
  list.add("edgelog_broker_produce_errors_total", "partitions of Produce requests that were refused", m.produce_errors);
  list.add("edgelog_broker_fetched_bytes_total", "bytes of record batches sent to consumers", m.fetched_bytes);
  list.add("edgelog_broker_fetch_errors_total", "partitions of Fetch requests that were refused", m.fetch_errors);
  list.add("edgelog_broker_parked_fetches", "Fetch requests that wait for data", m.parked_fetches);
  list.add("edgelog_broker_waiting_produces", "Produce requests that wait for the disk", m.waiting_produces);
  list.add("edgelog_broker_topics", "topics", m.topics);
  list.add("edgelog_broker_groups", "consumer groups", m.groups);
  list.add("edgelog_broker_group_members", "members of consumer groups", m.members);
  list.add("edgelog_broker_group_steps_total", "steps of group coordinators", m.group_steps);
  list.add("edgelog_broker_offset_commits_total", "offsets committed by groups", m.offset_commits);
}

void list_store(MetricList& list, const StoreMetrics& m) {
  list.add("edgelog_broker_rounds_total", "commit rounds: one sync for what a turn appended", m.rounds);
  list.add("edgelog_broker_journal_bytes_total", "bytes written to the journal", m.journal_bytes);
  list.add("edgelog_broker_direct_bytes_total", "bytes synced in their segments, without the journal", m.direct_bytes);
  list.add("edgelog_broker_appended_bytes_total", "bytes appended to partitions", m.appended_bytes);
  list.add("edgelog_broker_appended_batches_total", "batches appended to partitions", m.appended_batches);
  list.add("edgelog_broker_duplicates_total", "batches recognised as repeated", m.duplicates);
  list.add("edgelog_broker_refused_full_total", "appends refused for want of space", m.refused_full);
  list.add("edgelog_broker_checkpoints_total", "checkpoints", m.checkpoints);
  list.add("edgelog_broker_segments_deleted_total", "segments deleted", m.segments_deleted);
  list.add("edgelog_broker_compactions_total", "segments compacted", m.compactions);
  list.add("edgelog_broker_producers_evicted_total", "producer ids forgotten for want of room", m.producers_evicted);
  list.add("edgelog_broker_recovered_batches_total", "batches replayed from the journal at start", m.recovered_batches);
  list.add("edgelog_broker_recovered_cut_bytes_total", "bytes of torn tails cut at start", m.recovered_cut_bytes);
  list.add("edgelog_broker_producer_ids", "producer ids remembered", m.producer_ids);
  list.add("edgelog_broker_disk_free_bytes", "bytes free on the data directory's disk", m.free_bytes);
  list.add("edgelog_broker_disk_full", "1 while appends are refused for want of space", m.full);
  list.add("edgelog_broker_partitions", "partitions", m.partitions);
  list.add("edgelog_broker_damaged_partitions", "partitions that are refused because of damage", m.damaged_partitions);
  list.add("edgelog_broker_pending_bytes", "bytes appended and not yet handed to the disk", m.pending_bytes);
}

}  // namespace

void list_metrics(MetricList& list, ShardLoop& node, const Durations& syncs) {
  list_connections(list, node.connections());
  list_requests(list, node.shard().metrics());
  list_store(list, node.shard().store().metrics());
  const std::string times = "edgelog_broker_request_seconds";
  const std::string help = "from the last byte of a request to its answer; a Fetch may wait for data";
  list_durations(list, times, help, node.times().produces(), {{"api", "Produce"}});
  list_durations(list, times, help, node.times().fetches(), {{"api", "Fetch"}});
  list_durations(list, "edgelog_broker_sync_seconds", "one fdatasync", syncs);
}

void watch_readiness(Shard& shard, io::Readiness& readiness) {
  const StoreMetrics& metrics = shard.store().metrics();
  if (shard.store().full()) {
    readiness.set("disk", "full: appends are refused until space returns");
  } else {
    readiness.clear("disk");
  }
  if (const auto damaged = metrics.damaged_partitions.value(); damaged > 0) {
    readiness.set("partitions", std::to_string(damaged) + " damaged; the log names them");
  } else {
    readiness.clear("partitions");
  }
}

}  // namespace edgelog::broker

#include "cloud-broker/partition/partition.h"

#include "cloud-broker/partition/partition_log.h"

namespace edgelog::broker {

Partition::Partition(std::unique_ptr<PartitionLog> log) : log_(std::move(log)) { log_->facade = this; }
Partition::~Partition() = default;

const PartitionId& Partition::id() const { return log_->id; }
const std::string& Partition::damage() const { return log_->why_damaged; }
AppendResult Partition::append(MutableBytes batch, Appender appender, WallMillis wall) {
  return log_->append(batch, appender, wall);
}
ReadResult Partition::read(Offset from, std::size_t bytes_max, bool at_least_one, Offset limit) {
  return log_->read(from, bytes_max, at_least_one, limit);
}
Offset Partition::log_start() const { return log_->log_start; }
Offset Partition::end() const { return log_->end; }
Offset Partition::flushed() const { return log_->flushed; }
Offset Partition::committed() const { return log_->committed; }
Offset Partition::last_stable() const { return log_->committed; }
LeaderEpoch Partition::leader_epoch() const { return log_->leader_epoch(); }
EpochEnd Partition::end_offset_for_epoch(LeaderEpoch epoch) const { return log_->end_offset_for_epoch(epoch); }
LeaderEpoch Partition::epoch_at(Offset offset) const { return log_->epoch_at(offset); }
TimedOffset Partition::offset_for_time(std::int64_t timestamp, Offset limit) {
  return log_->offset_for_time(timestamp, limit);
}
TimedOffset Partition::max_timestamp(Offset limit) { return log_->max_timestamp(limit); }
const TopicSettings& Partition::settings() const { return log_->settings; }
void Partition::set_settings(const TopicSettings& settings) { log_->settings = settings; }
bool Partition::delete_records(Offset offset) { return log_->delete_records(offset); }
std::uint64_t Partition::size_bytes() const { return log_->size_bytes(); }
std::size_t Partition::segment_count() const { return log_->segments.size(); }
std::size_t Partition::producer_count() const { return log_->producers.size(); }

}  // namespace edgelog::broker

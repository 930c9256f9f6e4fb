#include "tests/support/store_world.h"

#include <utility>

#include "common/base/assert.h"
#include "common/record/batch.h"
#include "common/record/check.h"

namespace edgelog::testing {

std::vector<std::int64_t> offsets_of(Bytes batches) {
  std::vector<std::int64_t> out;
  while (auto batch = record::next_batch(batches)) out.push_back(record::parse_header(*batch)->base_offset.value());
  return out;
}

std::int64_t read_all(broker::Partition& partition) {
  Offset at = partition.log_start();
  std::int64_t count = 0;
  while (at < partition.committed()) {
    const auto read = partition.read(at, 1 << 16, true, partition.committed());
    if (read.error != 0 || read.batches.empty()) return -1;
    count += read.next - at;
    at = read.next;
  }
  return count;
}

StoreWorld::StoreWorld() {
  config.node = NodeId{1};
  config.fresh[0] = std::byte{42};
  config.free_bytes_min = 0;
}

void StoreWorld::open() {
  fatal = false;
  broker::StoreEvents events;
  events.on_committed = [this](std::span<broker::Partition* const> list) { advanced.assign(list.begin(), list.end()); };
  events.on_fatal = [this](const Error&) { fatal = true; };
  auto opened = broker::Store::open(disk, config, std::move(events), now);
  if (!opened) std::fprintf(stderr, "open: %s\n", opened.error().what.c_str());
  ASSERT(opened);
  store = std::move(*opened);
}

void StoreWorld::kill() {
  store.reset();
  disk.kill();
}

void StoreWorld::power_cut(Survival survival) {
  store.reset();
  disk.power_cut(random, survival);
}

void StoreWorld::close() {
  bool done = false;
  store->close([&](Status status) { done = static_cast<bool>(status); });
  disk.complete_all();
  ASSERT(done);
  kill();
}

broker::Partition& StoreWorld::create(int number, const broker::TopicSettings& settings) {
  return **store->create(partition_id(number), settings);
}

broker::AppendResult StoreWorld::append(broker::Partition& partition, const BatchSpec& spec) {
  Buffer batch = make_batch(spec);
  return partition.append(batch, broker::Appender::client, wall);
}

void StoreWorld::commit() {
  store->end_of_turn();
  disk.complete_all();
}

void StoreWorld::tick(Duration later) {
  now = now + later;
  wall = wall + later;
  store->tick(now, wall);
  disk.complete_all();
}

void StoreWorld::idle_checkpoint() {
  tick(seconds(3));
  tick(seconds(3));
}

void StoreWorld::complete_background() {
  while (disk.pending() > 1) disk.complete(disk.first_of_round() == 0 ? 1 : 0);
}

void StoreWorld::checkpoint_while_round_waits() {
  for (int i = 0; i < 3; ++i) {
    now = now + seconds(3);
    store->tick(now, wall);
  }
  ASSERT(disk.pending() > 1);
  complete_background();
  disk.complete(0);
}

}  // namespace edgelog::testing

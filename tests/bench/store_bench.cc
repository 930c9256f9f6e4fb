// The broker's store on a real disk, every append acknowledged only when durable: how much goes through one
// partition and through a thousand, and how long a start takes after kill -9 and after a clean end.
// TMPDIR says where the data goes; /dev/shm would measure nothing.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "cloud-broker/partition/store.h"
#include "common/io/loop.h"
#include "common/io/posix_disk.h"
#include "tests/support/batches.h"

namespace {

using namespace edgelog;

class World {
 public:
  World() {
    const char* const base = std::getenv("TMPDIR");
    directory_ = std::string(base ? base : "/tmp") + "/edgelog-store-XXXXXX";
    ASSERT(::mkdtemp(directory_.data()) != nullptr);
    open();
  }
  ~World() {
    shut();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    disk_ = std::move(
        *io::PosixDisk::open(directory_, [this](std::function<void()> work) { loop_.post(std::move(work)); }));
    broker::StoreConfig config;
    config.node = NodeId{1};
    config.fresh[0] = std::byte{1};
    broker::StoreEvents events;
    events.on_committed = [](std::span<broker::Partition* const>) {};
    events.on_fatal = [](const Error&) { std::abort(); };
    store_ = std::move(*broker::Store::open(*disk_, config, std::move(events), io::boottime_now()));
  }
  void shut() {
    store_.reset();
    disk_.reset();
  }
  void close() {
    bool closed = false;
    store_->close([&closed](Status status) {
      ASSERT(status);
      closed = true;
    });
    while (!closed) loop_.run_one();
    shut();
  }
  void wait() { loop_.run_one(); }
  broker::Store& store() { return *store_; }

 private:
  io::Loop loop_;
  std::string directory_;
  std::unique_ptr<io::PosixDisk> disk_;
  std::unique_ptr<broker::Store> store_;
};

broker::PartitionId id_of(int number) {
  broker::PartitionId id;
  id.topic[0] = std::byte{1};
  id.index = PartitionIndex{number};
  return id;
}

// Args: partitions, bytes of a batch, bytes that may be appended and not yet durable. One iteration: 8 MiB durable.
void append_durable(benchmark::State& state) {
  const auto partitions = static_cast<int>(state.range(0));
  World world;
  std::vector<broker::Partition*> all;
  for (int i = 0; i < partitions; ++i) all.push_back(*world.store().create(id_of(i), {}));
  const Buffer batch = testing::make_batch({.value_bytes = static_cast<std::size_t>(state.range(1)) - 80});
  const auto in_flight_max = static_cast<std::uint64_t>(state.range(2));
  std::uint64_t appended = 0, durable = 0;
  std::size_t next = 0;
  Buffer copy;
  const auto count = [&] {
    std::int64_t sum = 0;
    for (const auto* p : all) sum += p->committed().value();
    durable = static_cast<std::uint64_t>(sum) * batch.size();
  };
  for (auto _ : state) {
    const std::uint64_t goal = durable + (8u << 20);
    while (durable < goal) {
      while (appended - durable < in_flight_max) {
        copy = batch;
        const auto answer = all[next++ % all.size()]->append(copy, broker::Appender::client, io::wall_now());
        ASSERT(answer.error == 0);
        appended += batch.size();
      }
      world.store().end_of_turn();
      world.wait();
      count();
    }
  }
  state.SetBytesProcessed(state.iterations() * (8 << 20));
  const auto& metrics = world.store().metrics();
  state.counters["rounds"] = static_cast<double>(metrics.rounds.value());
  state.counters["written/appended"] =
      static_cast<double>(metrics.journal_bytes.value() + metrics.appended_bytes.value()) /
      static_cast<double>(metrics.appended_bytes.value());
}
BENCHMARK(append_durable)
    ->ArgNames({"partitions", "batch", "inflight"})
    ->Args({1, 16 << 10, 4 << 20})
    ->Args({1, 1 << 10, 1 << 20})
    ->Args({1000, 4 << 10, 4 << 20})
    ->Args({1000, 1 << 10, 1 << 20})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// One batch of 1 KiB at a time: the latency of a commit.
void append_one(benchmark::State& state) {
  World world;
  broker::Partition* const p = *world.store().create(id_of(0), {});
  const Buffer batch = testing::make_batch({.value_bytes = 940});
  for (auto _ : state) {
    Buffer copy = batch;
    ASSERT(p->append(copy, broker::Appender::client, io::wall_now()).error == 0);
    world.store().end_of_turn();
    while (p->committed() < p->end()) world.wait();
  }
}
BENCHMARK(append_one)->UseRealTime()->Unit(benchmark::kMicrosecond);

// Args: partitions, clean end or not. 64 MiB in the log; an iteration is a start.
void start(benchmark::State& state) {
  const auto partitions = static_cast<int>(state.range(0));
  World world;
  for (int i = 0; i < partitions; ++i) ASSERT(world.store().create(id_of(i), {}));
  const Buffer batch = testing::make_batch({.value_bytes = 16'000});
  for (auto _ : state) {
    state.PauseTiming();
    for (int n = 0; n < 64; ++n) {
      for (int i = 0; i < 8; ++i) {
        Buffer copy = batch;
        ASSERT(world.store()
                   .find(id_of((n * 8 + i) % partitions))
                   ->append(copy, broker::Appender::client, io::wall_now())
                   .error == 0);
      }
      world.store().end_of_turn();
      world.wait();
    }
    state.range(1) == 1 ? world.close() : world.shut();
    state.ResumeTiming();
    world.open();
  }
}
BENCHMARK(start)
    ->ArgNames({"partitions", "clean"})
    ->Args({1, 0})
    ->Args({1, 1})
    ->Args({1000, 0})
    ->Args({1000, 1})
    ->Iterations(5)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();

#include "edge-agent/adapters/sqlite_log.h"

#include <pthread.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "common/base/log.h"
#include "edge-agent/adapters/damage_mark.h"
#include "edge-agent/adapters/disk_reserve.h"
#include "edge-agent/adapters/log_apply.h"
#include "edge-agent/adapters/log_check.h"

namespace edgelog::agent {
namespace {

std::int64_t free_bytes(const std::string& path) {
  struct statvfs fs{};
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (statvfs(folder.empty() ? "." : folder.c_str(), &fs) != 0) return -1;
  return static_cast<std::int64_t>(fs.f_bavail) * static_cast<std::int64_t>(fs.f_frsize);
}

std::string reserve_of(const LogOptions& options) { return options.path + ".reserve"; }

bool names_the_loss(const Transaction& transaction) {
  return std::any_of(transaction.ops.begin(), transaction.ops.end(), [](const Op& op) {
    const auto* put = std::get_if<PutGap>(&op);
    return put != nullptr && put->row.gap.reason == gap_reason::log_lost;
  });
}

}  // namespace

struct SqliteLog::State {
  std::unique_ptr<LogStore> store;
  std::unique_ptr<LogApply> writer;
  Post post;
  Fatal fatal;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> work;
  bool stopping = false;
  std::optional<DiskReserve> reserve;
  std::optional<DamageMark> unnamed;  // the former log was damaged, and no gap says so yet
  std::atomic<std::int64_t> bytes{0}, disk_free{-1};
  std::atomic<bool> short_of_space{false}, tending{false};
  std::thread thread;

  void run();
  void push(std::function<void()> job);
  void measure();
  Status read(const LogOptions& options, Persisted& out);
  Status begin_again(const LogOptions& options, const std::string& why, Persisted& out);
  Result<Salvaged> salvage(const LogOptions& options);
  Status apply(CommitWork& work, CommitDone& result);
  Status loss_is_named(const Transaction& transaction);
  void commit(CommitWork& work, std::function<void(CommitDone)>& done);
  void fail(const Error& error);
};

void SqliteLog::State::run() {
  pthread_setname_np(pthread_self(), "log-writer");
  std::unique_lock lock(mutex);
  while (true) {
    wake.wait(lock, [this] { return stopping || !work.empty(); });
    if (work.empty()) return;
    auto job = std::move(work.front());
    work.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

void SqliteLog::State::push(std::function<void()> job) {
  const std::lock_guard lock(mutex);
  work.push_back(std::move(job));
  wake.notify_one();
}

void SqliteLog::State::measure() {
  bytes.store(store->bytes(), std::memory_order_relaxed);
  const std::int64_t free = free_bytes(store->options().path);
  disk_free.store(free, std::memory_order_relaxed);
  if (!reserve) return;
  // Short from when the reserve is gone until there is room for twice as much, on the disk or in free pages.
  const std::int64_t wanted = store->options().reserve_bytes;
  if (!reserve->held() && free >= 2 * wanted) reserve->hold();
  const std::int64_t room = reserve->held() ? 2 * wanted : free + store->free_inside();
  if (room >= 2 * wanted) short_of_space.store(false, std::memory_order_relaxed);
  if (room < wanted) short_of_space.store(true, std::memory_order_relaxed);
}

// A full disk gets the reserve once: without it nothing could be deleted either, since SQLite writes deletions too.
Status SqliteLog::State::apply(CommitWork& job, CommitDone& result) {
  Status status = writer->apply(job, result);
  if (status || status.error().code != Code::full || !reserve || !reserve->held()) return status;
  LOG(warning, "{}: the disk is full; the reserve is given back", store->options().path);
  reserve->give_back();
  short_of_space.store(true, std::memory_order_relaxed);
  if (auto made_room = store->checkpoint(); !made_room && made_room.error().code != Code::full) return made_room;
  return writer->apply(job, result);
}

// The next start goes on from what is done here: damaged batches are known by name then, other damage sets the log
// aside. A batch that is whole when it is read again is none.
void SqliteLog::State::fail(const Error& error) {
  if (error.code == Code::corrupt) {
    if (reserve) reserve->give_back();  // a disk that is full must not end each start here
    const auto batches = store->set_damaged_aside();
    if (batches && *batches > 0)
      LOG(error, "{}: {} batches are damaged and set aside", store->options().path, *batches);
    else if (batches && store->met_damaged_batch())
      LOG(error, "{}: the batch is whole when it is read again", store->options().path);
    else if (auto marked = DamageMark(store->options().path).set(error.what); !marked)
      LOG(error, "{}", marked.error().what);
  }
  fatal(error);
}

// Before anybody is told of the transaction: while the mark stands, a start makes the log anew without it.
Status SqliteLog::State::loss_is_named(const Transaction& transaction) {
  if (!unnamed || !names_the_loss(transaction)) return Ok{};
  TRY(unnamed->clear());
  unnamed.reset();
  return Ok{};
}

void SqliteLog::State::commit(CommitWork& job, std::function<void(CommitDone)>& done) {
  CommitDone result;
  result.status = apply(job, result);
  if (result.status) {
    if (auto named = loss_is_named(job.transaction); !named) return fail(named.error());
    if (auto tended = store->tend(); !tended) return fail(tended.error());
  } else if (result.status.error().code != Code::full) {
    // A write or sync that failed leaves pages of unknown state: only what is read back from disk counts.
    return fail(result.status.error());
  } else if (auto made_room = store->checkpoint(); !made_room && made_room.error().code != Code::full) {
    return fail(made_room.error());  // else the WAL may begin again in the room that it has
  }
  measure();
  result.work = std::move(job);
  post(
      [done = std::move(done), result = std::make_shared<CommitDone>(std::move(result))] { done(std::move(*result)); });
}

Status SqliteLog::State::read(const LogOptions& options, Persisted& out) {
  auto opened = LogStore::open(options);
  if (!opened) return std::move(opened).error();
  auto rows = (*opened)->read_all();
  if (!rows) return std::move(rows).error();
  if (const char* what = contradiction(*rows)) return Error{Code::corrupt, what};
  auto statements = LogApply::create(**opened);  // here too damage of the schema shows
  if (!statements) return std::move(statements).error();
  store = std::move(*opened);
  writer = std::move(*statements);
  out = std::move(*rows);
  return Ok{};
}

// Copies into a new log. Half of the reserve is kept from it: where the disk is full, the WAL of what found room goes
// into the database there, or the small rows go.
Result<Salvaged> SqliteLog::State::salvage(const LogOptions& options) {
  std::optional<DiskReserve> kept;
  if (options.reserve_bytes > 0) kept.emplace(reserve_of(options), options.reserve_bytes / 2);
  const auto copy = [&]() -> Result<Salvaged> {
    auto fresh = LogStore::open(options);
    if (!fresh && fresh.error().code == Code::corrupt) return Error{Code::io, fresh.error().what};  // not the old one's
    if (!fresh) return std::move(fresh).error();
    auto copied = (*fresh)->salvage(unnamed->aside());
    if (copied && copied->full && kept) kept->give_back();  // before it is closed, which checkpoints
    return copied;
  };
  auto copied = copy();
  if (copied || copied.error().code != Code::full || !kept || !kept->held()) return copied;
  kept->give_back();
  TRY(unnamed->discard_new());
  return copy();
}

// A new log with what is still readable of the damaged one. An error leaves the mark: the next start begins here again.
Status SqliteLog::State::begin_again(const LogOptions& options, const std::string& why, Persisted& out) {
  std::error_code ignored;
  std::filesystem::remove(reserve_of(options), ignored);  // for the mark, and the new log
  unnamed.emplace(options.path);
  TRY(unnamed->set(why));
  TRY(unnamed->move());
  auto copied = salvage(options);
  const bool unreadable = !copied && (copied.error().code == Code::not_found || copied.error().code == Code::corrupt);
  if (!copied && !unreadable) return std::move(copied).error();
  Salvaged salvaged;
  if (copied) {
    salvaged = std::move(*copied);
    LOG(warning, "{} batches and {} runs were copied from {}, {} were not{}", salvaged.batches, salvaged.runs,
        unnamed->aside(), salvaged.left_out, salvaged.full ? ": the disk is full" : "");
  } else {
    LOG(error, "nothing could be read from {}: {}", unnamed->aside(), copied.error().what);
    TRY(unnamed->discard_new());
  }
  auto status = read(options, out);
  if (!status && status.error().code == Code::corrupt) {
    LOG(error, "what was read from {} is no log: {}", unnamed->aside(), status.error().what);
    TRY(unnamed->discard_new());
    status = read(options, out);
  }
  out.lost = std::move(salvaged.lost);
  return status;
}

Result<SqliteLog::Opened> SqliteLog::open(const LogOptions& options, Post post, Fatal fatal) {
  configure_sqlite();
  Opened opened;
  auto state = std::make_unique<State>();
  auto status = DamageMark(options.path).stands() ? Status(Error{Code::corrupt, "damage was met before"})
                                                  : state->read(options, opened.persisted);
  if (!status && status.error().code == Code::corrupt) {
    LOG(error, "the log is damaged ({}): it is set aside and a new one begins", status.error().what);
    opened.lost = true;
    status = state->begin_again(options, status.error().what, opened.persisted);
  }
  if (!status) return std::move(status).error();
  state->post = std::move(post);
  state->fatal = std::move(fatal);
  if (options.reserve_bytes > 0) state->reserve.emplace(reserve_of(options), options.reserve_bytes);
  state->measure();
  opened.log.reset(new SqliteLog(std::move(state)));
  return opened;
}

SqliteLog::SqliteLog(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([s = state_.get()] { s->run(); });
}

SqliteLog::~SqliteLog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->wake.notify_one();
  }
  state_->thread.join();
}

void SqliteLog::commit(CommitWork work, std::function<void(CommitDone)> done) {
  state_->push([s = state_.get(), work = std::make_shared<CommitWork>(std::move(work)),
                done = std::move(done)]() mutable { s->commit(*work, done); });
}

void SqliteLog::read_batch(StreamId stream, EventIndex first, std::function<void(Result<Buffer>)> done) {
  state_->push([s = state_.get(), stream, first, done = std::move(done)] {
    auto result = std::make_shared<Result<Buffer>>(s->store->read_batch(stream, first));
    if (!*result && result->error().code != Code::not_found) return s->fail(result->error());
    s->post([done, result] { done(std::move(*result)); });
  });
}

LogUsage SqliteLog::usage() const {
  return {state_->bytes.load(std::memory_order_relaxed), state_->disk_free.load(std::memory_order_relaxed),
          state_->short_of_space.load(std::memory_order_relaxed)};
}

void SqliteLog::tend() {
  if (state_->tending.exchange(true)) return;
  state_->push([s = state_.get()] {
    s->measure();
    s->tending.store(false);
  });
}

}  // namespace edgelog::agent

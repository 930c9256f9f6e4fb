#pragma once
// The EventLog port on SQLite: a writer thread owns the store, the driver hands work in and gets completions
// through its loop. Opening (synchronous, before the driver runs) sets a damaged log aside and salvages it.
#include <functional>
#include <memory>

#include "edge-agent/adapters/log_store.h"
#include "edge-agent/port/event_log.h"

namespace edgelog::agent {

class SqliteLog : public EventLog {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs on the driver's thread, in order; any thread
  using Fatal = std::function<void(Error)>;                 // on the writer thread: the log cannot go on

  struct Opened {
    std::unique_ptr<SqliteLog> log;
    Persisted persisted;
    bool lost = false;  // the former log was damaged; what was readable of it is in `persisted`
  };
  // Errors as LogStore::open, but for Code::corrupt, which is dealt with here.
  static Result<Opened> open(const LogOptions& options, Post post, Fatal fatal);
  ~SqliteLog() override;  // finishes what was handed in

  void commit(CommitWork work, std::function<void(CommitDone)> done) override;
  void read_batch(StreamId stream, EventIndex first, std::function<void(Result<Buffer>)> done) override;
  LogUsage usage() const override;
  void tend() override;

 private:
  struct State;
  explicit SqliteLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace edgelog::agent

#pragma once
// Performs the core's transactions on the log: each row operation by prepared statements, sealing on the
// way. The log's writer thread owns it.
#include <map>
#include <memory>
#include <vector>

#include "edge-agent/adapters/log_store.h"
#include "edge-agent/adapters/run_blob.h"
#include "edge-agent/agent/seal.h"
#include "edge-agent/port/event_log.h"

namespace edgelog::agent {

class LogApply {
 public:
  static Result<std::unique_ptr<LogApply>> create(LogStore& store);
  ~LogApply();

  // One SQLite transaction. On failure everything of it is undone; done.work stays as it was given.
  Status apply(const CommitWork& work, CommitDone& done);

 private:
  // Events as the transaction sees them: of the table, or of this very transaction and not yet written.
  struct HeldRun {
    EventIndex last;
    RunPart part;
    std::shared_ptr<const Buffer> owner = {};  // of the bytes; null: they lie in the work
  };
  struct Statements;

  explicit LogApply(LogStore& store);
  Status perform_all(const CommitWork& work);
  Status perform(const PutMeta&);
  Status perform(const PutStream&);
  Status perform(const PutOrigin&);
  Status perform(const DeleteOrigin&);
  Status perform(const PutProducer&);
  Status perform(const DeleteProducer&);
  Status perform(const PutSource&);
  Status perform(const DeleteSource&);
  Status perform(const PutRecent&);
  Status perform(const PutGap&);
  Status perform(const InsertEvents&);
  Status perform(const DeleteEvents&);
  Status perform(const Seal&);
  Status perform(const Reseal&);
  Status perform(const PutBatch&);
  Status perform(const DeleteBatch&);
  Status perform(const SetAside&);

  Status put_state(int kind, StreamId stream, std::int64_t id, Bytes row);
  Status delete_state(int kind, StreamId stream, std::int64_t first, std::int64_t last);
  // Takes the events [first, last] out of the table and of fresh_; what else stood in their runs stays.
  Result<std::vector<HeldRun>> take_events(StreamId stream, EventIndex first, EventIndex last);
  Status take_from_table(StreamId stream, EventIndex first, EventIndex last, std::vector<HeldRun>& out);
  Status take_fresh(StreamId stream, EventIndex first, EventIndex last, std::vector<HeldRun>& out);
  // Cuts [first, last] out of `run` into `out`; gives back what stands around it.
  Result<std::vector<HeldRun>> cut(HeldRun run, EventIndex first, EventIndex last, std::vector<HeldRun>& out);
  Status write_run(StreamId stream, const HeldRun& run);
  Status flush_fresh();
  Result<std::vector<HeldRun>> gap_run(const BatchRow& row);
  Status write_batch(BatchRow row, Buffer bytes);
  Result<Buffer> stored_batch(StreamId stream, EventIndex first);
  bool is_gaps(StreamId stream);

  LogStore& store_;
  std::unique_ptr<Statements> sql_;
  Sealer sealer_;
  RunBlob blob_;
  // State of the transaction that is being applied.
  const CommitWork* work_ = nullptr;
  CommitDone* done_ = nullptr;
  std::size_t next_run_ = 0;
  std::map<StreamId, std::vector<HeldRun>> fresh_;
  StreamId gaps_stream_{-1};  // once known
};

}  // namespace edgelog::agent

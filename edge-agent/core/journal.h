#pragma once
// The transaction that is being gathered, the one under way, and what waits for them. Decisions change the
// core's state at once and leave their row operations here; effects that need them durable are held until the
// transaction that contains them is committed. A transaction that failed is handed out again unchanged, so
// nothing is ever taken back.
#include <cstdint>
#include <vector>

#include "edge-agent/core/effects.h"

namespace edgelog::agent {

class Journal {
 public:
  // Row operations of decisions, in order.
  void add(Op op) { ops_.push_back(std::move(op)); }
  // Rows that what was taken refers to: they go in front of it.
  void add_first(Op op) { first_.push_back(std::move(op)); }
  // Emitted once everything added so far is durable.
  void then(Effect effect) { after_.push_back(std::move(effect)); }

  // Id of the transaction that contains what is added now; of the last durable one.
  std::int64_t open_id() const { return open_id_; }
  bool is_durable(std::int64_t id) const { return id <= durable_id_; }

  bool empty() const { return first_.empty() && ops_.empty() && after_.empty(); }
  bool under_way() const { return under_way_id_ != 0; }

  // Hands the gathered transaction out, `head` (what was taken) in front. None may be under way.
  void commit(std::vector<Op> head, Effects& out);
  // The one under way is durable: emits what waited for it.
  void committed(std::int64_t id, Effects& out);
  void failed(std::int64_t id, Instant retry_at);
  // Hands a failed transaction out again, if it is time.
  void retry(Instant now, Effects& out);
  Instant retry_at() const { return retry_at_; }
  const Transaction& under_way_transaction() const { return under_way_; }

 private:
  std::vector<Op> first_, ops_;
  std::vector<Effect> after_;
  std::int64_t open_id_ = 1;
  std::int64_t durable_id_ = 0;
  std::int64_t under_way_id_ = 0;
  Transaction under_way_;  // kept for a retry
  std::vector<Effect> under_way_after_;
  Instant retry_at_ = never;
};

}  // namespace edgelog::agent

#include "edge-agent/core/journal.h"

#include <utility>

#include "common/base/assert.h"

namespace edgelog::agent {

void Journal::commit(std::vector<Op> head, Effects& out) {
  ASSERT(!under_way());  // A1
  head.insert(head.begin(), std::make_move_iterator(first_.begin()), std::make_move_iterator(first_.end()));
  first_.clear();
  head.insert(head.end(), std::make_move_iterator(ops_.begin()), std::make_move_iterator(ops_.end()));
  ops_.clear();
  under_way_id_ = open_id_++;
  under_way_ = Transaction{under_way_id_, std::move(head)};
  under_way_after_ = std::exchange(after_, {});
  out.push_back(Commit{under_way_});
}

void Journal::committed(std::int64_t id, Effects& out) {
  ASSERT(id == under_way_id_);  // A1
  durable_id_ = id;
  under_way_id_ = 0;
  under_way_ = {};
  retry_at_ = never;
  for (auto& effect : under_way_after_) out.push_back(std::move(effect));
  under_way_after_.clear();
}

void Journal::failed(std::int64_t id, Instant retry_at) {
  ASSERT(id == under_way_id_);  // A1
  retry_at_ = retry_at;
}

void Journal::retry(Instant now, Effects& out) {
  if (!under_way() || now < retry_at_) return;
  retry_at_ = never;
  out.push_back(Commit{under_way_});
}

}  // namespace edgelog::agent

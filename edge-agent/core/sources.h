#pragma once
// What was taken from each source last, and what a new message therefore is: the next, a repeat, behind a hole
// (DESIGN's table of sources; docs/ARCHITECTURE.md, "Sources"). Numbers change here at once; their rows go into
// the transaction of the message's events.
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "edge-agent/core/config.h"
#include "edge-agent/core/effects.h"
#include "edge-agent/core/inputs.h"

namespace edgelog::agent {

class Sources {
 public:
  void open(const Persisted& persisted);

  // What a message is; nothing changes.
  enum class Judgement : std::uint8_t { next, hole, repeat, not_next };
  struct Verdict {
    Judgement judgement = Judgement::next;
    std::int64_t missing_first = 0, missing_last = 0;  // of a hole; last < first where the numbers wrapped
    std::int64_t missing = 0;
  };
  Verdict judge(const Taken&) const;
  // It is taken: its number is the source's last.
  void take(const Taken&, const Config&);

  struct Lost {
    std::int64_t confirmed_first = 0, confirmed_last = -1;  // empty where last < first
    std::int64_t lost_first = 0, lost_last = -1;
  };
  // A ring's device cannot send these (again); the next number is the one behind.
  Lost says(const DeviceSays&, const Config&);

  // A ring's device wants to be told where it stands: repeats and what came out of order; not more often than
  // every 100 ms.
  void ask(const SourceName&, const std::string& incarnation, const Config&);

  // Row operations for all that changed since the last call. What they say is durable with the transaction.
  void collect(std::vector<Op>& ops);
  // It is: confirmations to devices with rings.
  void committed();
  void emit_confirmations(Instant now, Effects&);

  std::int64_t used() const { return used_; }
  std::size_t size() const { return by_use_.size(); }
  bool dirty() const { return !dirty_.empty() || !dirty_recents_.empty() || !deletions_.empty(); }

 private:
  using Key = std::pair<SourceName, std::string>;
  struct Incarnation {
    std::int64_t last = 0;
    std::int64_t durable = 0;
    std::int64_t collected = 0;  // in the transaction under way
    std::int64_t used = 0;
    Instant confirmed_at{};
    bool ring = false;
    bool dirty = false;
    bool asked = false;
    bool confirm = false;  // something became durable
  };
  struct Seen {
    std::int64_t number;
    std::uint64_t hash;
  };
  struct Device {
    std::map<std::string, Incarnation> incarnations;
    std::vector<Seen> recent;  // by slot; sources without an incarnation
    std::size_t next_slot = 0;
  };

  static std::size_t slot_behind(const std::vector<Seen>& recent, std::int64_t last);
  const Incarnation* find(const SourceName&, const std::string&) const;
  Incarnation& touch(const SourceName&, const std::string&, const Config&);
  void forget(const Key&);
  void remember(const Taken&);

  std::map<SourceName, Device> devices_;
  std::map<std::int64_t, Key> by_use_;  // the longest idle first
  std::int64_t used_ = 0;
  std::vector<Key> dirty_, under_way_, waiting_;
  std::vector<std::pair<SourceName, std::int32_t>> dirty_recents_;
  std::vector<Op> deletions_;
};

}  // namespace edgelog::agent

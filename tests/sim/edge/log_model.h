#pragma once
// The cloud's log by Kafka's rules (reference: Kafka 4.3.0 as tried): idempotent producers with a memory of five
// batches, an uncommitted tail, leader epochs, retention; or cloud-broker's (unknown agent ids begin at 0 only, and
// are forgotten by append time).
#include <deque>
#include <map>

#include "tests/sim/edge/base.h"
#include "tests/sim/edge/content.h"

namespace edgelog::sim::edge {

struct LogRules {
  bool kafka = true;                // else: cloud-broker's
  Duration memory = seconds(1800);  // of a producer
  Duration retention = seconds(3600LL * 24);
  std::int32_t message_bytes_max = 1 << 20;
  Duration ahead_max = seconds(3600);  // of a record's timestamp
  std::uint64_t refused_every = 0;     // of so many messages one is refused, for ever; 0: none
  std::int16_t refused_with = 0;       // with this
  bool lose_tails = false;             // now and then a commit is slow, and the leader changes before it
  std::uint64_t twins = 0;             // of a hundred times that it is put back: something alike stands there at once
};

// Where a committed batch stands, for those who check.
struct Landed {
  std::string topic;
  std::int32_t partition = 0;
  Offset base;
  ContentPtr content;
  int branch = 0;       // of the agent that published this copy
  Instant published{};  // when
};

class LogModel {
 public:
  using Answer = std::function<void(std::int16_t error, Offset offset, LeaderEpoch epoch)>;

  LogModel(Base& base, LogRules rules) : base_(base), rules_(rules) {}

  std::function<void(const Landed&)> on_committed;
  // Committed batches that a put-back removed: `from` on.
  std::function<void(const std::string& topic, std::int32_t partition, Offset from)> on_put_back;
  std::function<void(const std::string& topic, std::int32_t partition, Offset start)> on_retention;
  std::function<void(const std::string& topic)> on_leader;  // one of its partitions has another

  void create(const std::string& topic, std::int32_t partitions);
  void add_partitions(const std::string& topic, std::int32_t more);
  std::int32_t partitions(const std::string& topic) const;
  std::vector<std::string> topics() const;

  void produce(const std::string& topic, std::int32_t partition, ContentPtr content, int branch, Instant published,
               Answer answer);

  struct Entry {
    Offset base;
    LeaderEpoch epoch;
    ContentPtr content;
    WallMillis appended;
    int branch = 0;
    Instant published{};
    Offset last() const { return base + (static_cast<std::int64_t>(content->records.size()) - 1); }
  };
  struct View {
    Offset start, hw;
    LeaderEpoch epoch{-1};
    const std::deque<Entry>* entries = nullptr;
    bool available = false;
  };
  // As the leader shows it; or as a leader that is one no longer, for a while (`stale`).
  View view(const std::string& topic, std::int32_t partition, bool stale) const;
  bool has_stale(const std::string& topic, std::int32_t partition) const;
  LeaderEpoch epoch(const std::string& topic, std::int32_t partition) const;
  // How often it was put back: no connection from before survives that.
  std::uint64_t put_backs() const { return put_backs_; }

  void change_leader(bool lose_tail);
  void change_leader_of(const std::string& topic, std::int32_t partition, bool lose_tail);
  void put_back();
  void retain();
  void forget_producers();
  void set_available(bool available) { available_ = available; }
  LogRules& rules() { return rules_; }

 private:
  struct Producer {
    std::int16_t epoch = 0;
    struct Batch {
      Sequence first, last;
      Offset base;
    };
    std::deque<Batch> batches;
    WallMillis newest;    // record timestamp of its last batch
    WallMillis appended;  // of its last batch
  };
  struct Undo {
    ProducerId id;
    bool known;
    Producer before;
  };
  struct Waiting {
    Offset last;
    Answer answer;
    Offset offset;
    LeaderEpoch epoch;
  };
  struct Partition {
    std::deque<Entry> entries;
    std::deque<Undo> undo;  // one per entry
    Offset start, hw, end;
    LeaderEpoch epoch{1};
    LeaderEpoch highest{1};
    std::map<ProducerId, Producer> producers;
    std::vector<Waiting> waiting;
    // The former leader's view, until then.
    Instant stale_until{};
    Offset stale_hw;
    LeaderEpoch stale_epoch{-1};
  };

  std::int16_t judge(Partition& p, const Content& content, Offset& duplicate);
  void append(Partition& p, ContentPtr content, int branch, Instant published);
  void commit(const std::string& topic, std::int32_t index, Offset through, LeaderEpoch epoch);
  void truncate(Partition& p, Offset end);
  void append_twin(Partition& p, const Content& lost);
  bool expired(const Producer& producer) const;
  bool refuses(const Content& content) const;  // for good
  Partition* any(std::string& topic, std::int32_t& index);

  Base& base_;
  LogRules rules_;
  bool available_ = true;
  std::uint64_t put_backs_ = 0;
  std::map<std::string, std::vector<std::unique_ptr<Partition>>> topics_;
};

}  // namespace edgelog::sim::edge

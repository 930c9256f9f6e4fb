#pragma once
// The books that nobody in the world under test can see: who made what, what is durable where, what the log has
// committed; and the checks over them, after every event and at the end. docs/SIMULATION.md lists them.
#include <map>
#include <set>
#include <tuple>

#include "edge-agent/core/inputs.h"
#include "tests/sim/edge/faults.h"
#include "tests/sim/edge/store.h"

namespace edgelog::sim::edge {

// How a device numbers, for what may be expected of it.
enum class DeviceKind : std::uint8_t { plain, numbered, numbered_without_boot, ring, ring_lasting };

class Checker {
 public:
  Checker(Base& base, const Plan& plan) : base_(base), plan_(plan) {}

  // Devices.
  void device(int id, DeviceKind kind) { kinds_[id] = kind; }
  void made(const FactPtr& fact) { made_[fact->id] = fact; }
  void lost_at_device(int device, std::int64_t boot, std::int64_t from, std::int64_t to);
  void booted(int device, std::int64_t boot) { boots_[device] = boot; }
  void redelivered(std::uint64_t fact) { redelivered_.insert(fact); }

  // Agents: `agent` is an index; `branch` counts the lives of its log.
  void applied(int agent, int branch, const Store& store, const Store::Applied& result);
  // How many events a bound dropped in it.
  std::uint64_t dropped(const Store::Applied& result) const;
  void restored(int branch, const Store& image);
  void published(int agent, int branch, const Store& store, const agent::PublishBatch& effect, const Content& content);
  void fencing(int agent, const std::string& topic, ProducerId id) { fencing_[{agent, topic}].insert(id); }
  void looking(int agent, const std::string& topic);
  void started(int agent);
  void forgot_id() { ++ids_forgotten_; }  // of an agent's stream: its log knows the last 64
  void connected(int agent) { known_[agent].clear(); }
  void answered(int agent, const uplink::Answers& answers);
  void confirmed(int agent, const Store& store, const agent::ConfirmDevice& effect, int device);
  // What the agent said of a message: `pending` if it has it and has not made it durable.
  void judged(int agent, const Store& store, const Fact& fact, agent::Outcome outcome, bool pending);
  void acknowledged(int agent, const Store& store, std::uint64_t message);
  // A gateway told the time.
  void told_time(int agent, WallMillis time);
  // By age nothing stays that may go and is older; it was opened then.
  void judge_ages(int agent, const Store& store, Instant opened);

  // The log.
  struct Copy {
    std::string topic;
    std::int32_t partition = 0;
    Offset offset;
    Offset batch;  // of the first record of its batch: where an agent looks for it
    int branch = 0;
    Instant landed{}, published{};
    ProducerId producer{no_producer};
    bool retained = true;   // false: retention took it
    Instant lost{};         // by a log that went back, then
    bool shut_out = false;  // by a fence that the log lost: it was on its way then
  };
  void committed(const std::string& topic, std::int32_t partition, Offset base, const ContentPtr& content, int branch,
                 Instant published);
  void put_back(const std::string& topic, std::int32_t partition, Offset from);
  void retention(const std::string& topic, std::int32_t partition, Offset start);
  void another_leader(const std::string& topic) { leaders_[topic].push_back(base_.now); }

  // In the end: everything durable in this log, of all its lives, arrived or is named.
  void finish(int agent, const Store& store);
  void set_store(int agent, const Store* store) { stores_[agent] = store; }
  bool was_restored() const { return restores_ > 0; }

 private:
  struct Event {
    FactPtr fact;
    std::string topic;
    int agent = 0;
    int branch = 0;
    std::uint64_t taken = 0;  // counts takings
    std::vector<Copy> copies, put_back;
    bool ever_committed = false;
    std::uint64_t of_device = 0;  // counts the messages taken of its device
    Instant durable{};
    int opening = 0;  // of its agent's log
    WallMillis timestamp{-1};
  };
  // A batch or fence at its place.
  struct Standing {
    std::string topic;
    std::int32_t partition = 0;
    Offset offset;
    ProducerId producer{no_producer};
    ProducerEpoch epoch;
    Sequence first;
    auto operator<=>(const Standing&) const = default;
  };
  struct Stood {  // a record of a sensor, in the log
    Offset offset;
    EventKey key;
    std::uint64_t highest = 0;  // taking among these and before
    EventKey highest_key;
  };
  // What streams that drop the newest dropped since the agent's start, and the gaps that name it.
  struct Full {
    std::set<std::uint64_t> dropped;
    std::map<EventKey, agent::Gap> gaps;
    std::int64_t plain = 0;  // events that were acknowledged, of devices without numbers
  };
  struct Told {
    WallMillis last{-1};
    Instant live = never;  // a later one was told
  };
  void judge_full(int agent, const Fact& fact);
  void judge_stamp(int agent, const Store::Applied::Durable& durable);
  void judge_late(const Event& event, const EventKey& key, const Record& record, const Copy& copy);
  bool numbers_are_in_order() const;
  void judge_gap(int agent, const agent::Gap& gap);
  void judge_order_of_drops(const Store& store, const Store::Applied& result);
  bool has(const Store& store, std::uint64_t message) const;
  void judge_drop(const Store::Applied::Gone& gone, const Event& event, const agent::Gap& gap, bool first);
  bool is_named(const agent::Gap& gap, const Fact& fact);
  bool in_current(const EventKey& key) const;
  bool hidden_from_image(const Copy& copy) const;
  bool forgotten_since(const Fact& fact, std::uint64_t of_device);
  void judge_repeat(const Event& event, const EventKey& key, const Copy& copy);
  void judge_order(const std::string& topic, std::int32_t partition, Offset offset, const Record& record,
                   const Event& event, Instant published);
  bool names(const agent::Gap& gap, const std::string& topic, const EventKey& key) const;
  void finish_sources(int agent, const Store& store, const std::set<EventKey>& accounted,
                      const std::vector<agent::Gap>& named);

  Base& base_;
  const Plan& plan_;
  std::map<int, DeviceKind> kinds_;
  std::map<std::uint64_t, FactPtr> made_;
  std::map<std::uint64_t, std::vector<EventKey>> keys_of_;  // takings of a message
  std::map<int, std::int64_t> boots_;
  std::set<std::uint64_t> redelivered_;
  std::map<std::pair<int, std::int64_t>, std::vector<std::pair<std::int64_t, std::int64_t>>> device_lost_;
  std::map<EventKey, Event> events_;
  std::map<std::tuple<std::string, std::int32_t, int>, std::vector<Stood>> stood_;  // by topic, partition, device
  std::map<std::pair<ProducerId, std::int64_t>, EventKey> numbering_;
  std::map<std::tuple<ProducerId, std::int64_t, std::int64_t, int>, std::uint32_t> bytes_;
  std::map<int, std::set<ProducerId>> known_;
  std::set<std::pair<ProducerId, Sequence>> succeeded_;  // batches whose success some agent was told
  std::map<int, const Store*> stores_;
  std::map<int, Instant> restored_at_;  // by branch: when it ended
  std::map<int, int> openings_;         // by agent
  std::map<std::pair<std::string, std::int32_t>, Offset> retained_from_;
  std::uint64_t takings_ = 0;
  std::map<int, std::uint64_t> takings_of_;                              // messages, by device
  std::map<std::pair<int, std::string>, std::int32_t> partition_;        // by agent and topic
  std::map<std::pair<int, std::string>, std::set<ProducerId>> fencing_;  // since the last look
  std::set<ProducerId> fenced_;                                          // in the log, at some time
  std::map<ProducerId, std::tuple<std::string, std::int32_t, Offset>> fence_stands_;
  std::map<ProducerId, Instant> fence_lost_;  // when a log that went back lost it; not, where it was set again
  std::map<std::pair<int, std::string>, WallMillis> newest_;             // timestamp, by branch and topic
  std::map<std::pair<std::string, std::int32_t>, Instant> put_back_at_;  // the last time
  std::set<Standing> stands_;                                            // in the log
  std::map<Standing, std::set<Instant>> lost_;                           // by a log that went back, when
  std::map<Standing, std::set<Instant>> again_;                          // of these: it stands at its very place again
  std::set<Standing> known_to_images_;                          // as acknowledged last, by an image that was put back
  std::set<std::uint64_t> dropped_;                             // messages that a full stream dropped by name
  std::map<int, Full> full_;                                    // by agent
  std::map<int, Told> told_;                                    // by agent
  std::map<std::pair<ProducerId, Sequence>, Instant> refused_;  // batches, since when some agent was told so
  struct Reached {
    std::uint64_t taken = 0;
    EventIndex index{-1};
  };
  std::map<std::pair<int, std::string>, Reached> reached_;  // the youngest in the log, by agent and topic
  std::map<std::string, std::vector<Instant>> leaders_;     // since when, of any partition
  int restores_ = 0, ids_forgotten_ = 0;
};

}  // namespace edgelog::sim::edge

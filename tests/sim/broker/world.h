#pragma once
// A whole shard of the broker among simulated clients, on a simulated disk, in simulated time. Requests and answers
// are bytes of the protocol. See docs/SIMULATION.md, "The broker".
#include <fmt/format.h>

#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "cloud-broker/server/shard.h"
#include "common/base/prng.h"
#include "common/wire/fetch.h"
#include "common/wire/header.h"
#include "common/wire/produce.h"
#include "tests/sim/broker/model.h"
#include "tests/sim/kind.h"
#include "tests/support/sim_disk.h"

namespace edgelog::sim::shard {

inline constexpr std::size_t window = 5;  // the broker knows a producer's last batches, as many as may be in flight
inline constexpr Duration too_old = seconds(30 * 86'400), too_young = seconds(5 * 86'400);  // for a topic
inline constexpr std::size_t auditor = 0, administrator = 1, first_client = 2;              // connections

enum class Fault : unsigned char {
  kill,
  power_cut,
  crash_within,
  slow_sync,
  failed_sync,
  failed_write,
  full_disk,
  bit_flip,
  clock_jump,
  dropped,
  answer_lost,
  new_producer,
  clean_stop,
  silent_member,
  member_leaves,
  deleted_topic,
  file_gone
};
inline constexpr std::array<std::string_view, 17> fault_names{"kill",
                                                              "power cut",
                                                              "crash between two effects",
                                                              "slow sync",
                                                              "failed sync",
                                                              "failed write",
                                                              "full disk",
                                                              "flipped bit",
                                                              "clock jump",
                                                              "connection dropped",
                                                              "answer lost",
                                                              "new producer",
                                                              "clean stop",
                                                              "silent member",
                                                              "member leaves",
                                                              "topic deleted",
                                                              "file gone"};

struct Weather {
  bool kills = false, power = false, within = false, slow = false, sync_fails = false, write_fails = false;
  bool fills = false, flips = false, jumps = false, drops = false, renews = false, stops = false;
  testing::Survival survival = testing::Survival::nothing;
};

struct Asked {
  Ticket ticket;
  Buffer frame;
  const wire::Api* api = nullptr;
  std::function<void(Bytes)> seen;                         // as soon as the broker answers
  std::function<void(const std::optional<Buffer>&)> done;  // as soon as the client knows; nothing: the answer is lost
  bool delivered = false;
  std::optional<Duration> within;  // of its delivery it must be answered
  Instant until = never;
  std::optional<Buffer> reply;
};
struct Connection {
  ConnectionId id;
  bool open = false;
  std::uint64_t tickets = 0;
  std::deque<Asked> asked;
};

struct OpenBatch {
  Buffer bytes;
  std::int32_t sequence = 0, count = 0, number = 0;  // sequence: from 0 on, wherever the first one lies on the wire
  bool in_flight = false, failed = false;
};
struct Lane {  // a producer's way to a partition
  std::deque<OpenBatch> open;
  std::optional<OpenBatch> last;  // of those that were acknowledged, in this epoch
  std::int32_t next = 0, batches = 0, epoch = 0;
  bool known = false;  // something was acknowledged, in this epoch
};
struct Producer {
  std::size_t connection = 0;
  bool edge = false, asking = false;
  std::int64_t id = -1;
  std::int32_t first_sequence = 0;  // on the wire
  std::uint64_t life = 0;
  std::string topic;
  std::map<int, Lane> lanes;
};
struct Consumer {
  std::size_t connection = 0;
  Model::Where at;
  std::int64_t position = 0;
  bool asking = false;
};
struct Committer {
  std::size_t connection = 0;
  std::string group;
  std::vector<Model::Where> at;
  std::int64_t next = 0;
  bool asking = false, reads_only = false;
};
struct Member {
  std::size_t connection = 0;
  std::string id, owned, protocol;  // owned: slots, as digits
  std::vector<std::string> others;  // of the leader: all
  std::int32_t generation = -1;
  Instant silent_until{}, idle_until{};  // idle: it does not ask for its share
  Instant in_since{};                    // of its generation, told by the process of the start
  std::uint64_t in_start = 0;
  bool asking = false, synced = false, asks_for_share = false, dead = false;
};
struct Doubter {
  std::size_t connection = 0;
  bool asking = false;
};
struct BriefTopic {
  std::size_t connection = 0;
  std::int64_t life = 1, end = 0;  // of this life: acknowledged up to
  bool asking = false, asked = false, there = false, durable = false, ends = false, deleting = false;
  bool committed = false, forgotten = false;  // its group's offset: known to be there, or known to be gone
  Uuid id{}, id_before{};                     // of this life, and of the one before, where they were told
  // Producers of its own in each life. A batch is sent until it is known to be there.
  Buffer batch;
  struct Wrote {
    std::string key;
    bool buries = false;
  };
  std::vector<Wrote> wrote;    // in `batch`
  std::int64_t timestamp = 0;  // of its first record; each later one is a millisecond younger
  std::array<std::int32_t, 2> sequences{};
  std::size_t writer = 0;  // of two
  bool open = false;
  // Where it is compacted: the last record of each key, where that is known.
  struct Last {
    std::int64_t offset = 0, timestamp = 0;
    bool buried = false;  // it is a tombstone, which goes after a while
    bool operator==(const Last&) const = default;
  };
  bool compacts = false, forgets = false;  // tombstones soon
  std::map<std::string, Last> latest;
  // Somebody who reads all of it, piece by piece: where each key was last seen, as of when.
  std::map<std::string, Last> seen;
  std::int64_t reads_at = 0;
  Instant since{};
};

// One batch for one partition, to be answered within ten seconds; the batch must live as long as the request.
wire::ProduceRequest produce_of(const Model::Where& at, Bytes batch);

class World final : public Clients {
 public:
  World(std::uint64_t seed, Trace& trace);
  SeedResult run();

  // Clients
  void respond(ConnectionId connection, Ticket ticket, Reply reply) override;
  void no_response(ConnectionId, Ticket) override { fail("no answer, though one was asked for"); }
  void close(ConnectionId connection) override;
  std::size_t room() const override { return 1 << 20; }

 private:
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... args) {
    if (trace_.on()) trace_.line(at_.now, fmt::format(format, std::forward<T>(args)...));
  }
  void fail(std::string why);
  bool failed() const { return !failure_.empty(); }
  void fault(Fault kind) { ++faults_[static_cast<std::size_t>(kind)]; }
  bool chance(std::uint64_t n, std::uint64_t of) { return random_.chance(n, of); }
  template <class T>
  T& any(std::vector<T>& of) {
    return of[random_.below(of.size())];
  }

  // node.cc: the process, the disk, time.
  void draw();
  void start();
  void crash();
  void stop_cleanly();
  void flip();
  void lose(bool power);
  void complete_sync();
  void time_passes(Duration by);
  void faults_happen();
  void step();
  void liveness();
  void quiet(int rounds, const std::function<bool()>& done);
  void member_dies();
  void days_pass(Duration by, bool agents_only);
  void audit_group();
  std::string busy() const;  // who waits; empty: nobody

  // network.cc
  template <class Response, class Request>
  void ask(std::size_t connection, const Request& request, wire::Version version,
           std::function<void(const Response&)> seen, std::function<void(const Response*)> done);
  template <class Request>
  wire::Version version_of(wire::Version last = Request::api.last) {
    return static_cast<wire::Version>(random_.between(Request::api.first, last));
  }
  void answered_within(std::size_t connection, Duration wait);  // what was asked last
  void nothing_overdue();
  void at_some_connection(bool (World::*what)(Connection&));  // where there is something to do
  bool deliver(Connection& to);
  bool answer(Connection& to);
  void drop(Connection& connection);

  // clients.cc, and one file for each kind of client
  void make_clients();
  void clients_act();
  void administer();
  void change(const std::string& name);
  void lower_largest_batch(const std::string& name);
  void look_at_settings(std::size_t connection, const std::string& name, std::function<void()> done);
  void produce(Producer& producer);
  void send(Producer& producer, const std::vector<std::pair<int, std::int32_t>>& batches);
  bool new_batch(Producer& producer, int partition);
  void produced(std::size_t producer, std::uint64_t life, Model::Where at, std::int32_t sequence, std::int16_t error);
  void renew(Producer& producer);
  void consume(Consumer& consumer);
  void commit(Committer& committer);
  void read_offsets(Committer& committer);
  void read_offsets(Committer& committer, std::size_t connection, std::function<void()> done);
  void look_at_offsets(Consumer& consumer);
  std::int32_t claim(wire::Version version, wire::Version known_since);
  bool fenced(std::int32_t claimed, wire::ErrorCode error);

  // member.cc
  void member_acts(Member& member);
  void join(Member& member);
  void sync(Member& member);
  void heartbeat(Member& member);
  void leave(Member& member);
  void heartbeat_of_one_that_left(Member& member, const std::string& id, std::int32_t generation);
  void commit_as(Member& member, std::int32_t generation);
  bool out_of_group(Member& member, wire::ErrorCode error);
  void of_another_time(Member& member);
  void of_a_stranger(Member& member);
  void told(const Member& member, const std::string& id, wire::ErrorCode error);

  // doubter.cc
  void doubt();
  void forge(Producer& producer);
  void send_again(Producer& producer);
  void send_again(Producer& producer, int partition, std::size_t connection);
  void look_outside(const Model::Where& at);
  void look_from_elsewhere(const Model::Where& at);
  void meddle();
  void look_at_marks(const Model::Where& at);
  void send_forged(const Model::Where& at, Buffer batch, std::int64_t producer, std::int32_t sequence, Producer* waits,
                   std::optional<wire::ErrorCode> due = std::nullopt);
  void look_by_time(const Model::Where& at);
  void look_at_epoch(std::size_t connection, const Model::Where& at, std::int32_t epoch);
  void delete_records(const Model::Where& at);
  void audit_epochs();

  // brief_topic.cc
  void brief_acts();
  void create_brief();
  void write_brief();
  void read_brief();
  void read_latest();
  void read_on();
  bool take_piece(const wire::FetchResponse& response);
  void seen_all();
  void audit_brief();
  bool fill_brief();
  void offsets_of_brief();
  void read_offset_of_brief(std::size_t connection, std::function<void()> done);
  void forget_offsets_of_brief();
  void keyless_brief();
  void fetch_earlier_brief();
  bool of_this_life(const record::RecordView& view, std::int64_t timestamp) const;
  void delete_brief();
  void brief_gone(wire::ErrorCode error);
  bool brief_told(wire::ErrorCode error, std::initializer_list<wire::ErrorCode> good);

  // auditor.cc
  void audit();
  void audit_topics();
  bool audit_partition(const Model::Where& at);

  Prng random_;
  Trace& trace_;
  Model model_;
  Weather weather_;
  testing::SimDisk disk_;
  edgelog::broker::BrokerSettings settings_;
  edgelog::broker::StoreConfig store_;
  std::unique_ptr<edgelog::broker::Shard> shard_;
  edgelog::broker::At at_{Instant{1'000'000'000}, WallMillis{1'700'000'000'000}};
  std::deque<Connection> connections_;  // the first one is the auditor's
  std::vector<Producer> producers_;
  std::vector<Consumer> consumers_;
  std::vector<Committer> committers_;  // the last one reads what members commit
  std::vector<Member> members_;
  GroupModel group_;
  BriefTopic brief_;
  Doubter doubter_;
  Duration session_{0};  // of members
  std::uint64_t connection_ids_ = 0, freeze_after_ = 0, starts_ = 0, edge_ids_ = 0, epoch_of_ = 0;
  std::int32_t correlation_ = 0;
  std::int32_t epoch_ = -1;  // that a process told as its partitions' leader epoch; which start: epoch_of_
  bool draining_ = false;    // who waits is answered before its time
  bool turn_ = false, fatal_ = false, frozen_ = false, full_ = false, was_full_ = false, admin_asking_ = false;
  bool refused_ = false, ending_ = false;
  bool bulk_ = false, heavy_ = false;  // heavy: more than goes into a round of the journal
  enum class Much : std::uint8_t { nothing, members, brief } much_ = Much::nothing;  // most of what clients do
  bool careful_ = false;  // a full or failing disk may refuse an id's first batch and take its second
  Duration simulated_{0};
  std::string failure_;
  std::array<std::uint64_t, fault_names.size()> faults_{};
};

template <class Response, class Request>
void World::ask(std::size_t connection, const Request& request, wire::Version version,
                std::function<void(const Response&)> seen, std::function<void(const Response*)> done) {
  Connection& to = connections_[connection];
  Asked asked;
  asked.ticket = Ticket{to.tickets++};
  asked.api = &Request::api;
  const std::int32_t correlation = ++correlation_;
  wire::encode_request({Request::api.key, version, correlation, "sim"}, request, asked.frame);
  asked.frame.erase(asked.frame.begin(), asked.frame.begin() + wire::frame_size_bytes);
  const auto decode = [this, version, correlation](Bytes frame, Response& out) {
    std::int32_t got = 0;
    const bool good = wire::take_response_header(frame, Response::api, version, got) && got == correlation &&
                      wire::decode(frame, version, out);
    if (!good) fail(fmt::format("{}: an answer that cannot be read", Response::api.name));
    return good;
  };
  asked.seen = [decode, seen = std::move(seen)](Bytes frame) {
    Response out;
    if (decode(frame, out) && seen) seen(out);
  };
  asked.done = [decode, done = std::move(done)](const std::optional<Buffer>& frame) {
    Response out;
    if (frame && !decode(*frame, out)) return;
    if (done) done(frame ? &out : nullptr);
  };
  to.asked.push_back(std::move(asked));
}

}  // namespace edgelog::sim::shard

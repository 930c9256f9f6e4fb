#pragma once
// What the broker has promised, as its clients saw it: what was acknowledged or served stays, where it is, once, in
// order, with the bytes that were sent. Compared with every answer at the moment at which the broker gives it.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace edgelog::sim::shard {

enum class Check : unsigned char {
  acknowledged,
  content,
  once,
  order,
  watermark,
  offsets,
  topics,
  ids,
  answers,
  ended,
  damage,
  progress,
  generations,
  owners,
  deleted,
  refused,
  by_time,
  epochs,
  compacted
};
inline constexpr std::array<std::string_view, 19> check_names{"acknowledged is there",
                                                              "content as sent",
                                                              "once",
                                                              "order of each producer",
                                                              "high watermark",
                                                              "committed offsets",
                                                              "topics and partitions",
                                                              "producer ids used once",
                                                              "errors only where excused",
                                                              "failed sync ends it all",
                                                              "damage named, refused",
                                                              "all arrives in the end",
                                                              "generations of a group",
                                                              "one owner of each partition",
                                                              "deleted topics stay deleted",
                                                              "refused what must be",
                                                              "offsets by time",
                                                              "leader epochs",
                                                              "last of each key stays"};

// A producer's numbers begin anew with each of its epochs: for the model each is a producer of its own.
constexpr std::int64_t producer_key(std::int64_t id, std::int32_t epoch) {
  return id + (static_cast<std::int64_t>(epoch) << 32);
}

struct Known {
  std::int64_t end = 0, producer = 0;
  std::int32_t sequence = 0, leader_epoch = -1;  // -1: never served
};
struct Sent {
  std::int32_t count = 0;
  std::uint32_t crc = 0;
  std::int64_t timestamp = 0;  // of the first record; each later one is a millisecond younger
};
struct PartitionModel {
  std::map<std::pair<std::int64_t, std::int32_t>, Sent> sent;           // by producer id and sequence
  std::map<std::pair<std::int64_t, std::int32_t>, std::int64_t> where;  // the same, of what is known to be there
  std::map<std::int64_t, Known> known;                                  // by base offset
  std::int64_t must = 0, must_before = 0;                               // the log reaches that far
  std::int64_t start = 0, start_before = 0;                             // what DeleteRecords was answered
  bool damaged = false;
};
struct TopicModel {
  int must = 0, must_before = 0, asked = 0;  // partitions
  bool retains = false;
  std::optional<Uuid> id;  // once it was told
  // Its largest batch, which is lowered step by step: steps that were answered or shown, and asked for.
  int steps = 0, steps_before = 0, steps_asked = 0;
};
// Of a topic after so many steps: each lowers it.
constexpr int steps_max = 10;
constexpr std::int64_t largest_batch(int steps) { return 30'000 - 1000 * steps; }
// What a commit says beside its offset, so that what is read can be told to belong to it.
std::int32_t epoch_of_commit(std::int64_t offset, std::int16_t version);
std::string metadata_of_commit(std::int64_t offset, std::int32_t epoch);
struct GroupOffset {
  std::int64_t floor = -1, floor_before = -1, asked = -1;
};

class Model {
 public:
  Model(std::function<void(std::string)> fail) : fail_(std::move(fail)) {}
  bool expect(bool held, Check check, std::string_view what);

  using Where = std::pair<std::string, int>;  // topic and partition
  void sent(const Where& at, std::int64_t producer, std::int32_t sequence, Sent what);
  void acknowledged(const Where& at, std::int64_t base, std::int64_t producer, std::int32_t sequence);
  // An answer of Fetch without an error.
  void served(const Where& at, std::int64_t from, std::int64_t watermark, Bytes batches);
  void watermark(const Where& at, std::int64_t watermark, std::int64_t log_start);
  // The beginning that was answered never goes back before what DeleteRecords was answered.
  void started(const Where& at, std::int64_t log_start);
  void removed(const Where& at, std::int64_t low_watermark);
  // ListOffsets for a time: the first record not older; for the largest time of all. OffsetForLeaderEpoch: where the
  // epoch ended.
  void found_by_time(const Where& at, std::int64_t asked, std::int64_t offset, std::int64_t timestamp);
  void found_largest(const Where& at, std::int64_t offset, std::int64_t timestamp);
  void epoch_ended(const Where& at, std::int32_t asked, std::int32_t epoch, std::int64_t end);
  std::int32_t newest_epoch(const Where& at) const;
  // What a log holds from its beginning has no holes in any producer's numbers.
  void whole(const Where& at);
  void damaged(const Where& at);
  void committed(const std::string& group, const Where& at, std::int64_t offset);
  void fetched(const std::string& group, const Where& at, std::int64_t offset, std::string_view metadata,
               std::optional<std::int32_t> epoch);
  bool has_offsets(const std::string& group) const;  // some are known to be committed
  void handed_out(std::int64_t producer);
  bool was_handed_out(std::int64_t producer) const { return ids_.contains(producer); }
  void has_partitions(const std::string& topic, int count);
  void has_id(const std::string& topic, const Uuid& id);
  void has_largest_batch(const std::string& topic, std::int64_t bytes);

  // A round is about to become durable; a bit was flipped while the process was down: the last round may be taken
  // for a torn one.
  void round_passes();
  void soften();

  std::map<Where, PartitionModel> partitions;
  std::map<std::string, TopicModel> topics;
  std::map<std::pair<std::string, Where>, GroupOffset> offsets;
  std::map<std::int64_t, std::int32_t> first_sequence;  // on the wire
  std::uint64_t flips = 0;
  std::array<std::uint64_t, check_names.size()> checks{};

 private:
  void note(const Where& at, std::int64_t base, std::int64_t producer, std::int32_t sequence, const char* how);

  std::function<void(std::string)> fail_;
  std::set<std::int64_t> ids_, ids_before_;
};

// What the members of a group were told. A generation is one from the first answered share of it on: then it is
// durable.
class GroupModel {
 public:
  void restarted();
  void joined(Model& model, std::size_t number, std::int32_t generation, const std::string& id,
              const std::string& leader, Instant now);
  void synced(Model& model, std::int32_t generation, const std::string& id, const std::string& share);
  void accepted(Model& model, std::int32_t generation, std::string_view what);
  // What the leader is told: who is in.
  void listed(Model& model, std::int32_t generation, const std::vector<std::string>& members);
  // A leader's request is under way: only what one says is anybody's share.
  using Shares = std::map<std::string, std::string>;
  void handed_in(std::int32_t generation, Shares shares);
  // A heartbeat of one that has its share was answered well: from then on it is in for as long as its session lasts. A
  // rebalance that begins later waits longer than that.
  void session(Duration is) { session_ = is; }
  void alive(const std::string& id, Instant now);
  void leaves(const std::string& id) { alive_.erase(id); }
  void left(const std::string& id) { left_.insert(id); }  // it was told so
  void still_in(Model& model, const std::string& id);     // so it was told
  bool surely_in(const std::string& id, Instant now) const;
  void not_in(Model& model, const std::string& id, Instant now);  // it was told so

 private:
  std::map<std::string, std::size_t> ids_;  // whose they are
  std::map<std::int32_t, std::string> leaders_;
  std::map<std::int32_t, std::set<std::string>> lists_, entered_;  // of a generation, told by this process
  std::map<std::string, std::string> shares_;                      // of synced_
  std::map<std::int32_t, std::vector<Shares>> handed_in_;
  std::map<std::string, Instant> alive_;
  std::set<std::string> left_;  // and nothing was restored since
  Duration session_{0};
  std::string leader_;
  std::int32_t seen_ = 0, synced_ = 0;  // the newest generation told by this process; and with a share
};

}  // namespace edgelog::sim::shard

#pragma once
// Brings one partition to where it stood: manifest, changes and batches of the journal, then a walk over what
// no checkpoint vouches for. Only what lies past the last durable offset is cut; anything wrong below it is damage.
#include <optional>
#include <string>
#include <vector>

#include "cloud-broker/partition/partition_log.h"

namespace edgelog::broker {

struct JournalPiece {
  const disklog::FoundRound* round = nullptr;
  const disklog::DataEntry* entry = nullptr;
  std::uint64_t payload_at = 0;  // in the round's file
};

// What is known of a partition from outside its directory.
struct Evidence {
  std::optional<disklog::FlushedPosition> checkpoint;
  bool checkpoint_twice = false;  // both of its copies were there
  bool removed = false;           // changes and pieces are what followed that
  bool mixed = false;  // an earlier one of this id was removed, and what is known of the two cannot be told apart
  std::vector<const disklog::MetaEntry*> changes;  // in order
  std::vector<JournalPiece> pieces;                // in order
  bool clean = false;                              // the store was closed
  std::uint64_t last_round = 0;                    // of the journal: the only one that may be torn
  std::uint64_t last_missing = 0;                  // of rounds that cannot be read although later ones can; 0: none
};

class PartitionRecovery {
 public:
  PartitionRecovery(StoreContext& context, PartitionLog& log, const Evidence& evidence)
      : context_(context), log_(log), evidence_(evidence) {}
  // Errors: the disk's. Damage is a state of the partition, not an error.
  Status run();
  static const disklog::MetaEntry* creation(const Evidence& evidence);  // nullptr: the journal has none

 private:
  Status load_manifest();
  void apply(const disklog::MetaEntry& change);
  void apply_rolled(const disklog::MetaEntry& change);
  void apply_replaced(const disklog::MetaEntry& change);
  Status check_files();
  Status redo();
  Result<std::optional<Buffer>> payload(const JournalPiece& piece);
  bool superseded(const disklog::DataEntry& entry) const;
  Status redo_piece(const JournalPiece& piece);
  Status load_producers();
  Status walk_segments();
  Status walk_segment(std::size_t number);
  Status end_here(std::size_t number, const disklog::WalkResult& at, std::uint64_t file_size);
  Status keep_tail();
  Status settle();
  bool lacks_a_round() const;
  Status settle_damaged();
  Status keep_evidence();
  bool trusted() const;
  Status trust();
  bool vouched(const Segment& segment) const;  // the checkpoint covers all of it
  std::uint64_t covered(const Segment& segment) const;

  StoreContext& context_;
  PartitionLog& log_;
  const Evidence& evidence_;
  std::string damage_told_;                                    // by both copies of the manifest
  disklog::Manifest before_;                                   // as it was, should the partition turn out to be damaged
  Offset durable_;                                             // everything below was durable
  std::optional<std::pair<std::size_t, std::uint64_t>> tail_;  // segment and byte from where nobody vouches
  bool names_changed_ = false, ended_ = false;
  bool torn_ = false;  // of the last round, some of this partition's batches are not in the journal
};

}  // namespace edgelog::broker

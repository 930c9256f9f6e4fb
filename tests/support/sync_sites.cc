#include "tests/support/sync_sites.h"

namespace edgelog::testing {
namespace {

std::string kind_of(std::string_view path) {
  if (path == "/") return "data directory";
  if (path == "journal/") return "directory journal";
  if (path == "partitions/") return "directory partitions";
  if (path.ends_with('/')) return "partition's directory";
  if (path.ends_with(".journal")) return "journal file";
  if (path.ends_with(".log")) return "segment";
  if (path.ends_with(".producers")) return "snapshot";
  if (path.starts_with("meta")) return "meta";
  if (path.starts_with("checkpoint.0")) return "checkpoint, first copy";
  if (path.starts_with("checkpoint.1")) return "checkpoint, second copy";
  if (path.ends_with("/manifest.0")) return "manifest, first copy";
  if (path.ends_with("/manifest.1")) return "manifest, second copy";
  return std::string(path);
}

// Compaction's new file: another one with the same first offset lies beside it.
bool beside_another(SimDisk& disk, std::string_view path) {
  const auto slash = path.rfind('/');
  const std::string name(path.substr(slash + 1));
  const auto names = disk.list(path.substr(0, slash));
  if (!names) return false;  // removed meanwhile
  const std::string base = name.substr(0, 21);
  for (const auto& other : *names)
    if (other != name && other.starts_with(base) && other.ends_with(".log")) return true;
  return false;
}

}  // namespace

SyncSites::SyncSites(SimDisk& disk, std::set<std::string> left_out) : disk_(disk), left_out_(std::move(left_out)) {
  disk_.on_sync([this](const SyncCall& call) {
    const std::string site = name(call);
    ++calls_[site];
    return left_out_.contains(site);
  });
}

std::string SyncSites::name(const SyncCall& call) {
  const std::string kind = kind_of(call.path);
  switch (call.when) {
    case SyncWhen::start: return at_start(kind);
    case SyncWhen::round: return "round: " + kind;
    case SyncWhen::background: break;
  }
  const std::string with = call.with.empty() ? std::string() : kind_of(call.with);
  if (with == "segment" && beside_another(disk_, call.with)) return "compaction: " + kind;
  if (kind == with || with.empty()) return "checkpoint: " + kind;
  return "checkpoint: " + kind + ", with " + with;
}

std::string SyncSites::at_start(std::string_view kind) {
  std::string out = "start: " + std::string(kind);
  if (kind == "data directory")
    out += before_ == "meta" ? ", once made" : before_.starts_with("checkpoint") ? ", at the end" : ", as found";
  else if (kind == "directory partitions")
    out += before_ == "directory journal" ? ", as found" : ", before the checkpoint";
  else if (kind == "partition's directory")
    out += before_.starts_with("manifest") ? ", after its manifest" : ", after its segments";
  before_ = kind;
  return out;
}

}  // namespace edgelog::testing

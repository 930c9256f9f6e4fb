#include "tests/support/sim_disk.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::testing {

using port::FileId;
using port::OpenMode;

namespace {
Error error(Code code, std::string_view operation, std::string_view path, std::string_view reason) {
  return Error{code, std::string(operation) + " " + std::string(path) + ": " + std::string(reason)};
}
constexpr std::uint64_t block = 4096;
std::uint64_t rounded(std::uint64_t bytes) { return (bytes + block - 1) / block * block; }
}  // namespace

std::string SimDisk::parent(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

SimDisk::Handle& SimDisk::handle(FileId file) {
  const auto it = handles_.find(file.value());
  ASSERT(it != handles_.end());
  return it->second;
}

SimDisk::NodePtr SimDisk::find(std::string_view path) const {
  const auto it = names_.find(path);
  return it == names_.end() ? nullptr : it->second;
}

void SimDisk::note(std::string_view operation, std::string_view path) {
  if (hook_ && !frozen_) hook_(operation, path);
}

void SimDisk::changed(std::string_view directory, Entry entry) {
  for (auto& [name, node] : entry.names) {
    if (const auto old = find(name)) used_ -= charge(*old);
    if (node) {
      names_[name] = node;
      used_ += charge(*node);
    } else {
      names_.erase(name);
    }
  }
  unsynced_[std::string(directory)].push_back(std::move(entry));
}

std::uint64_t SimDisk::charge(const Node& node) const {
  return node.directory ? block : rounded(std::max<std::uint64_t>(node.reserved, node.live.size()));
}

Status SimDisk::grow(Node& node, std::uint64_t reserved, std::uint64_t size, std::string_view path) {
  const std::uint64_t before = charge(node);
  const std::uint64_t after = rounded(std::max({node.reserved, reserved, size}));
  if (after > before && used_ + (after - before) > capacity_) return error(Code::full, "write", path, "no space left");
  node.reserved = std::max(node.reserved, reserved);
  used_ += std::max(after, before) - before;
  return Ok{};
}

Result<FileId> SimDisk::open(std::string_view path, OpenMode mode) {
  NodePtr node = find(path);
  if (node && node->directory) return error(Code::io, "open", path, "is a directory");
  if (!node && mode == OpenMode::existing) return error(Code::not_found, "open", path, "no such file");
  if (!node) {
    const std::string in = parent(path);
    if (!in.empty() && !find(in)) return error(Code::not_found, "open", path, "no such directory");
    note("create", path);
    node = std::make_shared<Node>();
    if (!frozen_) changed(in, Entry{{{std::string(path), node}}});
  } else if (mode == OpenMode::fresh && !frozen_) {
    note("truncate", path);
    used_ -= charge(*node);
    node->live.clear();
    node->reserved = 0;
    node->dirty.insert(0);
    used_ += charge(*node);
  }
  handles_[next_handle_] = Handle{std::string(path), node};
  return FileId{next_handle_++};
}

void SimDisk::close(FileId file) { handles_.erase(file.value()); }

Result<std::size_t> SimDisk::read(FileId file, std::uint64_t at, MutableBytes to) {
  const auto& live = handle(file).node->live;
  if (at >= live.size()) return std::size_t{0};
  const std::size_t n = std::min<std::size_t>(to.size(), live.size() - at);
  std::copy_n(live.begin() + static_cast<std::ptrdiff_t>(at), n, to.begin());
  return n;
}

Status SimDisk::write(FileId file, std::uint64_t at, std::span<const Bytes> pieces) {
  Handle& to = handle(file);
  note("write", to.path);
  if (frozen_) return Ok{};
  ++write_count_;
  if (std::exchange(fail_write_, false)) return error(Code::io, "write", to.path, "input/output error");
  std::uint64_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  if (size == 0) return Ok{};
  Node& node = *to.node;
  TRY(grow(node, 0, at + size, to.path));
  if (node.live.size() < at + size) node.live.resize(at + size);
  for (std::uint64_t s = at / sector; s <= (at + size - 1) / sector; ++s) node.dirty.insert(s);
  static constexpr std::size_t kept = 16;
  if (latest_writes_.size() == kept) latest_writes_.pop_front();
  latest_writes_.push_back({to.path, at, size});
  for (const auto& piece : pieces) {
    std::copy(piece.begin(), piece.end(), node.live.begin() + static_cast<std::ptrdiff_t>(at));
    at += piece.size();
  }
  return Ok{};
}

Status SimDisk::truncate(FileId file, std::uint64_t size) {
  Handle& to = handle(file);
  note("truncate", to.path);
  if (frozen_) return Ok{};
  used_ -= charge(*to.node);
  to.node->reserved = std::min(to.node->reserved, size);
  to.node->live.resize(size);
  used_ += charge(*to.node);
  to.node->dirty.insert(size / sector);
  return Ok{};
}

Status SimDisk::reserve(FileId file, std::uint64_t at, std::uint64_t size) {
  Handle& to = handle(file);
  return frozen_ ? Status{Ok{}} : grow(*to.node, at + size, 0, to.path);
}

Result<std::uint64_t> SimDisk::size(FileId file) { return std::uint64_t{handle(file).node->live.size()}; }

Status SimDisk::rename(std::string_view from, std::string_view to) {
  const NodePtr node = find(from);
  if (!node) return error(Code::not_found, "rename", from, "no such file");
  ASSERT(!node->directory && parent(from) == parent(to));  // nothing here renames otherwise
  note("rename", to);
  if (!frozen_) changed(parent(to), Entry{{{std::string(from), nullptr}, {std::string(to), node}}});
  return Ok{};
}

Status SimDisk::remove(std::string_view path) {
  const NodePtr node = find(path);
  if (!node) return Ok{};
  if (node->directory && !(*list(path)).empty()) return error(Code::io, "remove", path, "directory not empty");
  note("remove", path);
  if (!frozen_) changed(parent(path), Entry{{{std::string(path), nullptr}}});
  return Ok{};
}

Result<std::vector<std::string>> SimDisk::list(std::string_view directory) {
  if (!directory.empty() && !find(directory)) return error(Code::not_found, "list", directory, "no such directory");
  const std::string prefix = directory.empty() ? std::string() : std::string(directory) + "/";
  std::vector<std::string> out;
  for (auto it = names_.lower_bound(prefix); it != names_.end() && it->first.starts_with(prefix); ++it) {
    const std::string rest = it->first.substr(prefix.size());
    if (!rest.empty() && rest.find('/') == std::string::npos) out.push_back(rest);
  }
  return out;
}

Status SimDisk::make_directory(std::string_view path) {
  if (find(path)) return Ok{};
  const std::string in = parent(path);
  if (!in.empty() && !find(in)) return error(Code::not_found, "mkdir", path, "no such directory");
  note("mkdir", path);
  auto node = std::make_shared<Node>();
  node->directory = true;
  if (!frozen_) {
    if (used_ + block > capacity_) return error(Code::full, "mkdir", path, "no space left");
    changed(in, Entry{{{std::string(path), node}}});
  }
  return Ok{};
}

Result<std::uint64_t> SimDisk::free_bytes() { return capacity_ > used_ ? capacity_ - used_ : 0; }
std::uint64_t SimDisk::used_bytes() const { return used_; }

Status SimDisk::lock(std::string_view path) {
  if (locked_) return error(Code::locked, "lock", path, "another process has it");
  locked_ = true;
  return Ok{};
}

SimDisk::Captured SimDisk::capture(const Handle& from) {
  Captured captured{from.node, {}, from.node->live.size(), ++moment_, from.path};
  for (const auto s : from.node->dirty) {
    const std::uint64_t begin = s * sector;
    if (begin >= from.node->live.size()) continue;
    const std::uint64_t end = std::min<std::uint64_t>(begin + sector, from.node->live.size());
    captured.sectors[s] = Buffer(from.node->live.begin() + static_cast<std::ptrdiff_t>(begin),
                                 from.node->live.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return captured;
}

void SimDisk::make_durable(const Captured& captured) {
  // Syncs may complete in any order: what was captured later stays.
  Node& node = *captured.node;
  if (captured.moment > node.size_moment) {
    node.durable.resize(captured.size);
    node.size_moment = captured.moment;
  }
  for (const auto& [s, bytes] : captured.sectors) {
    auto& moment = node.sector_moments[s];
    if (captured.moment < moment || s * sector + bytes.size() > node.durable.size()) continue;
    moment = captured.moment;
    std::copy(bytes.begin(), bytes.end(), node.durable.begin() + static_cast<std::ptrdiff_t>(s * sector));
  }
  std::erase_if(node.dirty, [&](std::uint64_t s) {
    const std::uint64_t begin = s * sector, end = std::min<std::uint64_t>(begin + sector, node.live.size());
    if (begin >= node.live.size()) return node.live.size() == node.durable.size();
    if (end > node.durable.size()) return false;
    return std::equal(node.live.begin() + static_cast<std::ptrdiff_t>(begin),
                      node.live.begin() + static_cast<std::ptrdiff_t>(end),
                      node.durable.begin() + static_cast<std::ptrdiff_t>(begin));
  });
}

void SimDisk::drop_dirty(const Captured& captured) {
  for (const auto& [s, bytes] : captured.sectors) captured.node->dirty.erase(s);
}

void SimDisk::sync_names(const std::string& directory, std::size_t count) {
  const auto it = unsynced_.find(directory);
  if (it == unsynced_.end()) return;
  const std::size_t n = std::min(count, it->second.size());
  for (std::size_t i = 0; i < n; ++i) {
    for (auto& [name, node] : it->second[i].names) {
      if (node) {
        durable_names_[name] = node;
        continue;
      }
      durable_names_.erase(name);
      // What was in a directory goes with it: another one of its name begins empty.
      durable_names_.erase(durable_names_.lower_bound(name + "/"), durable_names_.lower_bound(name + "0"));
      if (!names_.contains(name)) unsynced_.erase(name);
    }
  }
  it->second.erase(it->second.begin(), it->second.begin() + static_cast<std::ptrdiff_t>(n));
}

void SimDisk::sync(std::vector<FileId> files, std::vector<std::string> directories, port::Urgency urgency, Done done) {
  Pending pending;
  pending.when = urgency == port::Urgency::round ? SyncWhen::round : SyncWhen::background;
  for (const auto file : files) pending.files.push_back(capture(handle(file)));
  for (auto& d : directories) pending.directories.emplace_back(d, unsynced_[d].size());
  pending.done = std::move(done);
  pending_.push_back(std::move(pending));
}

std::size_t SimDisk::first_of_round() const {
  const auto found =
      std::find_if(pending_.begin(), pending_.end(), [](const Pending& p) { return p.when == SyncWhen::round; });
  return static_cast<std::size_t>(found - pending_.begin());
}

bool SimDisk::complete(std::size_t index) {
  if (index >= pending_.size()) return false;
  Pending pending = std::move(pending_[index]);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
  note("sync", pending.files.empty() ? "" : pending.files.front().path);
  if (frozen_) return true;
  ++sync_count_;
  if (std::exchange(fail_sync_, false)) {
    sync_failed_ = true;
    for (const auto& file : pending.files) drop_dirty(file);
    pending.done(
        error(Code::io, "fdatasync", pending.files.empty() ? "" : pending.files.front().path, "input/output error"));
    return true;
  }
  const std::string with = pending.files.empty() ? "" : pending.files.front().path;
  for (const auto& file : pending.files) {
    if (!ignores(file.path, pending.when, file.path)) make_durable(file);
  }
  Status status = Ok{};
  for (auto& [directory, count] : pending.directories) {
    if (is_gone(directory)) {
      status = error(Code::not_found, "open", directory, "no such directory");
      continue;
    }
    if (ignores(directory + "/", pending.when, with)) continue;
    const std::size_t already = unsynced_[directory].size();
    sync_names(directory, std::min(count, already));
    // Changes that another sync in flight counted are fewer now.
    const std::size_t gone = already - unsynced_[directory].size();
    for (auto& other : pending_) {
      for (auto& [d, n] : other.directories)
        if (d == directory) n -= std::min(n, gone);
    }
  }
  pending.done(std::move(status));
  return true;
}

Status SimDisk::sync_now(FileId file) {
  note("sync", handle(file).path);
  if (frozen_) return Ok{};
  ++sync_count_;
  const Captured captured = capture(handle(file));
  if (std::exchange(fail_sync_, false)) {
    sync_failed_ = true;
    drop_dirty(captured);
    return error(Code::io, "fdatasync", captured.path, "input/output error");
  }
  if (!ignores(captured.path, SyncWhen::start, captured.path)) make_durable(captured);
  return Ok{};
}

Status SimDisk::sync_directory(std::string_view path) {
  note("sync", path);
  if (frozen_) return Ok{};
  ++sync_count_;
  if (is_gone(path)) return error(Code::not_found, "open", path, "no such directory");
  if (ignores(std::string(path) + "/", SyncWhen::start, "")) return Ok{};
  const std::size_t count = unsynced_[std::string(path)].size();
  sync_names(std::string(path), count);
  for (auto& other : pending_) {
    for (auto& [d, n] : other.directories)
      if (d == path) n -= std::min(n, count);
  }
  return Ok{};
}

void SimDisk::forget_process() {
  handles_.clear();
  pending_.clear();
  locked_ = fail_sync_ = fail_write_ = frozen_ = sync_failed_ = false;
}

void SimDisk::kill() { forget_process(); }

bool SimDisk::survives(Prng& random, Survival survival) const {
  return survival == Survival::everything || (survival == Survival::mixed && random.chance(1, 2));
}

void SimDisk::settle(Node& node, Prng& random, Survival survival) const {
  if (node.live.size() != node.durable.size() && survives(random, survival)) {
    std::uint64_t size = node.live.size();
    if (size > node.durable.size() && survival == Survival::mixed && random.chance(1, 2)) {
      size = static_cast<std::uint64_t>(
          random.between(static_cast<std::int64_t>(node.durable.size()), static_cast<std::int64_t>(size)));
    }
    node.durable.resize(size);
  }
  for (const auto s : node.dirty) {
    if (!survives(random, survival)) continue;
    const std::uint64_t begin = s * sector;
    const std::uint64_t end = std::min<std::uint64_t>({begin + sector, node.live.size(), node.durable.size()});
    for (std::uint64_t i = begin; i < end; ++i) node.durable[i] = node.live[i];
  }
  node.live = node.durable;
  node.dirty.clear();
  node.reserved = 0;
}

void SimDisk::power_cut(Prng& random, Survival survival) {
  for (auto& [directory, entries] : unsynced_) {
    // A journaling file system keeps a directory's changes in order: a prefix of them survives.
    std::size_t kept = survival == Survival::everything ? entries.size() : 0;
    if (survival == Survival::mixed) kept = random.below(entries.size() + 1);
    sync_names(directory, kept);
  }
  unsynced_.clear();
  for (auto it = durable_names_.begin(); it != durable_names_.end();) {  // parents sort before children
    const std::string in = parent(it->first);
    it = in.empty() || durable_names_.contains(in) ? std::next(it) : durable_names_.erase(it);
  }
  names_ = durable_names_;
  used_ = 0;
  for (auto& [name, node] : names_) {
    if (!node->directory) settle(*node, random, survival);
    used_ += charge(*node);
  }
  forget_process();
}

void SimDisk::flip_bit(std::string_view path, std::uint64_t byte, unsigned bit) {
  const NodePtr node = find(path);
  ASSERT(node && byte < node->live.size() && bit < 8);
  const auto mask = static_cast<std::byte>(1u << bit);
  node->live[byte] ^= mask;
  if (byte < node->durable.size()) node->durable[byte] ^= mask;
}

void SimDisk::lose_file(const std::string& path) {
  const NodePtr node = find(path);
  ASSERT(node && !node->directory);
  used_ -= charge(*node);
  names_.erase(path);
  durable_names_.erase(path);
  for (auto& entry : unsynced_[parent(path)])
    for (auto& [name, at] : entry.names)
      if (name == path) at = nullptr;
}

std::vector<std::string> SimDisk::files() const {
  std::vector<std::string> out;
  for (const auto& [name, node] : names_)
    if (!node->directory) out.push_back(name);
  return out;
}

std::optional<Buffer> SimDisk::contents(std::string_view path) const {
  const NodePtr node = find(path);
  if (!node) return std::nullopt;
  return node->live;
}

}  // namespace edgelog::testing

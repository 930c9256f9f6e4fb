// The meta file of a data directory: what it is, of which cluster and node. Text, so that it can be read by people;
// written once, by rename.
#include <fmt/format.h>
#include <algorithm>

#include <map>
#include <string>

#include "cloud-broker/log/sealed.h"
#include "cloud-broker/partition/store_state.h"
#include "common/base/log.h"

namespace edgelog::broker {
namespace {

constexpr int meta_format = 1;
constexpr std::string_view first_line = "edgelog broker data";

// 22 characters of base64url, as Kafka writes its ids.
std::string base64url(const Uuid& id) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const auto byte : id) {
    bits = bits << 8 | std::to_integer<std::uint32_t>(byte);
    for (count += 8; count >= 6; count -= 6) out += digits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += digits[bits << (6 - count) & 63];
  return out;
}

std::string meta_text(const StoreIdentity& identity) {
  return fmt::format("{}\nformat={}\ncluster={}\nnode={}\ndirectory={}\n", first_line, meta_format, identity.cluster_id,
                     identity.node.value(), disklog::hex(identity.directory));
}

Result<StoreIdentity> parse_meta(std::string_view text) {
  const auto bad = [](std::string why) { return Error{Code::corrupt, fmt::format("{}: {}", disklog::meta_file, why)}; };
  if (!text.starts_with(first_line)) return bad("not the meta file of a data directory");
  std::map<std::string, std::string, std::less<>> values;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (const auto sign = line.find('='); sign != std::string_view::npos)
      values[std::string(line.substr(0, sign))] = line.substr(sign + 1);
  }
  if (values["format"] != std::to_string(meta_format))
    return Error{
        Code::unsupported,
        fmt::format("{}: data format '{}' is not known here (this version knows {}): written by a newer version?",
                    disklog::meta_file, values["format"], meta_format)};
  StoreIdentity identity;
  const auto directory = disklog::parse_hex(values["directory"]);
  char* end = nullptr;
  const long node = std::strtol(values["node"].c_str(), &end, 10);
  if (!directory || values["cluster"].empty() || values["node"].empty() || *end != '\0')
    return bad("a line is missing or malformed");
  identity.cluster_id = values["cluster"];
  identity.node = NodeId{static_cast<std::int32_t>(node)};
  identity.directory = *directory;
  return identity;
}

}  // namespace

Status StoreState::open_identity() {
  auto bytes = disklog::read_file(disk_, disklog::meta_file, 64 << 10);
  if (bytes) {
    auto identity = parse_meta(as_text(*bytes));
    if (!identity) return std::move(identity).error();
    if (identity->node != context.config.node)
      return Error{Code::unsupported, fmt::format("{}: this directory is node {}'s, not node {}'s", disklog::meta_file,
                                                  identity->node.value(), context.config.node.value())};
    context.identity = std::move(*identity);
    return Ok{};
  }
  if (bytes.error().code != Code::not_found) return std::move(bytes).error();
  if (auto names = disk_.list(disklog::partitions_directory); names && !names->empty())
    return Error{Code::corrupt, fmt::format("{} is missing, but there are partitions", disklog::meta_file)};
  context.identity.cluster_id =
      context.config.cluster_id.empty() ? base64url(context.config.fresh) : context.config.cluster_id;
  context.identity.node = context.config.node;
  context.identity.directory = context.config.fresh;
  const std::string made = std::string(disklog::meta_file) + ".new";
  auto file = disklog::write_file(disk_, made, as_bytes(meta_text(context.identity)));
  if (!file) return std::move(file).error();
  auto synced = disk_.sync_now(*file);
  disk_.close(*file);
  TRY(std::move(synced));
  TRY(disk_.rename(made, disklog::meta_file));
  TRY(disk_.make_directory(disklog::partitions_directory));
  TRY(disk_.make_directory(disklog::journal_directory));
  return disk_.sync_directory("");
}

}  // namespace edgelog::broker

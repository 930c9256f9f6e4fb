#include "common/wire/apis.h"

#include <algorithm>
#include <array>

#include "common/wire/all.h"

namespace edgelog::wire {
namespace {

constexpr std::array table{
    produce_api,           fetch_api,
    list_offsets_api,      metadata_api,
    offset_commit_api,     offset_fetch_api,
    find_coordinator_api,  join_group_api,
    heartbeat_api,         leave_group_api,
    sync_group_api,        describe_groups_api,
    list_groups_api,       sasl_handshake_api,
    api_versions_api,      create_topics_api,
    delete_topics_api,     delete_records_api,
    init_producer_id_api,  offset_for_leader_epoch_api,
    describe_configs_api,  alter_configs_api,
    sasl_authenticate_api, create_partitions_api,
    delete_groups_api,     incremental_alter_configs_api,
    offset_delete_api,     describe_cluster_api,
};

}  // namespace

std::span<const Api> apis() { return table; }

const Api* find_api(std::int16_t key) {
  const auto found = std::find_if(table.begin(), table.end(), [key](const Api& api) { return api.key == key; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace edgelog::wire

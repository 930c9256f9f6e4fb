#pragma once
// What a topic's configuration means to its partitions.
#include "cloud-broker/controller/topic_config.h"
#include "cloud-broker/partition/settings.h"

namespace edgelog::broker {

TopicSettings settings_of(const TopicConfig& config);

}  // namespace edgelog::broker

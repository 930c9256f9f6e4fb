#pragma once
// What the handlers of a shard share. Everything here lives on the shard's thread.
#include <span>

#include "cloud-broker/server/commit_waits.h"
#include "cloud-broker/server/context.h"
#include "cloud-broker/server/fetches.h"
#include "cloud-broker/server/group_service.h"
#include "cloud-broker/server/metadata_log.h"
#include "cloud-broker/server/produces.h"
#include "cloud-broker/server/replies.h"
#include "cloud-broker/server/settings.h"

namespace edgelog::broker {

struct World;

// An API that is served: its versions, and what takes a decoded request apart. `body` is behind the header.
struct Route {
  const wire::Api* api;
  void (*handle)(World& world, const Context& context, Bytes body);
};

struct World {
  const BrokerSettings& settings;
  const Authorizer& authorizer;
  std::span<const Route> routes;
  Store& store;
  Controller& controller;
  MetadataLog& metadata;
  GroupService& groups;
  CommitWaits& waits;
  Produces& produces;
  Fetches& fetches;
  Replies& replies;
  BrokerMetrics& metrics;
  record::Scratch& scratch;  // for looking into batches
  record::Compressor& compressor;

  Partition* find(const Topic& topic, PartitionIndex index) const { return store.find({topic.id, index}); }
  Partition* find(const std::string& topic, PartitionIndex index) const {
    const Topic* known = controller.find(topic);
    return known != nullptr ? find(*known, index) : nullptr;
  }
};

}  // namespace edgelog::broker

// InitProducerId (22), versions 0-4. Without a transactional id: a fresh id, epoch 0, whatever id the client
// had; ids are claimed in blocks through the metadata log and never given out twice, also over kill -9. With
// a transactional id: TRANSACTIONAL_ID_AUTHORIZATION_FAILED(53), which clients take as final; there are no
// transactions yet. Refuses with 42: an empty transactional id, an id without an epoch and the other way round.
#include "common/wire/init_producer_id.h"

#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

using wire::ErrorCode;

void handle_init_producer_id(World& world, const Context& context, const wire::InitProducerIdRequest& request) {
  wire::InitProducerIdResponse response;
  const bool half = (request.producer_id.value() == -1) != (request.producer_epoch.value() == -1);
  if (half || request.transactional_id) {
    const bool invalid = half || request.transactional_id->empty();
    response.error_code = invalid ? ErrorCode::invalid_request : ErrorCode::transactional_id_authorization_failed;
    response.producer_epoch = ProducerEpoch{-1};
    return world.replies.send(context, response);
  }
  Context kept = context;
  kept.frame = {};
  world.metadata.producer_id(context.at.wall, [&world, kept](ErrorCode error, ProducerId id) {
    wire::InitProducerIdResponse answer;
    // Storage trouble is passing: the client asks again.
    answer.error_code = error == ErrorCode::none ? error : ErrorCode::coordinator_not_available;
    answer.producer_id = id;
    answer.producer_epoch = ProducerEpoch{static_cast<std::int16_t>(error == ErrorCode::none ? 0 : -1)};
    world.replies.send(kept, answer);
  });
}

}  // namespace edgelog::broker

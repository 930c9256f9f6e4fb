// What nobody honest says: answers that name no batch of the agent as it sent it, batches that a gateway has to refuse.
#include <utility>

#include "tests/sim/edge/gateway_node.h"

namespace edgelog::sim::edge {

// True: the message itself is lost, and what is said in its place must not be taken for its answer.
bool GatewayNode::forge(const UpMessage& message) {
  if (cloud_.healed || !core_ || plan_.forged == 0) return false;
  if (message.content && base_.forger.chance(plan_.forged, 1000)) forge_batch(message);
  // Looks are few.
  if (!base_.forger.chance(message.look ? 8 * plan_.forged : plan_.forged, 1000)) return false;
  base_.injected(Fault::answer_forged);
  if (message.look)
    forge_look(message);
  else
    forge_answer(message);
  return true;
}

// From another agent, so that what is answered troubles no one.
void GatewayNode::forge_batch(const UpMessage& message) {
  base_.injected(Fault::batch_forged);
  gateway::BatchArrived in = arrived(message);
  gateway::BatchFacts& facts = in.facts;
  in.agent = "intruder";
  facts.producer_id = uplink::make_producer_id(in.agent, 7);
  switch (base_.forger.below(13)) {
    case 0: facts.crc_ok = false; break;
    case 1: facts.producer_id = message.content->producer; break;
    case 2: in.topic = "secret"; break;
    case 3: in.partition = std::nullopt; break;
    case 4: facts.bytes = 10 << 20; break;
    case 5: ++facts.last_offset_delta; break;
    case 6: facts.control = true; break;
    case 7: facts.transactional = true; break;
    case 8: facts.log_append_time = true; break;
    case 9: facts.producer_epoch = ProducerEpoch{5}; break;
    case 10: facts.well_formed = false; break;
    case 11: facts.record_count = 0, facts.last_offset_delta = -1; break;
    default:
      facts.producer_epoch = uplink::fence_epoch;
      facts.first = Sequence{0};
      facts.fence_record = false;
  }
  hold(in.ticket, message, base_.now, true);
  feed(std::move(in));
}

void GatewayNode::forge_answer(const UpMessage& message) {
  const auto view = log_.view(message.topic, message.partition.value(), false);
  const Content& content = *message.content;
  uplink::BatchAnswer said{{message.topic, content.producer, content.epoch, content.first, content.last()},
                           message.partition,
                           0,
                           view.hw,
                           view.epoch};
  switch (base_.forger.below(8)) {
    case 0: said.partition = PartitionIndex{said.partition.value() + 1}; break;
    case 1: said.batch.first = said.batch.first + 1; break;
    case 2: said.batch.last = said.batch.last + 1; break;
    case 3: said.batch.producer_id = ProducerId{said.batch.producer_id.value() ^ 1}; break;
    case 4: said.batch.producer_epoch = ProducerEpoch{7}; break;
    case 5: said.batch.topic = message.topic == "doors" ? "climate" : "doors"; break;
    case 6: said.offset = Offset{-1}; break;
    default: said.error = 7; break;  // it timed out: nobody knows
  }
  uplink::Answers answers;
  answers.gateway_time = wall();
  answers.batches.push_back(std::move(said));
  cloud_.answer(message.agent, std::move(answers));
}

// All is well with the fences, and nothing else was seen.
void GatewayNode::forge_look(const UpMessage& message) {
  const auto view = log_.view(message.topic, message.partition.value(), false);
  const uplink::LookRequest& request = *message.look;
  uplink::LookAnswer said;
  said.look_id = request.look_id;
  said.topic = message.topic;
  said.partition = request.partition;
  said.from = request.from;
  said.to = view.hw;
  said.log_start = view.start;
  said.leader_epoch = said.found_epoch = view.epoch;
  said.expectation =
      static_cast<std::int8_t>(request.expected ? uplink::Expectation::found : uplink::Expectation::not_asked);
  if (view.entries != nullptr)
    for (const auto& entry : *view.entries)
      if (entry.content->fence && entry.base >= request.from && entry.last() < view.hw)
        said.sightings.push_back(
            {entry.content->producer, entry.content->producer, EventIndex{0}, EventIndex{-1}, entry.base, true});
  switch (base_.forger.below(5)) {
    case 0: said.look_id += 1'000'000; break;
    case 1: said.partition = PartitionIndex{said.partition.value() + 1}; break;
    case 2: said.from = said.from + 1; break;
    case 3: said.topic = message.topic == "doors" ? "climate" : "doors"; break;
    default: said.error = 7; break;
  }
  uplink::Answers answers;
  answers.gateway_time = wall();
  answers.looks.push_back(std::move(said));
  cloud_.answer(message.agent, std::move(answers));
}

}  // namespace edgelog::sim::edge

// Where the codecs of these messages are compiled, once.
#include "common/wire/api_versions.h"
#include "common/wire/fetch.h"
#include "common/wire/init_producer_id.h"
#include "common/wire/list_offsets.h"
#include "common/wire/metadata.h"
#include "common/wire/offset_for_leader_epoch.h"
#include "common/wire/produce.h"

namespace edgelog::wire {

template bool decode(Bytes, Version, ApiVersionsRequest&);
template void encode(const ApiVersionsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, ApiVersionsResponse&);
template void encode(const ApiVersionsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, MetadataRequest&);
template void encode(const MetadataRequest&, Version, Buffer&);
template bool decode(Bytes, Version, MetadataResponse&);
template void encode(const MetadataResponse&, Version, Buffer&);
template bool decode(Bytes, Version, ProduceRequest&);
template void encode(const ProduceRequest&, Version, Buffer&);
template bool decode(Bytes, Version, ProduceResponse&);
template void encode(const ProduceResponse&, Version, Buffer&);
template bool decode(Bytes, Version, FetchRequest&);
template void encode(const FetchRequest&, Version, Buffer&);
template bool decode(Bytes, Version, FetchResponse&);
template void encode(const FetchResponse&, Version, Buffer&);
template bool decode(Bytes, Version, ListOffsetsRequest&);
template void encode(const ListOffsetsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, ListOffsetsResponse&);
template void encode(const ListOffsetsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetForLeaderEpochRequest&);
template void encode(const OffsetForLeaderEpochRequest&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetForLeaderEpochResponse&);
template void encode(const OffsetForLeaderEpochResponse&, Version, Buffer&);
template bool decode(Bytes, Version, InitProducerIdRequest&);
template void encode(const InitProducerIdRequest&, Version, Buffer&);
template bool decode(Bytes, Version, InitProducerIdResponse&);
template void encode(const InitProducerIdResponse&, Version, Buffer&);

}  // namespace edgelog::wire

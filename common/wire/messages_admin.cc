// Where the codecs of these messages are compiled, once.
#include "common/wire/alter_configs.h"
#include "common/wire/create_partitions.h"
#include "common/wire/create_topics.h"
#include "common/wire/delete_records.h"
#include "common/wire/delete_topics.h"
#include "common/wire/describe_cluster.h"
#include "common/wire/describe_configs.h"
#include "common/wire/incremental_alter_configs.h"
#include "common/wire/sasl_authenticate.h"
#include "common/wire/sasl_handshake.h"

namespace edgelog::wire {

template bool decode(Bytes, Version, CreateTopicsRequest&);
template void encode(const CreateTopicsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, CreateTopicsResponse&);
template void encode(const CreateTopicsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, DeleteTopicsRequest&);
template void encode(const DeleteTopicsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, DeleteTopicsResponse&);
template void encode(const DeleteTopicsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, CreatePartitionsRequest&);
template void encode(const CreatePartitionsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, CreatePartitionsResponse&);
template void encode(const CreatePartitionsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, DescribeConfigsRequest&);
template void encode(const DescribeConfigsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, DescribeConfigsResponse&);
template void encode(const DescribeConfigsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, AlterConfigsRequest&);
template void encode(const AlterConfigsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, AlterConfigsResponse&);
template void encode(const AlterConfigsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, IncrementalAlterConfigsRequest&);
template void encode(const IncrementalAlterConfigsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, IncrementalAlterConfigsResponse&);
template void encode(const IncrementalAlterConfigsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, DescribeClusterRequest&);
template void encode(const DescribeClusterRequest&, Version, Buffer&);
template bool decode(Bytes, Version, DescribeClusterResponse&);
template void encode(const DescribeClusterResponse&, Version, Buffer&);
template bool decode(Bytes, Version, DeleteRecordsRequest&);
template void encode(const DeleteRecordsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, DeleteRecordsResponse&);
template void encode(const DeleteRecordsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, SaslHandshakeRequest&);
template void encode(const SaslHandshakeRequest&, Version, Buffer&);
template bool decode(Bytes, Version, SaslHandshakeResponse&);
template void encode(const SaslHandshakeResponse&, Version, Buffer&);
template bool decode(Bytes, Version, SaslAuthenticateRequest&);
template void encode(const SaslAuthenticateRequest&, Version, Buffer&);
template bool decode(Bytes, Version, SaslAuthenticateResponse&);
template void encode(const SaslAuthenticateResponse&, Version, Buffer&);

}  // namespace edgelog::wire

"""The Kafka protocol by hand, sharing nothing with common/wire: the same request bytes go to both targets, and
the answers are compared as dictionaries. A message is one line of a small language:

    name:type@FIRST[-LAST]?NULL     exists in versions FIRST to LAST, may be null since version NULL
    name:[fields] or name:[type]    an array of structs or of values
"""
import re, socket, struct
from batches import parse

SCHEMAS = {}  # name -> (key, flexible, request fields, response fields)
TEXT = '''
Produce 0 9
  transactional_id:str@3?3 acks:i16 timeout_ms:i32 topics:[name:str partitions:[index:i32 records:bytes?0]]
  topics:[name:str partitions:[index:i32 error:i16 base_offset:i64 append_time:i64@2 log_start:i64@5 record_errors:[index:i32 message:str?8]@8 message:str@8?8]] throttle:i32@1
Fetch 1 12
  replica_id:i32@0-14 max_wait:i32 min_bytes:i32 max_bytes:i32@3 isolation:i8@4 session_id:i32@7 session_epoch:i32@7 topics:[name:str@0-12 id:uuid@13 partitions:[index:i32 epoch:i32@9 offset:i64 last_epoch:i32@12 log_start:i64@5 max_bytes:i32]] forgotten:[name:str@7-12 id:uuid@13 partitions:[i32]]@7 rack:str@11
  throttle:i32@1 error:i16@7 session_id:i32@7 topics:[name:str@0-12 id:uuid@13 partitions:[index:i32 error:i16 high_watermark:i64 last_stable:i64@4 log_start:i64@5 aborted:[producer_id:i64 first_offset:i64]@4?4 preferred:i32@11 records:bytes?0]]
ListOffsets 2 6
  replica_id:i32 isolation:i8@2 topics:[name:str partitions:[index:i32 epoch:i32@4 timestamp:i64]] timeout_ms:i32@10
  throttle:i32@2 topics:[name:str partitions:[index:i32 error:i16 timestamp:i64@1 offset:i64@1 epoch:i32@4]]
Metadata 3 9
  topics:[id:uuid@10 name:str?10]?1 auto_create:bool@4 cluster_operations:bool@8-10 topic_operations:bool@8
  throttle:i32@3 brokers:[id:i32 host:str port:i32 rack:str@1?1] cluster_id:str@2?2 controller:i32@1 topics:[error:i16 name:str?12 id:uuid@10 internal:bool@1 partitions:[error:i16 index:i32 leader:i32 epoch:i32@7 replicas:[i32] isr:[i32] offline:[i32]@5] operations:i32@8] cluster_operations:i32@8-10 error:i16@13
OffsetCommit 8 8
  group:str generation:i32@1 member:str@1 instance:str@7?7 retention:i64@2-4 topics:[name:str partitions:[index:i32 offset:i64 epoch:i32@6 timestamp:i64@1-1 metadata:str?0]]
  throttle:i32@3 topics:[name:str partitions:[index:i32 error:i16]]
OffsetFetch 9 6
  group:str@0-7 topics:[name:str partitions:[i32]]@0-7?2 groups:[group:str member:str@9?9 epoch:i32@9 topics:[name:str partitions:[i32]]?8]@8 require_stable:bool@7
  throttle:i32@3 topics:[name:str partitions:[index:i32 offset:i64 epoch:i32@5 metadata:str?0 error:i16]]@0-7 error:i16@2-7 groups:[group:str topics:[name:str partitions:[index:i32 offset:i64 epoch:i32 metadata:str?8 error:i16]] error:i16]@8
FindCoordinator 10 3
  key:str@0-3 type:i8@1 keys:[str]@4
  throttle:i32@1 error:i16@0-3 message:str@1-3?1 node:i32@0-3 host:str@0-3 port:i32@0-3 coordinators:[key:str node:i32 host:str port:i32 error:i16 message:str?4]@4
JoinGroup 11 6
  group:str session_timeout:i32 rebalance_timeout:i32@1 member:str instance:str@5?5 type:str protocols:[name:str metadata:bytes] reason:str@8?8
  throttle:i32@2 error:i16 generation:i32 type:str@7?7 protocol:str?7 leader:str skip:bool@9 member:str members:[member:str instance:str@5?5 metadata:bytes]
Heartbeat 12 4
  group:str generation:i32 member:str instance:str@3?3
  throttle:i32@1 error:i16
LeaveGroup 13 4
  group:str member:str@0-2 members:[member:str instance:str?3 reason:str@5?5]@3
  throttle:i32@1 error:i16 members:[member:str instance:str?3 error:i16]@3
SyncGroup 14 4
  group:str generation:i32 member:str instance:str@3?3 type:str@5?5 protocol:str@5?5 assignments:[member:str assignment:bytes]
  throttle:i32@1 error:i16 type:str@5?5 protocol:str@5?5 assignment:bytes
DescribeGroups 15 5
  groups:[str] operations:bool@3
  throttle:i32@1 groups:[error:i16 group:str state:str type:str protocol:str members:[member:str instance:str@4?4 client:str host:str metadata:bytes assignment:bytes] operations:i32@3]
ListGroups 16 3
  states:[str]@4 types:[str]@5
  throttle:i32@1 error:i16 groups:[group:str type:str state:str@4 kind:str@5]
ApiVersions 18 3
  software:str@3 software_version:str@3
  error:i16 apis:[key:i16 first:i16 last:i16] throttle:i32@1
CreateTopics 19 5
  topics:[name:str partitions:i32 replication:i16 assignments:[index:i32 brokers:[i32]] configs:[name:str value:str?0]] timeout_ms:i32 validate_only:bool@1
  throttle:i32@2 topics:[name:str id:uuid@7 error:i16 message:str@1?1 partitions:i32@5 replication:i16@5 configs:[name:str value:str?5 read_only:bool source:i8 sensitive:bool]@5?5]
DeleteTopics 20 4
  topics:[name:str?6 id:uuid]@6 names:[str]@0-5 timeout_ms:i32
  throttle:i32@1 topics:[name:str?6 id:uuid@6 error:i16 message:str@5?5]
DeleteRecords 21 2
  topics:[name:str partitions:[index:i32 offset:i64]] timeout_ms:i32
  throttle:i32 topics:[name:str partitions:[index:i32 low_watermark:i64 error:i16]]
InitProducerId 22 2
  transactional_id:str?0 timeout_ms:i32 producer_id:i64@3 epoch:i16@3
  throttle:i32 error:i16 producer_id:i64 epoch:i16
OffsetForLeaderEpoch 23 4
  replica_id:i32@3 topics:[name:str partitions:[index:i32 current:i32@2 epoch:i32]]
  throttle:i32@2 topics:[name:str partitions:[error:i16 index:i32 epoch:i32@1 end:i64]]
DescribeConfigs 32 4
  resources:[type:i8 name:str keys:[str]?0] synonyms:bool@1 documentation:bool@3
  throttle:i32 resources:[error:i16 message:str?0 type:i8 name:str configs:[name:str value:str?0 read_only:bool is_default:bool@0-0 source:i8@1 sensitive:bool synonyms:[name:str value:str?0 source:i8]@1 config_type:i8@3 documentation:str@3?3]]
CreatePartitions 37 2
  topics:[name:str count:i32 assignments:[brokers:[i32]]?0] timeout_ms:i32 validate_only:bool
  throttle:i32 topics:[name:str error:i16 message:str?0]
AlterConfigs 33 2
  resources:[type:i8 name:str configs:[name:str value:str?0]] validate_only:bool
  throttle:i32 resources:[error:i16 message:str?0 type:i8 name:str]
DeleteGroups 42 2
  groups:[str]
  throttle:i32 groups:[group:str error:i16]
IncrementalAlterConfigs 44 1
  resources:[type:i8 name:str configs:[name:str operation:i8 value:str?0]] validate_only:bool
  throttle:i32 resources:[error:i16 message:str?0 type:i8 name:str]
OffsetDelete 47 99
  group:str topics:[name:str partitions:[index:i32]]
  error:i16 throttle:i32 topics:[name:str partitions:[index:i32 error:i16]]
DescribeCluster 60 0
  operations:bool endpoints:i8@1
  throttle:i32 error:i16 message:str?0 endpoints:i8@1 cluster_id:str controller:i32 brokers:[id:i32 host:str port:i32 rack:str?0] operations:i32
'''
DEFAULTS = {'replica_id': -1, 'acks': -1, 'epoch': -1, 'current': -1, 'last_epoch': -1, 'log_start': -1, 'max_bytes': 1 << 20,
            'session_epoch': -1, 'timeout_ms': 5000, 'retention': -1, 'producer_id': -1, 'partitions': -1, 'replication': -1,
            'auto_create': False, 'generation': -1, 'rebalance_timeout': 5000, 'session_timeout': 10000, 'endpoints': 1}
INTS = {'i8': ('>b', 1), 'i16': ('>h', 2), 'i32': ('>i', 4), 'i64': ('>q', 8), 'bool': ('>?', 1)}


def fields_of(text):
    """A schema line to (name, type, first, last, null since); a list type is an array of its element."""
    tokens = re.findall(r'[^\s\[\]]+|[\[\]]', text)

    def struct_or_value(at):
        out = []
        if tokens[at + 1] == ']' and ':' not in tokens[at]: return [tokens[at]], at + 2
        while at < len(tokens) and tokens[at] != ']':
            name, _, kind = tokens[at].partition(':')
            at += 1
            if kind == '':
                kind, at = struct_or_value(at + 1)
                kind = ('array', kind)
                flags = ''
                if at < len(tokens) and tokens[at][0] in '@?': flags, at = tokens[at], at + 1
            else:
                m = re.match(r'(\w+)(.*)', kind)
                kind, flags = m[1], m[2]
            m = re.match(r'(?:@(\d+)(?:-(\d+))?)?(?:\?(\d+))?$', flags)
            out.append((name, kind, int(m[1] or 0), int(m[2] or 99), int(m[3]) if m[3] else 99))
        return out, at + 1
    return struct_or_value(0)[0]


lines = [line for line in TEXT.split('\n') if line]
for head, question, reply in zip(lines[0::3], lines[1::3], lines[2::3]):
    name, key, flexible = head.split()
    SCHEMAS[name] = int(key), int(flexible), fields_of(question), fields_of(reply)


def uvarint(n):
    out = bytearray()
    while n > 127: out.append(n & 127 | 128); n >>= 7
    return bytes(out) + bytes([n])


class Writer:
    def __init__(self, version, flexible): self.version, self.flexible, self.out = version, flexible, bytearray()

    def length(self, n, size):
        self.out += uvarint(n + 1) if self.flexible else n.to_bytes(size, 'big', signed=True)

    def value(self, kind, value, size=4):
        if isinstance(kind, str) and kind in INTS: self.out += struct.pack(INTS[kind][0], value)
        elif kind == 'uuid': self.out += value
        elif kind == 'str' or kind == 'bytes':
            if isinstance(value, str): value = value.encode()
            self.length(-1 if value is None else len(value), 2 if kind == 'str' else 4)
            self.out += value or b''
        else:
            self.length(-1 if value is None else len(value), 4)
            for item in value or []:
                if isinstance(kind[1][0], str): self.value(kind[1][0], item)
                else: self.struct(kind[1], item)

    def struct(self, fields, values):
        unknown = set(values) - {f[0] for f in fields}
        assert not unknown, unknown
        for name, kind, first, last, null in fields:
            if not first <= self.version <= last: continue
            if name in values: value = values[name]
            elif isinstance(kind, str) and kind in INTS: value = DEFAULTS.get(name, 0)
            elif kind == 'uuid': value = bytes(16)
            else: value = None if self.version >= null else '' if isinstance(kind, str) else []
            self.value(kind, value)
        if self.flexible: self.out += b'\0'


class Reader:
    def __init__(self, data, version, flexible): self.data, self.at, self.version, self.flexible = data, 0, version, flexible

    def take(self, n):
        assert 0 <= n <= len(self.data) - self.at, 'answer is cut short'
        self.at += n
        return self.data[self.at - n:self.at]

    def uvarint(self):
        value = shift = 0
        while True:
            b = self.take(1)[0]
            value |= (b & 127) << shift
            shift += 7
            if b < 128: return value

    def length(self, size): return self.uvarint() - 1 if self.flexible else int.from_bytes(self.take(size), 'big', signed=True)

    def value(self, kind, null):
        if isinstance(kind, str) and kind in INTS: return struct.unpack(INTS[kind][0], self.take(INTS[kind][1]))[0]
        if kind == 'uuid': return self.take(16).hex()
        n = self.length(2 if kind == 'str' else 4)
        assert n >= 0 or self.version >= null, f'null where version {self.version} has none'
        if n < 0: return None
        if kind == 'str': return self.take(n).decode()
        if kind == 'bytes': return bytes(self.take(n))
        of = kind[1]
        return [self.value(of[0], 99) if isinstance(of[0], str) else self.struct(of) for _ in range(n)]

    def tags(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())

    def struct(self, fields):
        out = {name: self.value(kind, null) for name, kind, first, last, null in fields if first <= self.version <= last}
        if self.flexible: self.tags()
        return out


class Closed(Exception):
    """The other side closed the connection."""


class Connection:
    """One connection; call() sends a request and waits for its answer."""

    def __init__(self, port, client='compat'):
        self.socket, self.client, self.next_id = socket.create_connection(('127.0.0.1', port), timeout=60), client, 0

    def close(self): self.socket.close()
    def __enter__(self): return self
    def __exit__(self, *_): self.close()

    def send(self, api, version, _header=None, **values):
        key, flexible, question, _ = SCHEMAS[api]
        self.next_id += 1
        w = Writer(version, version >= flexible)
        w.struct(question, values)
        header = struct.pack('>hhi', key, version, self.next_id) + struct.pack('>h', len(self.client)) + self.client.encode()
        if version >= flexible: header += b'\0'
        self.send_frame(header + bytes(w.out))
        return self.next_id

    def send_frame(self, body): self.socket.sendall(struct.pack('>i', len(body)) + body)

    def read_exactly(self, n):
        out = b''
        while len(out) < n:
            try: more = self.socket.recv(n - len(out))
            except ConnectionResetError: more = b''
            if not more: raise Closed()
            out += more
        return out

    def receive(self, api, version, expected_id):
        key, flexible, _, reply = SCHEMAS[api]
        body = self.read_exactly(struct.unpack('>i', self.read_exactly(4))[0])
        assert struct.unpack('>i', body[:4])[0] == expected_id, 'answers out of order'
        if api == 'ApiVersions' and version > 4: version = 0
        r = Reader(body[4:], version, version >= flexible)
        if r.flexible and api != 'ApiVersions': r.tags()
        out = r.struct(reply)
        assert r.at == len(r.data), f'{len(r.data) - r.at} bytes too many in the answer'
        return out

    def call(self, api, version, **values): return self.receive(api, version, self.send(api, version, **values))

    # Shorthands of one partition.
    def produce(self, topic, batch, partition=0, version=7, acks=-1, **more):
        answer = self.call('Produce', version, acks=acks, topics=[
            {'name': topic, 'partitions': [{'index': partition, 'records': batch}]}], **more)
        return answer['topics'][0]['partitions'][0]

    def fetch(self, topic, offset, partition=0, version=11, max_bytes=1 << 20, partition_max=1 << 20, epoch=-1, **more):
        answer = self.call('Fetch', version, max_bytes=max_bytes, topics=[{'name': topic, 'partitions': [
            {'index': partition, 'offset': offset, 'epoch': epoch, 'max_bytes': partition_max}]}], **{'min_bytes': 0, 'max_wait': 0, **more})
        part = answer['topics'][0]['partitions'][0]
        part['records'] = parse(part['records'] or b'')
        part['aborted'] = part['aborted'] or []  # null and none are the same to clients
        return part

"""Raw calls whose answers must be those of Apache Kafka. A scenario gets a Probe, makes calls, and notes under a
name what came back; what differs from run to run (ids, epochs, hosts) is replaced by a word. The answers of
Apache Kafka 4.3.0 lie in expected/; OURS lists where cloud-broker means to differ, and why."""
import json, struct, time
from batches import batch
from raw import Closed, Connection, SCHEMAS

OURS = {
    # DESIGN 4: an agent's producer id (high bits 01) that the log does not know must begin at sequence 0.
    ('idempotence', 'agent id unknown, sequence 5'): 45,
    # Kafka takes both without a look; such a batch is a client's bug that every consumer would meet.
    ('produce', 'deltas out of order'): 87,
    ('produce', 'id without epoch'): 87,
}
BAD_BATCH = {'index': 0, 'base_offset': -1, 'append_time': -1, 'log_start': 0, 'record_errors': []}
OURS |= {
    # What cannot be decompressed, and codecs that are none, are UNKNOWN_SERVER_ERROR there, which clients try again.
    **{('produce_refusals', f'codec {codec} of what is none'): {**BAD_BATCH, 'error': 87} for codec in (1, 2, 3, 4)},
    **{('produce_refusals', f'codec {codec} of what is none'): {**BAD_BATCH, 'error': 76, 'log_start': -1} for codec in (5, 7)},
    # Kafka takes any negative id for none, and any time.
    ('produce_refusals', 'negative producer id'): {**BAD_BATCH, 'error': 87},
    ('produce_refusals', 'timestamp -2'): {**BAD_BATCH, 'error': 32, 'record_errors': [{'index': 0}]},
    # Kafka fails with UNKNOWN_SERVER_ERROR; here a negative limit is none, and another isolation level the lower one.
    ('fetches', 'max bytes negative'): [0, [['fetches-*', 0, 0, 83]]],
    ('fetches', 'partition max negative'): [0, [['fetches-*', 0, 0, 83]]],
    ('fetches', 'isolation 7'): [0, [['fetches-*', 0, 0, 249]]],
    # Whole batches only.
    ('fetches', 'min bytes beyond max'): [0, [['fetches-*', 0, 0, 166]]],
    ('odd_frames', 'client length -2'): 'closed',
    # A ratio begins with a digit here; throttles are taken and mean nothing.
    ('topics_in_full', 'min.cleanable.dirty.ratio=.5'): 40,
    ('topics_in_full', 'leader.replication.throttled.replicas=x'): 0,
    # Groups are placed by the count of __consumer_offsets' partitions: more of them would lose groups.
    ('partitions_in_full', 'internal'): True,
}
SCENARIOS = {}
AGENT_ID = (1 << 62) + 12345


def scenario(f):
    SCENARIOS[f.__name__] = f
    return f


class Probe:
    def __init__(self, port, suffix):
        self.port, self.suffix, self.notes, self.connection = port, suffix, {}, Connection(port)

    def note(self, name, value):
        assert name not in self.notes, name
        self.notes[name] = json.loads(json.dumps(value, default=bytes.decode).replace(self.suffix, '*'))

    def __getattr__(self, name): return getattr(self.connection, name)

    def topic(self, name, partitions=1, **configs):
        """Makes a topic and waits until its partitions answer."""
        name = f'{name}-{self.suffix}'
        made = self.call('CreateTopics', 4, topics=[{'name': name, 'partitions': partitions, 'replication': 1, 'configs': [
            {'name': k.replace('_', '.'), 'value': str(v)} for k, v in configs.items()]}])['topics'][0]
        assert made['error'] == 0, made
        for index in range(partitions): poll(lambda: self.offset(name, -1, index)['error'] == 0)
        return name

    def offset(self, topic, timestamp, partition=0, version=4, epoch=-1, **more):
        answer = self.call('ListOffsets', version, topics=[{'name': topic, 'partitions': [
            {'index': partition, 'timestamp': timestamp, 'epoch': epoch}]}], **more)
        return answer['topics'][0]['partitions'][0]

    def records(self, topic, partition=0):
        """The whole batches of a partition as they are given out."""
        answer = self.call('Fetch', 11, max_bytes=1 << 20, min_bytes=0, max_wait=0, topics=[{'name': topic, 'partitions': [{'index': partition, 'offset': 0}]}])
        data, out = answer['topics'][0]['partitions'][0]['records'] or b'', []
        while data:
            size = 12 + struct.unpack('>i', data[8:12])[0]
            out.append(data[:size])
            data = data[size:]
        return out

    def group(self, name):
        """A group's name, once its coordinator answers for it."""
        name = f'{name}-{self.suffix}'
        poll(lambda: self.call('FindCoordinator', 1, key=name)['error'] == 0)
        poll(lambda: self.call('Heartbeat', 3, group=name, generation=1, member='m')['error'] == 25)
        return name

    def leader_epoch(self, topic): return self.call('Metadata', 7, topics=[{'name': topic}])['topics'][0]['partitions'][0]['epoch']

    def join(self, group, member='', version=5, **more):
        more = {'session_timeout': 10000, 'type': 'consumer', 'protocols': [{'name': 'range', 'metadata': b'm'}], **more}
        return self.call('JoinGroup', version, group=group, member=member, **more)


VAGUE = {'id': 'ID', 'cluster_id': 'CLUSTER', 'port': 'PORT', 'host': 'HOST', 'member': 'MEMBER', 'producer_id': 'PRODUCER'}


def shape(p, value, name=''):
    """An answer without what differs from run to run: ids, times, epochs, texts for people."""
    if isinstance(value, list): return [shape(p, x, name) for x in value]
    if isinstance(value, dict): return {k: shape(p, v, k) for k, v in value.items() if k not in ('throttle', 'message')}
    if isinstance(value, bytes): return len(value)
    if name == 'append_time' and value > 0: return 'NOW'
    if name == 'epoch' and isinstance(value, int) and value >= 0: return 'EPOCH'
    if name == 'operations' and value > 0: return 'OPERATIONS'
    if name in VAGUE and value not in (None, '', -1, 0, '0' * 32): return VAGUE[name]
    return value


def poll(done, seconds=30):
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up, 'waited in vain'
        time.sleep(0.02)


def base(answer): return [answer['error'], answer['base_offset']]


@scenario
def idempotence(p):
    """kafka-protocol: the checks of a producer's id, epoch and sequence."""
    t, id = p.topic('idempotence'), 77001
    def send(name, *a, values=(b'x',), **k): p.note(name, base(p.produce(t, batch(list(values), *a, **k))))
    three = (b'1', b'2', b'3')
    send('unknown id, sequence 5', id, 0, 5, values=three)
    send('again', id, 0, 5, values=three)
    send('next', id, 0, 8)
    send('a hole', id, 0, 20)
    send('part of an old batch', id, 0, 6)
    send('old batch, longer', id, 0, 5, values=three + three)
    send('new epoch, not at 0', id, 3, 100)
    send('new epoch at 0', id, 3, 0)
    send('old epoch', id, 1, 1)
    send('old epoch, known batch', id, 0, 8)
    send('wrap: last two', 77002, 0, 2**31 - 2, values=(b'1', b'2'))
    send('wrap: then 0', 77002, 0, 0)
    send('wrap: last two again', 77002, 0, 2**31 - 2, values=(b'1', b'2'))
    send('wrap inside a batch', 77003, 0, 2**31 - 1, values=(b'1', b'2'))
    send('wrap inside a batch, next', 77003, 0, 1)
    send('unknown id, highest epoch', 77004, 32767, 0)
    for i in range(7): send(f'window {i}', 77005, 0, i)
    for i in (0, 1, 2, 6): send(f'window, {i} again', 77005, 0, i)
    p.note('agent id unknown, sequence 5', p.produce(t, batch([b'x'], AGENT_ID, 0, 5))['error'])


@scenario
def fence(p):
    """DESIGN 2, rule 7: one marker at epoch 32767 shuts an id out for good."""
    t = p.topic('fence')
    for name, id in (('known', AGENT_ID + 1), ('unknown', AGENT_ID + 2)):
        if name == 'known':
            for i in range(5): p.produce(t, batch([b'x'], id, 0, i))
        marker = p.produce(t, batch([b'fence'], id, 32767, 0))
        again = p.produce(t, batch([b'fence'], id, 32767, 0))
        p.note(f'{name}: marker', base(marker))
        p.note(f'{name}: marker again', base(again))
        p.note(f'{name}: old batch', base(p.produce(t, batch([b'x'], id, 0, 4 if name == 'known' else 0))))
        p.note(f'{name}: next batch', base(p.produce(t, batch([b'x'], id, 0, 5 if name == 'known' else 1))))


@scenario
def produce(p):
    """What Produce refuses, and with which code."""
    t, compacted = p.topic('produce', 2), p.topic('produce-compacted', cleanup_policy='compact')
    small = p.topic('produce-small', max_message_bytes=200)
    soon = p.topic('produce-soon', message_timestamp_after_max_ms=3600000)
    good = batch([b'a', b'b'])
    for version in range(3, 12):
        answer = p.produce(t, good, version=version)
        p.note(f'v{version}', {k: v for k, v in answer.items() if k != 'base_offset'})
    p.note('acks 1', p.produce(t, good, acks=1)['error'])
    p.note('acks 2', base(p.produce(t, good, acks=2)))
    p.note('unknown topic', base(p.produce('nobody-made-this-' + p.suffix, good)))
    p.note('partition out of range', base(p.produce(t, good, partition=9)))
    p.note('negative partition', base(p.produce(t, good, partition=-1)))
    p.note('wrong CRC', base(p.produce(t, batch([b'a'], crc=1))))
    p.note('count too high', p.produce(t, batch([b'a'], count=2))['error'])
    p.note('count 0', p.produce(t, batch([b'a'], count=0))['error'])
    p.note('last delta too high', p.produce(t, batch([b'a'], last_delta=5))['error'])
    p.note('deltas out of order', p.produce(t, batch([b'a', b'b'], deltas=[1, 0]))['error'])
    p.note('two batches', p.produce(t, good + good)['error'])
    p.note('no batch', p.produce(t, b'')['error'])
    p.note('control batch', p.produce(t, batch([b'a'], 1, 0, -1, attributes=32))['error'])
    p.note('id without epoch', p.produce(t, batch([b'a'], 1, -1, 0))['error'])
    p.note('id without sequence', p.produce(t, batch([b'a'], 1, 0, -1))['error'])
    p.note('gzip', p.produce(t, batch([b'a'] * 50, compress='gzip'))['error'])
    p.note('too large', base(p.produce(small, batch([b'a' * 300]))))
    p.note('just not too large', p.produce(small, batch([b'a' * 100]))['error'])
    p.note('compacted, with keys', p.produce(compacted, good)['error'])
    p.note('compacted, without a key', base(p.produce(compacted, batch([b'a'], keys=[None]))))
    p.note('compacted, gzip, without a key', base(p.produce(compacted, batch([b'a'], keys=[None], compress='gzip'))))
    p.note('12 hours ahead', base(p.produce(soon, batch([b'a'], timestamps=[int(time.time() * 1000) + 43200000]))))
    p.note('no timestamp', p.produce(t, batch([b'a'], timestamps=[-1]))['error'])
    p.group('produce')
    p.note('internal topic', p.produce('__consumer_offsets', good)['error'])
    p.send('Produce', 7, acks=0, topics=[{'name': t, 'partitions': [{'index': 1, 'records': good}]}])
    p.note('acks 0: the next answer is of the next request', p.produce(t, good, partition=1)['base_offset'])


@scenario
def list_offsets(p):
    t, empty = p.topic('list'), p.topic('list-empty')
    L = p.leader_epoch(t)
    def seen(answer): return {k: ('L' if v == L and k == 'epoch' else v) for k, v in answer.items()}
    for mark in (-1, -2, -3, 0, 5): p.note(f'empty: {mark}', seen(p.offset(empty, mark, version=7)))
    p.produce(t, batch([b'a', b'b', b'c'], timestamps=[100, 300, 200]))
    p.produce(t, batch([b'd', b'e', b'f'], timestamps=[250, 500, 400], compress='gzip'))
    p.produce(t, batch([b'g'], timestamps=[450]))
    for version in range(1, 11): p.note(f'v{version}: 250', seen(p.offset(t, 250, version=version)))
    for mark in (-1, -2): p.note(f'mark {mark}', seen(p.offset(t, mark)))
    p.note('largest timestamp', seen(p.offset(t, -3, version=7)))
    p.note('earliest local', seen(p.offset(t, -4, version=8)))
    for when in (0, 99, 100, 101, 201, 300, 301, 401, 450, 500, 501, 10**15): p.note(f'time {when}', seen(p.offset(t, when)))
    p.note('unknown partition', seen(p.offset(t, -1, partition=7)))
    p.note('unknown topic', seen(p.offset('nobody-made-this-' + p.suffix, -1)))
    p.note('right epoch', seen(p.offset(t, -1, epoch=L)))
    p.note('newer epoch', seen(p.offset(t, -1, epoch=L + 1)))
    p.note('read committed', seen(p.offset(t, -1, isolation=1)))
    twice = [{'name': t, 'partitions': [{'index': 0, 'timestamp': -1}, {'index': 0, 'timestamp': -2}]}]
    p.note('a partition twice', [seen(x) for x in p.call('ListOffsets', 4, topics=twice)['topics'][0]['partitions']])


@scenario
def leader_epochs(p):
    t = p.topic('epochs')
    p.produce(t, batch([b'a', b'b']))
    L = p.leader_epoch(t)
    def ask(name, epoch, current=-1, topic=t, version=4, partition=0):
        part = p.call('OffsetForLeaderEpoch', version, replica_id=-1, topics=[
            {'name': topic, 'partitions': [{'index': partition, 'current': current, 'epoch': epoch}]}])['topics'][0]['partitions'][0]
        p.note(name, {k: ('L' if k == 'epoch' and v == L else v) for k, v in part.items()})
    for version in (2, 3, 4): ask(f'the current one, v{version}', L, version=version)
    ask('newer than any', L + 5)
    ask('none', -1)
    ask('with the right current', L, L)
    ask('with a newer current', L, L + 1)
    ask('unknown topic', 0, topic='nobody-made-this-' + p.suffix)
    ask('unknown partition', 0, partition=4)


@scenario
def fetch(p):
    t, empty = p.topic('fetch', 2), p.topic('fetch-empty')
    L = p.leader_epoch(t)
    big = [b'x' * 1000]
    for i in range(4): p.produce(t, batch([b'a', b'b', b'c'], timestamps=[100, 101, 102]))
    for i in range(3): p.produce(t, batch(big), partition=1)
    for version in range(4, 13): p.note(f'v{version}', p.fetch(t, 0, version=version))
    p.note('empty', p.fetch(empty, 0))
    p.note('at the end', p.fetch(t, 12))
    p.note('beyond the end', p.fetch(t, 13))
    p.note('below the start', p.fetch(t, -1))
    p.note('inside a batch', p.fetch(t, 4))
    p.note('few bytes: one whole batch all the same', p.fetch(t, 0, max_bytes=1, partition_max=1)['records'])
    p.note('bytes for two', p.fetch(t, 0, partition_max=2 * len(batch([b'a', b'b', b'c'])) + 30)['records'])
    p.note('read committed', p.fetch(t, 0, isolation=1))
    p.note('unknown topic', p.fetch('nobody-made-this-' + p.suffix, 0))
    p.note('unknown partition', p.fetch(t, 0, partition=5))
    p.note('right epoch', p.fetch(t, 0, epoch=L)['error'])
    p.note('newer epoch', p.fetch(t, 0, epoch=L + 1))
    two = [{'name': t, 'partitions': [{'index': i, 'offset': 0, 'max_bytes': 1} for i in (0, 1)]}]
    answer = p.call('Fetch', 11, max_bytes=1, min_bytes=0, max_wait=0, topics=two)
    p.note('two partitions, one byte: only the first', [len(x['records'] or b'') > 0 for x in answer['topics'][0]['partitions']])
    p.note('session: none', [answer['error'], answer['session_id']])
    answer = p.call('Fetch', 11, max_wait=0, session_id=123456, session_epoch=5, topics=[])
    p.note('session: unknown', [answer['error'], answer['session_id'], answer['topics']])
    began = time.monotonic()
    p.fetch(empty, 0, min_bytes=1, max_wait=300)
    p.note('waits for bytes', time.monotonic() - began > 0.25)
    with Connection(p.port) as other:
        number = other.send('Fetch', 11, min_bytes=1, max_wait=20000, max_bytes=1 << 20, topics=[
            {'name': empty, 'partitions': [{'index': 0, 'offset': 0}]}])
        p.produce(empty, batch([b'now']))
        began = time.monotonic()
        answer = other.receive('Fetch', 11, number)['topics'][0]['partitions'][0]
        p.note('woken by a produce', [answer['error'], answer['high_watermark'], len(answer['records']) > 0])
        p.note('woken long before its wait was over', time.monotonic() - began < 10)
    p.note('delete records', p.call('DeleteRecords', 1, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': 5}]}])['topics'])
    p.note('delete records: beyond', p.call('DeleteRecords', 1, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': 50}]}])['topics'][0]['partitions'])
    p.note('deleted: below the start', p.fetch(t, 0)['error'])
    p.note('deleted: from the start', p.fetch(t, 5))
    p.note('deleted: earliest', p.offset(t, -2)['offset'])


@scenario
def frames(p):
    """What closes a connection, and only that one."""
    def closed(send):
        with Connection(p.port) as other:
            send(other)
            try: other.read_exactly(1)
            except Closed: return True
            return False
    p.note('garbage', closed(lambda c: c.send_frame(b'\xff' * 40)))
    p.note('negative size', closed(lambda c: c.socket.sendall(b'\xff\xff\xff\xff' + b'x' * 20)))
    p.note('huge size', closed(lambda c: c.socket.sendall(b'\x7f\xff\xff\xff' + b'x' * 20)))
    p.note('unknown api', closed(lambda c: c.send_frame(struct.pack('>hhih', 999, 0, 1, -1))))
    p.note('cut request', closed(lambda c: c.send_frame(struct.pack('>hhih', 3, 1, 1, -1) + b'\0\0\0\7')))
    p.note('unknown version', closed(lambda c: c.send_frame(struct.pack('>hhih', 3, 99, 1, -1) + b'\0\0')))
    p.note('empty frame', closed(lambda c: c.send_frame(b'')))
    p.note('others live', p.call('ApiVersions', 0)['error'])
    answer = p.call('ApiVersions', 99)
    p.note('ApiVersions 99', [answer['error'], [a for a in answer['apis'] if a['key'] == 18]])
    p.note('ApiVersions 3, a bad name', p.call('ApiVersions', 3, software='-bad', software_version='1')['error'])
    for api in ('Produce', 'JoinGroup', 'SyncGroup', 'Heartbeat', 'LeaveGroup', 'FindCoordinator', 'InitProducerId', 'Metadata'):
        p.note(f'{api} begins at', [a['first'] for a in p.call('ApiVersions', 0)['apis'] if a['key'] == SCHEMAS[api][0]][0])

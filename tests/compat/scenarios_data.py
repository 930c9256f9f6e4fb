"""Raw scenarios of records: what is refused, and what is given back. See scenarios.py."""
import struct, zlib
from batches import batch, crc32c, varint
from raw import Closed, Connection
from scenarios import poll, scenario, shape

NOBODY = 'nobody-made-this-'


def message_set(magic, value=b'old'):
    """One message as clients sent it before record batches."""
    body = bytes([magic, 0]) + (struct.pack('>q', 1_700_000_000_000) if magic else b'') + struct.pack('>i', -1) + struct.pack('>i', len(value)) + value
    message = struct.pack('>I', zlib.crc32(body)) + body
    return struct.pack('>qi', 0, len(message)) + message


def with_records(records, attributes, count, timestamp=1_700_000_000_000, max_timestamp=None, producer=(-1, -1, -1)):
    """A batch whose records are given as bytes."""
    covered = struct.pack('>hiqqqhii', attributes, count - 1, timestamp, timestamp if max_timestamp is None else max_timestamp, *producer, count) + records
    return struct.pack('>qiibI', 0, 9 + len(covered), -1, 2, crc32c(covered)) + covered


def one_record(value=b'v', delta=0, tail=b''):
    body = b'\0' + varint(0) + varint(delta) + varint(1) + b'k' + varint(len(value)) + value + varint(0) + tail
    return varint(len(body)) + body


@scenario
def produce_refusals(p):
    """Batches that are bent: the whole answer."""
    t, good = p.topic('refusals', 2), batch([b'a', b'b'])
    def send(name, records, version=9, topic=t, **more): p.note(name, shape(p, p.produce(topic, records, version=version, **more)))
    for version in (3, 9):
        send(f'magic 0, v{version}', message_set(0), version)
        send(f'magic 1, v{version}', message_set(1), version)
        send(f'wrong CRC, v{version}', batch([b'a'], crc=1), version)
        send(f'two batches, v{version}', good + good, version)
        send(f'no bytes, v{version}', b'', version)
        send(f'zstd, v{version}', with_records(b'', 4, 1), version)
    send('magic 3', good[:16] + b'\3' + good[17:])
    send('cut short', good[:-5])
    send('header only', good[:61])
    send('eleven bytes', good[:11])
    send('length 0', good[:8] + b'\0\0\0\0' + good[12:])
    send('length negative', good[:8] + b'\xff\xff\xff\xff' + good[12:])
    send('length too large', good[:8] + struct.pack('>i', len(good) + 100) + good[12:])
    for codec in (1, 2, 3, 4, 5, 7): send(f'codec {codec} of what is none', with_records(b'no such bytes', codec, 1))
    send('compressed, count too high', batch([b'a', b'b'], compress='gzip', count=3, last_delta=2))
    send('compressed, count too low', batch([b'a', b'b'], compress='gzip', count=1, last_delta=0))
    send('compressed, nothing inside', with_records(zlib.compress(b'', wbits=31), 1, 1))
    send('count too low', batch([b'a', b'b'], count=1, last_delta=0))
    send('count negative', batch([b'a'], count=-1))
    send('last delta negative', batch([b'a'], last_delta=-1))
    send('a record longer than the batch', with_records(varint(100) + b'short', 0, 1))
    send('a record of negative length', with_records(varint(-5), 0, 1))
    send('bytes after the fields of a record', with_records(one_record(tail=b'xyz'), 0, 1))
    send('bytes behind the last record', with_records(one_record() + b'xyz', 0, 1))
    send('negative producer id', batch([b'a'], -5, 0, 0))
    send('transactional, without an id', batch([b'a'], attributes=16))
    send('control', batch([b'a'], 4711, 0, 0, attributes=32))
    send('timestamp -2', batch([b'a'], timestamps=[-2]))
    send('acks 5', good, acks=5)
    send('acks 5, unknown topic', good, acks=5, topic=NOBODY + p.suffix)
    send('acks -2', good, acks=-2)
    send('unknown topic', good, topic=NOBODY + p.suffix)
    send('a name that is none', good, topic='a b')
    send('the empty name', good, topic='')
    send('partition out of range', good, partition=2)
    for version in range(3, 12): send(f'key missing where it is needed, v{version}', batch([b'a', b'b'], keys=[b'k', None]), version, topic=compacted(p))
    p.note('and then a good one', p.produce(t, good)['error'])


def compacted(p):
    if not hasattr(p, '_compacted'): p._compacted = p.topic('compacted', cleanup_policy='compact')
    return p._compacted


@scenario
def produce_many(p):
    """Several topics and partitions in one request; some of them bad."""
    a, b, good = p.topic('many-a', 3), p.topic('many-b'), batch([b'a', b'b'])
    def part(index, records=good): return {'index': index, 'records': records}
    def answers(topics, version=9, **more):
        got = p.call('Produce', version, topics=topics, **more)['topics']
        return [[x['name'], sorted([shape(p, y) for y in x['partitions']], key=lambda y: y['index'])] for x in sorted(got, key=lambda x: x['name'])]
    p.note('good and bad', answers([{'name': a, 'partitions': [part(0), part(1, batch([b'x'], crc=1)), part(9)]}, {'name': NOBODY + p.suffix, 'partitions': [part(0)]},
                                    {'name': b, 'partitions': [part(0)]}]))
    p.note('no topics', answers([]))
    p.note('no time', answers([{'name': a, 'partitions': [part(2)]}], timeout_ms=0, acks=1))
    with Connection(p.port) as other:
        other.send('Produce', 9, acks=0, topics=[{'name': NOBODY + p.suffix, 'partitions': [part(0)]}])
        try:
            other.call('ApiVersions', 0)
            p.note('acks 0, refused: closed', False)
        except (Closed, OSError): p.note('acks 0, refused: closed', True)


@scenario
def timestamps(p):
    """What of a batch's times is kept, and what the log puts in itself."""
    stamped, old = p.topic('stamped', message_timestamp_type='LogAppendTime'), p.topic('old', message_timestamp_before_max_ms=1000)
    plain = p.topic('plain')
    answer = p.produce(stamped, batch([b'a', b'b']), version=9)
    p.note('stamped: the answer has the time', [answer['error'], answer['append_time'] > 1_700_000_000_000])
    p.note('stamped: gzip', p.produce(stamped, batch([b'a', b'b'], compress='gzip'))['error'])
    raw = p.records(stamped)
    p.note('stamped: attributes', [[struct.unpack('>h', x[21:23])[0], struct.unpack('>I', x[17:21])[0] == crc32c(x[21:])] for x in raw])
    p.note('stamped: max timestamp is the append time', struct.unpack('>q', raw[0][35:43])[0] == answer['append_time'])
    p.note('stamped: base timestamp stays', struct.unpack('>q', raw[0][27:35])[0])
    p.note('stamped: lookup before', [p.offset(stamped, 0)['offset'], p.offset(stamped, answer['append_time'])['offset'], p.offset(stamped, answer['append_time'] + 10**9)['offset']])
    p.note('client claims append time', shape(p, p.produce(plain, batch([b'a'], attributes=8), version=9)))
    p.note('too old', shape(p, p.produce(old, batch([b'a']), version=9)))
    p.note('max timestamp too low', p.produce(plain, with_records(one_record(), 0, 1, max_timestamp=5))['error'])
    p.note('max timestamp too high', p.produce(plain, with_records(one_record(), 0, 1, max_timestamp=1_700_000_009_999))['error'])
    p.note('max timestamp too low, gzip', p.produce(plain, with_records(zlib.compress(one_record(), wbits=31), 1, 1, max_timestamp=5))['error'])
    p.note('max timestamps that are kept', [struct.unpack('>q', x[35:43])[0] for x in p.records(plain)])
    p.note('CRCs', [struct.unpack('>I', x[17:21])[0] == crc32c(x[21:]) for x in p.records(plain)])
    p.note('looked up', [p.offset(plain, x)['offset'] for x in (0, 6, 1_700_000_000_000, 1_700_000_000_001)])
    p.note('largest', shape(p, p.offset(plain, -3, version=7)))


@scenario
def stored_compression(p):
    """compression.type of a topic against what a producer sends."""
    for codec in ('uncompressed', 'gzip', 'snappy', 'lz4', 'zstd', 'producer'):
        t = p.topic('codec-' + codec, compression_type=codec)
        errors = [p.produce(t, batch([b'x' * 100] * 5, compress=c))['error'] for c in (None, 'gzip')]
        p.note(codec, [errors, [struct.unpack('>h', x[21:23])[0] for x in p.records(t)], [struct.unpack('>I', x[17:21])[0] == crc32c(x[21:]) for x in p.records(t)]])


@scenario
def marks(p):
    """ListOffsets' special timestamps in the versions that know them and those that do not."""
    t = p.topic('marks')
    p.produce(t, batch([b'a', b'b', b'c'], timestamps=[100, 300, 200]))
    for mark in (-1, -2, -3, -4, -5, -6, -7, -100):
        for version in (1, 3, 4, 6, 7, 8, 9, 10): p.note(f'{mark}, v{version}', shape(p, p.offset(t, mark, version=version)))
    p.note('no topics', p.call('ListOffsets', 5, topics=[])['topics'])
    p.note('negative partition', shape(p, p.offset(t, -1, partition=-1)))
    p.note('a name that is none', shape(p, p.offset('a b', -1)))
    for replica in (-2, 0, 1, 7): p.note(f'replica {replica}', shape(p, p.offset(t, -1, replica_id=replica)))
    p.note('older epoch', shape(p, p.offset(t, -1, epoch=-5)))


@scenario
def fetches(p):
    """Limits, sessions and mixtures."""
    t, u = p.topic('fetches', 3), p.topic('fetches-u')
    for i in range(3): p.produce(t, batch([b'a', b'b']))
    p.produce(u, batch([b'x' * 3000]))
    def ask(topics, version=11, **more):
        return p.call('Fetch', version, **{'max_bytes': 1 << 20, 'min_bytes': 0, 'max_wait': 0, 'topics': topics, **more})
    def sizes(answer): return [answer['error'], sorted([x['name'], y['index'], y['error'], len(y['records'] or b'')] for x in answer['topics'] for y in x['partitions'])]
    def part(index, offset=0, **more): return {'index': index, 'offset': offset, **more}
    p.note('good and bad', sizes(ask([{'name': t, 'partitions': [part(0), part(9), part(1, 5)]}, {'name': NOBODY + p.suffix, 'partitions': [part(0)]}, {'name': u, 'partitions': [part(0)]}])))
    p.note('nothing asked', sizes(ask([])))
    p.note('max bytes 0', sizes(ask([{'name': t, 'partitions': [part(0)]}], max_bytes=0)))
    p.note('max bytes negative', sizes(ask([{'name': t, 'partitions': [part(0)]}], max_bytes=-1)))
    p.note('partition max 0', sizes(ask([{'name': t, 'partitions': [part(0, max_bytes=0)]}])))
    p.note('partition max negative', sizes(ask([{'name': t, 'partitions': [part(0, max_bytes=-1)]}])))
    p.note('min bytes beyond max', sizes(ask([{'name': t, 'partitions': [part(0)]}], min_bytes=1 << 20, max_bytes=200)))
    p.note('max wait negative', sizes(ask([{'name': t, 'partitions': [part(1)]}], min_bytes=1, max_wait=-5)))
    p.note('isolation 7', sizes(ask([{'name': t, 'partitions': [part(0)]}], isolation=7)))
    p.note('an error answers at once', sizes(ask([{'name': t, 'partitions': [part(9)]}], min_bytes=1, max_wait=20000)))
    p.note('out of range answers at once', sizes(ask([{'name': t, 'partitions': [part(1, 77)]}], min_bytes=1, max_wait=20000)))
    p.note('a name that is none', sizes(ask([{'name': 'a b', 'partitions': [part(0)]}])))
    for version in (4, 5, 6, 7, 9, 11, 12):
        full = p.call('Fetch', version, max_bytes=1 << 20, min_bytes=0, max_wait=0, topics=[{'name': t, 'partitions': [part(0), part(9), part(1, 9), part(2)]}])
        parts = sorted((y for x in full['topics'] for y in x['partitions']), key=lambda y: y['index'])
        p.note(f'whole answer v{version}', shape(p, [{**y, 'aborted': y['aborted'] or []} for y in parts]))
    one = [{'name': t, 'partitions': [part(0)]}]
    p.note('session epoch 3 without an id', sizes(ask(one, session_id=0, session_epoch=3)))
    p.note('unknown session, epoch 0: a new one', sizes(ask(one, session_id=98765, session_epoch=0)))
    p.note('unknown session, epoch -1: none', sizes(ask(one, session_id=98765, session_epoch=-1)))
    p.note('unknown session, epoch 2', sizes(ask(one, session_id=98765, session_epoch=2)))
    new = ask(one, session_id=0, session_epoch=0)
    p.note('a new session', sizes(new))
    if new['session_id']:  # whoever gives one must keep it
        p.ask_session = ask([], session_id=new['session_id'], session_epoch=1)
        assert p.ask_session['error'] == 0
    p.note('older epoch of the leader', p.fetch(t, 0, epoch=-3)['error'])
    p.note('last fetched epoch', p.fetch(t, 0, version=12)['error'])
    p.note('replica 7', ask(one, replica_id=7)['topics'][0]['partitions'][0]['error'])


@scenario
def epochs_of_leaders(p):
    t = p.topic('epochs-more')
    p.produce(t, batch([b'a', b'b']))
    L = p.leader_epoch(t)
    def ask(parts, version=4, **more):
        return shape(p, p.call('OffsetForLeaderEpoch', version, topics=[{'name': t, 'partitions': parts}], **more)['topics'])
    p.note('two of one', [[y['error'], y['end']] for y in ask([{'index': 0, 'epoch': L}, {'index': 5, 'epoch': L}])[0]['partitions']])
    p.note('none', ask([]))
    p.note('no topics', shape(p, p.call('OffsetForLeaderEpoch', 4, topics=[])['topics']))
    p.note('current -5', [y['error'] for y in ask([{'index': 0, 'epoch': L, 'current': -5}])[0]['partitions']])


@scenario
def odd_frames(p):
    """Requests that are almost right."""
    def outcome(body):
        with Connection(p.port) as other:
            other.send_frame(body)
            try: return struct.unpack('>i', other.read_exactly(struct.unpack('>i', other.read_exactly(4))[0])[:4])[0]
            except (Closed, OSError): return 'closed'
    head = lambda key, version, client=b'\xff\xff': struct.pack('>hhi', key, version, 7) + client
    p.note('null client', outcome(head(18, 0)))
    p.note('empty client', outcome(head(18, 0, b'\0\0')))
    p.note('client longer than the frame', outcome(head(18, 0, b'\0\x50')))
    p.note('client length -2', outcome(head(18, 0, b'\xff\xfe')))
    p.note('client is no UTF-8', outcome(head(18, 0, b'\0\2\xff\xfe')))
    p.note('bytes behind the request', outcome(head(18, 0) + b'xyz'))
    p.note('bytes behind Metadata', outcome(head(3, 1) + b'\0\0\0\0' + b'xyz'))
    p.note('version -1', outcome(head(3, -1) + b'\0\0\0\0'))
    p.note('ApiVersions version -1', outcome(head(18, -1)))
    p.note('ApiVersions 3 without its body', outcome(head(18, 3) + b'\0'))
    p.note('ApiVersions 9 without a body', outcome(head(18, 9)))
    p.note('api -1', outcome(head(-1, 0)))
    p.note('null where none may be', outcome(head(15, 0) + b'\xff\xff\xff\xff'))
    p.note('array longer than the frame', outcome(head(15, 0) + b'\0\0\0\x7f'))
    p.note('array of 2^31-1', outcome(head(15, 0) + b'\x7f\xff\xff\xff'))
    p.note('string of length -5', outcome(head(15, 0) + b'\0\0\0\1\xff\xfb'))
    p.note('unknown tags are skipped', outcome(head(18, 3) + b'\1\x63\3abc' + b'\2a\2b' + b'\1\x63\1z'))
    p.note('a tag longer than the frame', outcome(head(18, 3) + b'\1\x63\x40abc'))
    p.note('a varint that does not end', outcome(head(18, 3) + b'\0' + b'\xff' * 8))

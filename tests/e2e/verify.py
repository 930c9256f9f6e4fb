#!/usr/bin/env python3
"""Compares what lies in a log with what devices were given to say. librdkafka only; nothing here is shared with
the pipeline, so that a mistake of the pipeline is not repeated by its judge.

  verify.py --kafka HOST:PORT --topics a,b,c --site NAME (--house FILE... | --series ARCHIVE | --ledger FILE...)

  --house    rows of the recorded house (tsv.gz, in order): number N of device D is D's Nth row
  --series   the thermostats: a tar.zst of series; number N of a series is its Nth line
  --ledger   what firmware-sim wrote down: `made DEVICE BOOT NUMBER PAYLOAD`
  --with-gaps  events may be missing if gap records name them; without it nothing may be missing

Each expected event must be there exactly once with the content it was given, per sensor in order. Prints one
line of JSON; exit code 0 only if all holds.
"""
import argparse
import collections
import ctypes
import gzip
import io
import json
import struct
import sys
import tarfile

from confluent_kafka import Consumer, TopicPartition

HOUSE_COLUMNS = ('loc', 'level', 'name', 'epoch', 'capability', 'attribute', 'value', 'unit')
shown = collections.Counter()


class Number(str):
    """A number as it was written: 21.0 is not 21."""


def parse(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def complain(kind, text):
    shown[kind] += 1
    if shown[kind] <= 5:
        print(f'verify: {kind}: {text}', file=sys.stderr)


# ---- what is expected: {(device, number): (sensor, check)} -------------------------------------------------------
class House:
    """Content: every column as it stands in the file; `value` may have become a number, spelled the same."""

    def __init__(self, files, limit):
        self.rows, counts = {}, collections.Counter()
        for file in files:
            with gzip.open(file, 'rt', encoding='utf-8', newline='\n') as lines:
                next(lines)
                for line in lines:
                    if limit and len(self.rows) >= limit:
                        return
                    cells = line.rstrip('\n').split('\t')
                    counts[cells[2]] += 1
                    self.rows[cells[2], counts[cells[2]]] = cells

    def sensor(self, key):
        row = self.rows[key]
        return key[0], row[4], row[5]

    def same(self, key, value):
        return all(value.get(column) is not None and str(value[column]) == cell
                   for column, cell in zip(HOUSE_COLUMNS, self.rows[key]))


def unpack_zstd(path):
    """Through libzstd, which librdkafka needs anyway; Debian 12's Python has no module for it."""
    zstd = ctypes.CDLL('libzstd.so.1')
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    packed = open(path, 'rb').read()
    room = ctypes.create_string_buffer(64 * len(packed) + (1 << 20))
    size = zstd.ZSTD_decompress(room, len(room), packed, len(packed))
    if zstd.ZSTD_isError(ctypes.c_size_t(size)):
        raise SystemExit(f'verify: {path}: not zstd, or more than 64 times its packed size')
    return room.raw[:size]


class Series:
    def __init__(self, archive):
        self.rows = {}
        tar = tarfile.open(fileobj=io.BytesIO(unpack_zstd(archive)))
        for member in tar.getmembers():
            if not member.isfile():
                continue
            name = member.name.rsplit('/', 1)[-1].rsplit('.', 1)[0]
            lines = tar.extractfile(member).read().decode().splitlines()
            for number, line in enumerate((line for line in lines if line), 1):
                self.rows[name, number] = line.split('\t')

    def sensor(self, key):
        return key[0]

    def same(self, key, value):
        time, reading = self.rows[key]
        return str(value.get('time')) == time and str(value.get('value')) == reading


class LedgerFiles:
    """Content: what the payload says of temperature, setpoint, event, person... must be found in the value."""
    RENAMED = {'temperature': 'temperature_c', 'setpoint': 'setpoint_c', 'valve': 'valve_percent'}
    DROPPED = ('boot', 'n', 't', 'kind')

    def __init__(self, files):
        self.rows = {}
        for file in files:
            for line in open(file, encoding='utf-8'):
                what, device, boot, number, *rest = line.rstrip('\n').split('\t')
                if what == 'made':
                    self.rows[device, int(boot), int(number)] = parse(rest[0])

    def sensor(self, key):
        return key[0], key[1]

    def same(self, key, value):
        return all(value.get(self.RENAMED.get(name, name)) == item for name, item in self.rows[key].items()
                   if name not in self.DROPPED)


# ---- what is there -----------------------------------------------------------------------------------------------
def read_topic(kafka, topic):
    """All records of all partitions: (partition, offset, key, value, headers)."""
    consumer = Consumer({'bootstrap.servers': kafka, 'group.id': 'verify', 'enable.auto.commit': False,
                         'auto.offset.reset': 'earliest', 'enable.partition.eof': False, 'check.crcs': True})
    metadata = consumer.list_topics(topic, 20).topics[topic]
    ends = {}
    for partition in metadata.partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
        if high > low:
            ends[partition] = high
    consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
    left, idle = dict(ends), 0
    while left:
        messages = consumer.consume(5_000, 1)
        idle = 0 if messages else idle + 1
        if idle > 30:
            raise SystemExit(f'verify: {topic}: no records for 30 s below the end {left}')
        for message in messages:
            if message.error():
                raise SystemExit(f'verify: {topic}: {message.error()}')
            yield message.partition(), message.offset(), message.key(), message.value(), dict(message.headers() or [])
            if message.partition() in left and message.offset() >= left[message.partition()] - 1:
                del left[message.partition()]
        if not messages:  # a marker may stand at the end, which no consumer is given
            for at in consumer.position([TopicPartition(topic, p) for p in left]):
                if at.offset >= left[at.partition]:
                    del left[at.partition]
    consumer.close()


class Indices:
    """Each event has an index in its agent's stream, from 0 and without a hole, which the first record of a batch
    carries; what is not there must be named by a gap, and what is there must not."""

    def __init__(self):
        self.seen = collections.defaultdict(list)   # (topic, the agent's 30 bits in its ids) -> indices
        self.named = collections.defaultdict(list)  # likewise -> (first, last)
        self.next = {}                              # partition -> (line, index) of the next record of a batch

    def take(self, topic, partition, headers):
        if 'edgelog.origin' in headers:
            origin, index = struct.unpack('>qq', headers['edgelog.origin'])
            self.next[partition] = (topic, origin >> 32), index
        if partition in self.next:
            line, index = self.next[partition]
            self.seen[line].append(index)
            self.next[partition] = line, index + 1

    def name(self, gap):
        if 'origin' in gap and 'first' in gap:
            self.named[gap['stream'], int(gap['origin']) >> 32].append((int(gap['first']), int(gap['last'])))

    def judge(self):
        holes = named_though_there = 0
        for line, indices in self.seen.items():
            there = set(indices)
            named = {index for first, last in self.named[line] for index in range(first, last + 1)}
            end = max(max(there), max(named, default=0)) + 1
            holes += sum(index not in there and index not in named for index in range(end))
            named_though_there += len(there & named)
            if holes:
                complain('index', f'{line}: {holes} indices below {end} are neither there nor named')
        return holes, named_though_there


class Seen:
    def __init__(self, expected, site, with_boot):
        self.expected, self.site, self.with_boot = expected, site, with_boot
        self.count = collections.Counter()
        self.indices = Indices()
        self.last = {}                                   # sensor -> (topic, partition, number)
        self.records = self.fences = self.late = self.unknown = self.wrong = self.disorder = 0

    def take(self, topic, partition, offset, key, value, headers):
        where = f'{topic}/{partition}@{offset}'
        if 'edgelog.fence' in headers:
            self.fences += 1
            return
        self.records += 1
        self.indices.take(topic, partition, headers)
        self.late += 'edgelog.late' in headers
        device = key.decode()
        if not device.startswith(self.site + '/'):
            self.unknown += 1
            return complain('key', f'{where}: {device}')
        device = device[len(self.site) + 1:]
        try:
            number, boot = int(headers['edgelog.number']), int(headers['edgelog.boot'])
            event = (device, boot, number) if self.with_boot else (device, number)
            body = parse(value)
        except (KeyError, ValueError) as error:
            self.wrong += 1
            return complain('unreadable', f'{where}: {error!r} {value!r}')
        if event not in self.expected.rows:
            self.unknown += 1
            return complain('never said', f'{where}: {event}')
        self.count[event] += 1
        if self.count[event] > 1:
            return complain('repeated', f'{where}: {event}')
        if not self.expected.same(event, body):
            self.wrong += 1
            complain('content', f'{where}: {event}: {value!r}, expected {self.expected.rows[event]}')
        sensor = self.expected.sensor(event)
        before = self.last.get(sensor, (topic, partition, 0))
        if 'edgelog.late' not in headers:
            if before[:2] != (topic, partition) or before[2] >= number:
                self.disorder += 1
                complain('order', f'{where}: {sensor} number {number} after {before}')
            self.last[sensor] = (topic, partition, number)


def named_by_gaps(kafka, missing, with_boot, indices):
    """Takes what gap records name out of `missing`; returns counts by reason and what streams dropped by number."""
    reasons, streams = collections.Counter(), collections.Counter()
    explained = set()
    seen_ranges = set()
    for _, _, _, value, headers in read_topic(kafka, 'edgelog.gaps'):
        if 'edgelog.fence' in headers:
            continue
        gap = parse(value)
        if 'source' in gap:
            device = gap['source']
            first, last = int(gap['source_first']), int(gap['source_last'])
            reasons[gap['reason']] += last - first + 1
            for event in list(missing.get(device, ())):
                if first <= event[-1] <= last and (not with_boot or str(event[1]) == str(gap['incarnation'])):
                    explained.add(event)
        else:
            mark = (gap['agent'], gap['stream'], gap['origin'], gap.get('first'), gap.get('last'))
            if mark in seen_ranges:
                complain('gap twice', str(gap))
            seen_ranges.add(mark)
            indices.name(gap)
            count = int(gap.get('count', 0))
            reasons[gap['reason']] += count
            streams[gap['agent'], gap['stream']] += count
    return reasons, streams, explained


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kafka', required=True)
    parser.add_argument('--topics', required=True)
    parser.add_argument('--site', required=True)
    parser.add_argument('--house', nargs='*')
    parser.add_argument('--limit', type=int, default=0, help='only that many rows of the house were played')
    parser.add_argument('--series')
    parser.add_argument('--ledger', nargs='*')
    parser.add_argument('--with-gaps', action='store_true')
    args = parser.parse_args()
    if args.house:
        expected, with_boot = House(args.house, args.limit), False
    elif args.series:
        expected, with_boot = Series(args.series), False
    else:
        expected, with_boot = LedgerFiles(args.ledger), True
    seen = Seen(expected, args.site, with_boot)
    for topic in args.topics.split(','):
        for record in read_topic(args.kafka, topic):
            seen.take(topic, *record)
    missing = [event for event in expected.rows if event not in seen.count]
    repeated = sum(count - 1 for count in seen.count.values() if count > 1)
    result = {'expected': len(expected.rows), 'records': seen.records, 'missing': len(missing), 'repeated': repeated,
              'wrong': seen.wrong, 'unknown': seen.unknown, 'disorder': seen.disorder, 'fences': seen.fences,
              'late': seen.late}
    unexplained = len(missing)
    reasons, streams, explained = named_by_gaps(args.kafka, by_device(missing), with_boot, seen.indices)
    result['gaps'] = dict(reasons)
    if args.with_gaps:
        # A source's gap names numbers; a stream's gap names how many of the stream's events were dropped.
        result['named_by_source_gaps'] = len(explained)
        result['named_by_stream_gaps'] = sum(streams.values())
        unexplained = len(missing) - len(explained) - sum(streams.values())
    result['unexplained'] = unexplained
    result['index_holes'], result['named_though_there'] = seen.indices.judge()
    for event in missing[:5] if not args.with_gaps else []:
        complain('missing', str(event))
    good = not (repeated or seen.wrong or seen.unknown or seen.disorder or unexplained or result['index_holes'] or
                result['named_though_there'])
    if not args.with_gaps and reasons:
        complain('gaps', f'nothing was lost, and yet there are gaps: {dict(reasons)}')
        good = False
    result['good'] = good
    print(json.dumps(result))
    return 0 if good else 1


def by_device(events):
    devices = collections.defaultdict(list)
    for event in events:
        devices[event[0]].append(event)
    return devices


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
"""The same random requests, valid and slightly bent, to cloud-broker and to Apache Kafka 4.3.0; where the answers
differ, the call and both answers are printed.

    differential.py --bin build/dev/bin --seeds 1..20            both are started, on ports and folders of their own
    differential.py --ports 21092,21192 --seeds 7 --calls 200    two that run already, Apache Kafka first

What is meant to differ (docs/PROTOCOL.md) is not asked for. Ends with the count of calls and of differences."""
import argparse, os, random, re, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from batches import batch
from raw import Closed, Connection
from scenarios import poll, shape
from scenarios_data import message_set

CONFIGS = [('retention.ms', ('-1', '0', '100000', '-2', 'x', '9223372036854775807')), ('cleanup.policy', ('delete', 'compact', 'compact,delete', '', 'none')),
           ('max.message.bytes', ('0', '300', '1048588', '-1')), ('message.timestamp.type', ('CreateTime', 'LogAppendTime', 'x')), ('min.insync.replicas', ('1', '0', '2')),
           ('segment.ms', ('1', '0', '100000')), ('compression.type', ('producer', 'gzip', 'zstd', 'uncompressed', 'lzo')), ('retention.bytes', ('-1', '1000000', '-5')),
           ('message.timestamp.after.max.ms', ('7200000', '3600000', '-1')), ('message.timestamp.before.max.ms', ('3600000', '9223372036854775807')), ('preallocate', ('true', 'maybe')),
           ('delete.retention.ms', ('0', '86400000')), ('file.delete.delay.ms', ('0', '-1')), ('unclean.leader.election.enable', ('true', 'false')), ('no.such', ('1',)),
           ('flush.messages', ('1', '0')), ('index.interval.bytes', ('0', '4096')), ('max.compaction.lag.ms', ('0', '1', '100')), ('min.compaction.lag.ms', ('0', '200')), ('segment.jitter.ms', ('0', '5'))]
NAMES = ('a b', '', '.', 'x' * 249, 'x' * 250, '__consumer_offsets', 'ünï')


class Side:
    """One of the two logs, and what it called things."""

    def __init__(self, port): self.port, self.connection, self.members, self.ids = port, Connection(port), {}, {}

    def call(self, api, version, **values):
        try: return self.connection.call(api, version, **values)
        except (Closed, OSError):
            self.connection.close()
            self.connection = Connection(self.port)
            return {'error': 'closed'}


class Run:
    def __init__(self, seed, sides, versions):
        self.r, self.seed, self.sides, self.versions = random.Random(seed), seed, sides, versions
        self.topics, self.groups, self.sequences = [], [f'dg{i}-{seed}-{os.getpid()}' for i in range(3)], {}
        self.entered = {''}
        self.made, self.log, self.history, self.calls = 0, [], [], 0
        self.now = int(time.time() * 1000)
        for side in sides: side.members = {}

    def version(self, api, low=0, high=99):
        first, last = self.versions[api]
        return self.r.randint(max(first, low), min(last, high))

    def topic(self): return self.r.choice(self.topics) if self.topics and self.r.random() < .93 else self.r.choice(NAMES[:4] + (f'none-{self.seed}',))
    def partition(self): return self.r.choice((0, 0, 0, 1, 1, 2, 3, -1))
    def maybe(self, chance=.5): return self.r.random() < chance

    def both(self, api, version, keep=None, settle=None, **values):
        """Makes the call on both sides; `values` may be functions of the side."""
        self.calls += 1
        answers = []
        for side in self.sides:
            answer = side.call(api, version, **{k: v(side) if callable(v) else v for k, v in values.items()})
            if keep: keep(side, answer)
            if settle: settle(side, answer)
            answers.append(answer)
        seen = [ordered(shape(None, {**a, **({'leader': 'MEMBER'} if a.get('leader') and isinstance(a['leader'], str) else {})})) for a in answers]
        self.log.append(f'{api} v{version} ' + ' '.join(f'{k}={short(v(self.sides[0]) if callable(v) else v)}' for k, v in values.items()))
        self.history.append((values.get('group'), self.log[-1], seen[0].get('error')))
        return seen

    # One method a call; each gives both answers.
    def create(self):
        self.made += 1
        name = f'd{self.made}-{self.seed}-{os.getpid()}' if self.maybe(.85) else self.r.choice(NAMES + tuple(self.topics))
        topic = {'name': name, 'partitions': self.r.choice((1, 1, 2, 3, 3, -1, 0, -2)), 'replication': self.r.choice((1, 1, 1, 1, -1, 0, 2)),
                 'configs': [{'name': n, 'value': self.r.choice(v)} for n, v in self.r.sample(CONFIGS, self.r.choice((0, 0, 1, 2)))]}
        if self.maybe(.15): topic.update(partitions=self.r.choice((-1, -1, 1)), replication=-1, assignments=[{'index': i, 'brokers': [1]} for i in self.r.choice(((0,), (0, 1), (0, 2), (0, 0), (1,)))])
        only = self.maybe(.2)

        def settle(side, answer):
            one = answer['topics'][0]
            if one['error'] or only: return
            poll(lambda: all(not x['error'] for x in self.described(side, name)['partitions']) and not self.described(side, name)['error'])
            for index in range(len(self.described(side, name)['partitions'])):
                poll(lambda: side.call('ListOffsets', 4, topics=[{'name': name, 'partitions': [{'index': index, 'timestamp': -1}]}])['topics'][0]['partitions'][0]['error'] == 0)
            if name not in self.topics: self.topics.append(name)
        seen = self.both('CreateTopics', self.version('CreateTopics'), settle=settle, topics=[topic], validate_only=only and self.versions['CreateTopics'][0] <= 1)
        for one in seen:
            for made in one['topics']:
                if made.get('configs'): made['configs'] = len(made['configs']) > 20
        return seen

    def described(self, side, name): return side.call('Metadata', 7, topics=[{'name': name}])['topics'][0]

    def delete(self):
        if len(self.topics) < 4: return self.create()
        name = self.topic()
        def settle(side, answer):
            if answer['topics'][0]['error'] == 0: poll(lambda: self.described(side, name)['error'] == 3)
        seen = self.both('DeleteTopics', self.version('DeleteTopics', 1, 5), settle=settle, names=[name])
        if name in self.topics: self.topics.remove(name)
        return seen

    def grow(self):
        name, count = self.topic(), self.r.choice((0, 1, 2, 3, 4, -1, 100000))
        def settle(side, answer):
            if answer['topics'][0]['error'] == 0: poll(lambda: len(self.described(side, name)['partitions']) == count and not any(p['error'] for p in self.described(side, name)['partitions']))
        return self.both('CreatePartitions', self.version('CreatePartitions'), settle=settle, topics=[{'name': name, 'count': count if count < 1000 else -7, 'assignments': None}])

    def produce(self):
        name, kind, values = self.topic(), self.r.randrange(26), [b'v' * self.r.choice((1, 5, 100)) for _ in range(self.r.choice((1, 1, 2, 4)))]
        when = [self.r.choice((self.now - 10**9, self.now - 1000, self.now, 0)) + i for i in range(len(values))]
        more = {'timestamps': when, 'compress': self.r.choice((None, None, 'gzip'))}
        if kind == 0: more['crc'] = 5
        if kind == 1: more['attributes'] = 8
        if kind == 2: more['count'] = len(values) + 1
        if kind == 3: more['last_delta'] = 9
        if kind == 4: more['keys'] = [None] * len(values)
        if kind == 5: more['timestamps'] = [-1] * len(values)
        if kind == 6: more['timestamps'] = [self.now + 1_800_000 + i for i in range(len(values))]
        if kind == 7: more['attributes'] = 32; more['compress'] = None; more.update(producer=5, epoch=0, sequence=0)
        if 8 <= kind <= 13:
            id = self.r.choice((9001, 9002)) + self.seed * 10
            key = (name, id)
            at = self.sequences.get(key, 0)
            more.update(producer=id, epoch=0, sequence=max(0, at + self.r.choice((0, 0, 0, 0, 1, -1, 7))))
            self.sequences[key] = more['sequence'] + len(values)
        data = batch(values, **more)
        if kind == 15: data = message_set(1)
        if kind == 16: data = message_set(0)
        if kind == 17: data = b''
        if kind == 18: data = data + data
        if kind == 19: data = data[:-3]
        return self.both('Produce', self.version('Produce', 3), acks=self.r.choice((-1, -1, -1, 1, 2)), timeout_ms=self.r.choice((5000, 30000)),
                         topics=[{'name': name, 'partitions': [{'index': self.partition(), 'records': data}]}])

    def fetch(self):
        parts = [{'index': self.partition(), 'offset': self.r.choice((0, 0, 0, 1, 2, 3, 5, 10, -1)), 'epoch': self.r.choice((-1, -1, -1, 9999)), 'max_bytes': self.r.choice((1 << 20, 1, 300))}]
        return self.both('Fetch', self.version('Fetch', 4, 12), max_bytes=1 << 20, min_bytes=0, max_wait=0, isolation=self.r.choice((0, 1)),
                         topics=[{'name': self.topic(), 'partitions': parts}])

    def offsets(self):
        when = self.r.choice((-1, -1, -2, -3, -4, -5, -6, 0, self.now - 10**9, self.now - 1000, self.now, self.now + 10**11))
        return self.both('ListOffsets', self.version('ListOffsets', 1), isolation=self.r.choice((0, 1)),
                         topics=[{'name': self.topic(), 'partitions': [{'index': self.partition(), 'timestamp': when, 'epoch': self.r.choice((-1, -1, 9999))}]}])

    def metadata(self):
        seen = self.both('Metadata', self.version('Metadata', 1), topics=[{'name': self.topic()}])
        for one in seen:
            for topic in one['topics']: topic['partitions'].sort(key=lambda p: p['index'])
        return seen

    def leader_epochs(self):
        return self.both('OffsetForLeaderEpoch', self.version('OffsetForLeaderEpoch'), topics=[{'name': self.topic(), 'partitions': [{'index': self.partition(), 'current': self.r.choice((-1, -1, 9999)), 'epoch': self.r.choice((-1, 9999))}]}])

    def configs(self):
        names = [n for n, _ in self.r.sample(CONFIGS, 3) if n not in ('message.timestamp.after.max.ms', 'min.insync.replicas')]
        return self.both('DescribeConfigs', self.version('DescribeConfigs', 1), resources=[{'type': 2, 'name': self.topic(), 'keys': names or ['retention.ms']}], synonyms=False)

    def alter(self):
        name = self.r.choice(self.topics or ['none'])
        changes = [{'name': n, 'operation': self.r.choice((0, 0, 0, 1, 2, 3)), 'value': self.r.choice(v)} for n, v in self.r.sample(CONFIGS, self.r.choice((1, 1, 2)))]
        for change in changes:
            if change['operation'] == 1: change['value'] = None
        def settle(side, answer): time.sleep(.05)
        return self.both('IncrementalAlterConfigs', self.version('IncrementalAlterConfigs'), settle=settle, resources=[{'type': 2, 'name': name, 'configs': changes}], validate_only=self.maybe(.3))

    def delete_records(self):
        return self.both('DeleteRecords', self.version('DeleteRecords'), topics=[{'name': self.topic(), 'partitions': [{'index': self.partition(), 'offset': self.r.choice((-1, 0, 1, 2, 5, 99, -2))}]}])

    def member(self): return self.r.choice((1, 1, 1, 2, 3))
    def of(self, group, number): return lambda side: side.members.get((group, number), '' if number == 3 else 'nobody')
    def group(self): return self.r.choice(self.groups) if self.maybe(.95) else ''

    def join(self):
        group, number, v = self.group(), 1, self.version('JoinGroup')
        instance = f'i{number}' if v >= 5 and self.maybe(.2) else None
        protocols = [{'name': n, 'metadata': b'm'} for n in self.r.choice((('range',), ('range', 'rr'), ('rr', 'range'), ('rr',), ()))]
        def keep(side, answer):
            if answer.get('member'): side.members[(group, number)] = answer['member']
        fresh, fits = self.maybe(.1), group not in self.entered  # a group that only refused joins named is left by Kafka
        if fits: protocols = protocols or [{'name': 'range', 'metadata': b'm'}]
        self.entered.add(group)
        known = self.of(group, number)
        return self.both('JoinGroup', v, keep=keep, group=group, member=(lambda side: '' if fresh else known(side) if known(side) != 'nobody' else ''), type='consumer' if fits else self.r.choice(('consumer',) * 9 + ('connect', '')),
                         session_timeout=30000 if fits else self.r.choice((6000, 30000, 30000, 30000, 10, 10**8)), rebalance_timeout=3000, protocols=protocols, **({'instance': instance} if v >= 5 else {}))

    def sync(self):
        group, number = self.group(), self.member()
        member, v = self.of(group, number), self.version('SyncGroup')
        more = {'type': 'consumer', 'protocol': self.r.choice(('range', 'rr'))} if v >= 5 else {}
        return self.both('SyncGroup', v, group=group, generation=self.generation(), member=member, assignments=lambda side: [{'member': member(side), 'assignment': b'A'}], **more)

    def generation(self): return self.r.choice((1, 1, 1, 2, 2, 3, 0, -1))
    def heartbeat(self): return self.both('Heartbeat', self.version('Heartbeat'), group=(g := self.group()), generation=self.generation(), member=self.of(g, self.member()))

    def leave(self):
        g, v = self.group(), self.version('LeaveGroup')
        member = self.of(g, self.member())
        if v < 3: return self.both('LeaveGroup', v, group=g, member=member)
        instance = self.r.choice((None, None, 'i1', 'ix'))
        return self.both('LeaveGroup', v, group=g, members=lambda side: [{'member': member(side), 'instance': instance}])

    def commit(self):
        g, v = self.group(), self.version('OffsetCommit', 2)
        outside = self.maybe(.3) or not g
        number = self.member()
        part = {'index': self.partition(), 'offset': self.r.choice((0, 3, -1, 10**12)), 'metadata': self.r.choice(('', 'note', 'x' * 4096, 'x' * 4097, None))}
        if v >= 6: part['epoch'] = self.r.choice((-1, 0))
        return self.both('OffsetCommit', v, group=g, generation=-1 if outside else self.generation(), member='' if outside else self.of(g, number), topics=[{'name': self.topic(), 'partitions': [part]}], **({'retention': self.r.choice((-1, 10**8))} if v <= 4 else {}))

    def committed(self):
        v, g = self.version('OffsetFetch', 1), self.group()
        topics = None if v >= 2 and self.maybe(.4) else [{'name': self.topic(), 'partitions': [0, 1, 9]}]
        if v < 8: return self.both('OffsetFetch', v, group=g, topics=topics, **({'require_stable': self.maybe()} if v >= 7 else {}))
        return self.both('OffsetFetch', v, groups=[{'group': g, 'topics': topics}], require_stable=self.maybe())

    def describe(self):
        seen = self.both('DescribeGroups', self.version('DescribeGroups'), groups=[self.group()])
        for one in seen:
            for group in one['groups']:
                for member in group['members']: member['metadata'] = member['assignment'] = None
        return seen

    def listed(self):
        v = self.version('ListGroups')
        seen = self.both('ListGroups', v, **({'states': self.r.choice(([], ['Empty'], ['Stable'], ['Dead', 'x']))} if v >= 4 else {}), **({'types': self.r.choice(([], ['classic'], ['consumer']))} if v >= 5 else {}))
        for one in seen: one['groups'] = [g for g in one['groups'] if g['group'] in self.groups]
        return seen

    def forget(self):
        group = self.group()
        if self.maybe(.3):
            self.entered.discard(group)
            return self.both('DeleteGroups', self.version('DeleteGroups'), groups=[group])
        return self.both('OffsetDelete', 0, group=group, topics=[{'name': self.topic(), 'partitions': [{'index': self.partition()}]}])

    def step(self):
        few, many = (self.create, self.delete, self.grow, self.alter, self.delete_records, self.forget, self.leader_epochs, self.configs, self.metadata, self.listed), (
            self.produce, self.produce, self.fetch, self.offsets, self.join, self.join, self.sync, self.heartbeat, self.commit, self.committed, self.describe, self.leave)
        return (self.r.choice(few) if self.maybe(.35) else self.r.choice(many))()


def short(value):
    text = repr(value)
    text = re.sub(r'(.)\1{30,}', r'\1...', text)
    return text if len(text) < 400 else text[:400] + '...'


def ordered(value):
    """Lists of topics, partitions and the like have no order of their own; batches' bytes are their sizes here."""
    if isinstance(value, dict): return {k: ordered(v) for k, v in value.items() if not (k == 'aborted')}
    if isinstance(value, list): return sorted((ordered(v) for v in value), key=repr)
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', default='build/dev/bin')
    parser.add_argument('--ports', help='of two that run: Apache Kafka,cloud-broker')
    parser.add_argument('--seeds', default='1..10')
    parser.add_argument('--calls', type=int, default=150, help='of each seed')
    parser.add_argument('--history', action='store_true', help='with each difference, the calls before it that named the same group')
    args = parser.parse_args()
    first, _, last = args.seeds.partition('..')
    started = []
    try:
        if args.ports: ports = [int(p) for p in args.ports.split(',')]
        else:
            import targets
            for make in (targets.Apache, lambda: targets.Edgelog(args.bin)):
                started.append(make())
                if started[-1].name == 'edgelog':
                    with open(started[-1].config, 'a') as f: f.write('group.rebalance_delay = "0s"\n')  # as Apache Kafka's here
                started[-1].start()
            ports = [t.port for t in started]
        sides = [Side(p) for p in ports]
        for side in sides:
            poll(lambda: side.call('FindCoordinator', 1, key='differential')['error'] == 0)
            poll(lambda: side.call('Heartbeat', 3, group='differential', generation=1, member='m')['error'] == 25)
        offers = [{a['key']: (a['first'], a['last']) for a in side.call('ApiVersions', 0)['apis']} for side in sides]
        from raw import SCHEMAS
        versions = {name: (max(o[key][0] for o in offers), min(o[key][1] for o in offers)) for name, (key, *_) in SCHEMAS.items()}
        calls = differences = 0
        for seed in range(int(first), int(last or first) + 1):
            run = Run(seed, sides, versions)
            for _ in range(2): run.create()
            while run.calls < args.calls:
                theirs, ours = run.step()
                if theirs == ours: continue
                differences += 1
                print(f'seed {seed}, call {run.calls}: {run.log[-1]}\n    Apache Kafka: {short(theirs)}\n    cloud-broker: {short(ours)}', flush=True)
                if args.history: print(''.join(f'        before: {line} -> {error}\n' for group, line, error in run.history[:-1] if group and group in run.log[-1]), flush=True)
            calls += run.calls
        print(f'{calls} calls, {differences} differences')
        sys.exit(1 if differences or not calls else 0)
    finally:
        for target in started: target.clean()


if __name__ == '__main__': main()

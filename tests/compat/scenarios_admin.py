"""Raw scenarios of administration, every version of its calls. See scenarios.py."""
from batches import batch
from raw import SCHEMAS
from scenarios import poll, scenario, shape

TOPIC, BROKER = 2, 4


def ranges(p): return {a['key']: (a['first'], a['last']) for a in p.call('ApiVersions', 0)['apis']}


@scenario
def api_versions(p):
    """Every version's shape, and that what we offer lies within what Kafka offers."""
    for version in range(0, 5):
        answer = p.call('ApiVersions', version, **({'software': 'compat', 'software_version': '1.0'} if version >= 3 else {}))
        p.note(f'v{version}', [answer['error'], len(answer['apis']) > 20, len({a['key'] for a in answer['apis']}) == len(answer['apis'])])
    for name, ok in (('', '1'), ('a', ''), ('a b', '1'), ('a.b-c', '1.0-x'), ('.a', '1'), ('a_b', '1'), ('a', '1.')):
        p.note(f'software {name!r} {ok!r}', p.call('ApiVersions', 3, software=name, software_version=ok)['error'])
    highest = {0: 11, 1: 17, 2: 10, 3: 13, 8: 9, 9: 9, 10: 6, 11: 9, 12: 4, 13: 5, 14: 5, 15: 5, 16: 5, 18: 4, 19: 7, 20: 6, 21: 2, 22: 4, 23: 4,
               32: 4, 33: 2, 37: 3, 42: 2, 44: 1, 47: 0, 60: 1}
    offer = ranges(p)
    p.note('offers what we promise', {str(k): offer[k][0] <= v <= offer[k][1] for k, v in highest.items()})


@scenario
def topics_in_full(p):
    """CreateTopics and DeleteTopics: the whole answer, in every version."""
    n = 'full-' + p.suffix
    def create(*topics, version=7, **more):
        topics = [{'name': n, 'partitions': 1, 'replication': 1, **t} for t in topics]
        return sorted(shape(p, p.call('CreateTopics', version, topics=topics, **more)['topics']), key=lambda t: t['name'])
    def short(topics): return [{k: v for k, v in t.items() if k != 'configs'} for t in topics]
    for version in range(2, 8):
        p.note(f'create v{version}', short(create({'name': f'{n}-{version}', 'partitions': 2}, version=version)))
        p.note(f'create again v{version}', create({'name': f'{n}-{version}'}, version=version))
    made = p.call('CreateTopics', 7, topics=[{'name': n + '-c', 'partitions': 1, 'replication': 1, 'configs': [{'name': 'retention.ms', 'value': '77'}]}])['topics'][0]
    p.note('the configuration given back', sorted([c['name'], c['value'], c['source'], c['read_only'], c['sensitive']] for c in made['configs']
           if c['name'] not in DIFFERENT_DEFAULTS))
    p.note('validated: configuration', len(create({'name': n + '-v'}, validate_only=True)[0]['configs'] or []) > 20)
    p.note('validated: refused', short(create({'name': n + '-2'}, {'name': n + '-v', 'partitions': 0}, validate_only=True)))
    p.note('collides with one there', [create({'name': n + '.x'})[0]['error'], create({'name': n + '_x'})[0]['error']])
    p.note('null config', short(create({'configs': [{'name': 'retention.ms', 'value': None}]})))
    p.note('no policy', create({'name': n + '-t', 'configs': [{'name': 'cleanup.policy', 'value': ''}]}, validate_only=True)[0]['error'])
    p.note('a config twice', short(create({'name': n + '-t', 'configs': [{'name': 'retention.ms', 'value': '1'}, {'name': 'retention.ms', 'value': '2'}]}, validate_only=True)))
    for name, value in (('retention.ms', '-2'), ('retention.ms', ' 5'), ('retention.ms', '5.0'), ('retention.ms', ''), ('retention.bytes', '-1'), ('segment.bytes', '13'), ('segment.bytes', '1048576'),
                        ('max.message.bytes', '-1'), ('max.message.bytes', '2147483648'), ('min.insync.replicas', '0'), ('min.insync.replicas', '3'), ('cleanup.policy', 'compact,delete'),
                        ('cleanup.policy', 'delete, compact'), ('cleanup.policy', 'compact,compact'), ('cleanup.policy', 'DELETE'), ('compression.type', 'none'), ('compression.type', 'GZIP'),
                        ('message.timestamp.type', 'appendtime'), ('preallocate', 'TRUE'), ('preallocate', '1'), ('min.cleanable.dirty.ratio', '1.5'), ('min.cleanable.dirty.ratio', '.5'),
                        ('min.cleanable.dirty.ratio', '0.25'), ('flush.messages', '0'), ('segment.ms', '0'), ('message.format.version', '2.0'), ('index.interval.bytes', '0'),
                        ('follower.replication.throttled.replicas', '*'), ('leader.replication.throttled.replicas', 'x'), ('retention.ms', '+5'), ('remote.storage.enable', 'false'),
                        ('message.timestamp.difference.max.ms', '5'), ('message.downconversion.enable', 'false'), ('delete.retention.ms', '-1'), ('local.retention.ms', '-1'), ('compression.gzip.level', '0')):
        p.note(f'{name}={value}', create({'name': n + '-t', 'configs': [{'name': name, 'value': value}]}, validate_only=True)[0]['error'])
    assigned = lambda *of, **more: short(create({'name': n + '-a', 'partitions': -1, 'replication': -1, 'assignments': [{'index': i, 'brokers': b} for i, b in of], **more}, validate_only=True))
    p.note('assigned', assigned((0, [1]), (1, [1])))
    p.note('assigned: a hole', assigned((0, [1]), (2, [1])))
    p.note('assigned: not from 0', assigned((1, [1])))
    p.note('assigned: negative', assigned((-1, [1])))
    p.note('assigned: unknown broker', assigned((0, [77])))
    p.note('assigned: no broker', assigned((0, [])))
    p.note('assigned: a broker twice', assigned((0, [1, 1])))
    p.note('assigned: a partition twice', assigned((0, [1]), (0, [1])))
    p.note('replication -2', short(create({'replication': -2})))
    p.note('nothing', create())
    for version in range(1, 6):
        p.note(f'delete v{version}', sorted(shape(p, p.call('DeleteTopics', version, names=[f'{n}-{version + 1}' if version > 1 else n + '-c', n + '-none'])['topics']), key=str))
    id = lambda name: bytes.fromhex(p.call('Metadata', 12, topics=[{'name': name}])['topics'][0]['id'])
    gone = lambda *of: sorted(shape(p, p.call('DeleteTopics', 6, topics=list(of))['topics']), key=str)
    seven = id(n + '-7')
    p.note('delete: name and id', gone({'name': n + '-7', 'id': seven}))
    p.note('delete: neither', gone({'name': None}))
    p.note('delete: unknown id', gone({'name': None, 'id': b'\7' * 16}))
    p.note('delete: twice by name', gone({'name': n + '-7'}, {'name': n + '-7'}))
    p.note('delete: twice by id', gone({'name': None, 'id': seven}, {'name': None, 'id': seven}))
    p.note('delete: by name and by id', [x['error'] for x in gone({'name': n + '-7'}, {'name': None, 'id': seven})])
    poll(lambda: p.call('Metadata', 4, topics=[{'name': n + '-7'}])['topics'][0]['error'] == 0)
    p.note('delete: by id', gone({'name': None, 'id': seven}))
    p.note('delete: nothing', gone())
    p.note('delete: a name that is none', gone({'name': 'a b'}, {'name': ''}))


DIFFERENT_DEFAULTS = ('message.timestamp.after.max.ms', 'min.insync.replicas')  # the one kafka.py sets, the other has a default of the cluster in Kafka


@scenario
def partitions_in_full(p):
    t, u = p.topic('grow', 2), p.topic('grow-u', 1)
    def grow(version=3, only=False, *of):
        return sorted(shape(p, p.call('CreatePartitions', version, topics=list(of), validate_only=only)['topics']), key=str)
    one = lambda count, name=t, brokers=None: {'name': name, 'count': count, 'assignments': None if brokers is None else [{'brokers': b} for b in brokers]}
    p.note('assigned', grow(3, True, one(3, brokers=[[1]])))
    p.note('assigned: too many', grow(3, True, one(3, brokers=[[1], [1]])))
    p.note('assigned: too few', grow(3, True, one(4, brokers=[[1]])))
    p.note('assigned: unknown broker', grow(3, True, one(3, brokers=[[9]])))
    p.note('assigned: none', grow(3, True, one(3, brokers=[])))
    p.note('assigned: no brokers', grow(3, True, one(3, brokers=[[]])))
    p.note('negative', grow(3, False, one(-1)))
    p.note('as many', grow(3, False, one(2)))
    p.note('twice', grow(3, False, one(3), one(4)))
    p.note('nothing', grow(3, False))
    p.note('two, one unknown', grow(3, False, one(2, name=u), one(5, name='nobody-made-this-' + p.suffix)))
    p.note('a name that is none', grow(3, False, one(5, name='a b')))
    for version in range(0, 4): p.note(f'v{version}', grow(version, False, one(3 + version)))
    poll(lambda: len(p.call('Metadata', 1, topics=[{'name': t}])['topics'][0]['partitions']) == 6)
    p.note('internal', grow(3, True, one(99, name='__consumer_offsets'))[0]['error'] != 0 or 'taken')


@scenario
def configs_in_full(p):
    """DescribeConfigs, AlterConfigs and IncrementalAlterConfigs."""
    t = p.topic('configs', retention_ms=4242, segment_bytes=5555555)
    def describe(*of, version=4, **more):
        return shape(p, p.call('DescribeConfigs', version, resources=[{'keys': None, **r} for r in of], **more)['resources'])
    def sort(resources): return [{**r, 'configs': sorted(r['configs'], key=lambda c: c['name'])} for r in resources]
    mine = {'type': TOPIC, 'name': t}
    for version in range(1, 5): p.note(f'v{version}', sort(describe({**mine, 'keys': ['retention.ms', 'cleanup.policy']}, version=version)))
    for version in (1, 3): p.note(f'synonyms v{version}', sort(describe({**mine, 'keys': ['segment.bytes', 'cleanup.policy', 'preallocate']}, version=version, synonyms=True)))
    all = describe(mine)[0]['configs']
    p.note('all of a topic', sorted([c['name'], c['value'], c['source'], c['config_type'], c['sensitive'], c['read_only']] for c in all if c['name'] not in DIFFERENT_DEFAULTS))
    broker = {'type': BROKER, 'name': '1'}
    keys = ['num.partitions', 'offsets.retention.minutes', 'group.max.session.timeout.ms', 'broker.id', 'node.id', 'message.max.bytes', 'log.cleaner.delete.retention.ms']
    p.note('of a broker', sorted([c['name'], c['value'], c['config_type']] for c in describe({**broker, 'keys': keys})[0]['configs']))
    for name, of in (('another broker', {'type': BROKER, 'name': '9'}), ('a broker that is none', {'type': BROKER, 'name': 'x'}), ('type 0', {'type': 0, 'name': 'x'}),
                     ('type 1', {'type': 1, 'name': 'x'}), ('type 99', {'type': 99, 'name': 'x'}), ('unknown topic', {'type': TOPIC, 'name': 'nobody-made-this-' + p.suffix}),
                     ('a topic that is none', {'type': TOPIC, 'name': 'a b'}), ('the empty topic', {'type': TOPIC, 'name': ''})):
        answer = describe(of)[0]
        p.note('describe ' + name, [answer['error'], len(answer['configs']), answer['type'], answer['name']])
        for api, more in (('AlterConfigs', {}), ('IncrementalAlterConfigs', {'operation': 0})):
            answer = p.call(api, 1, resources=[{**of, 'configs': [{'name': 'no.such.thing', 'value': '5', **more}]}], validate_only=True)['resources'][0]
            p.note(f'{api} {name}', [answer['error'], answer['type'], answer['name']])
    p.note('twice', [r['error'] for r in describe({**mine, 'keys': ['retention.ms']}, {**mine, 'keys': ['cleanup.policy']})])
    p.note('nothing', describe())
    p.note('unknown keys', describe({**mine, 'keys': ['no.such.thing']}))

    def value(name): return [c['value'] for c in describe({**mine, 'keys': [name]})[0]['configs']]
    def alter(*configs, version=1, only=False, **of):
        return [r['error'] for r in p.call('IncrementalAlterConfigs', version, validate_only=only, resources=[{**mine, **of, 'configs': [
            dict(zip(('name', 'operation', 'value'), c)) for c in configs]}])['resources']]
    p.note('append', alter(('cleanup.policy', 2, 'compact')))
    poll(lambda: value('cleanup.policy') == ['delete,compact'])
    p.note('append what is there', alter(('cleanup.policy', 2, 'compact')))
    p.note('subtract', alter(('cleanup.policy', 3, 'delete')))
    poll(lambda: value('cleanup.policy') == ['compact'])
    p.note('subtract the last', alter(('cleanup.policy', 3, 'compact'), only=True))
    p.note('append to what is no list', alter(('retention.ms', 2, '5')))
    p.note('subtract from what is no list', alter(('retention.ms', 3, '5')))
    p.note('no value', alter(('retention.ms', 0, None)))
    p.note('no value to append', alter(('cleanup.policy', 2, None)))
    p.note('delete what was not set', alter(('preallocate', 1, None)))
    p.note('delete what is none', alter(('no.such.thing', 1, None)))
    p.note('set what is none', alter(('no.such.thing', 0, '1')))
    p.note('a name twice', alter(('retention.ms', 0, '5'), ('retention.ms', 0, '6')))
    p.note('one good, one bad', alter(('retention.ms', 0, '123'), ('segment.bytes', 0, 'x')))
    p.note('nothing changed', value('retention.ms'))
    p.note('only validated', alter(('retention.ms', 0, '5'), only=True) + value('retention.ms'))
    p.note('no changes', alter())
    p.note('the topic twice', [r['error'] for r in p.call('IncrementalAlterConfigs', 1, resources=[{**mine, 'configs': [{'name': 'retention.ms', 'operation': 0, 'value': '5'}]}] * 2)['resources']])
    def replace(*configs, version=2, only=False):
        return [r['error'] for r in p.call('AlterConfigs', version, validate_only=only, resources=[{**mine, 'configs': [dict(zip(('name', 'value'), c)) for c in configs]}])['resources']]
    p.note('replace: bad', replace(('retention.ms', 'x')))
    p.note('replace: unknown', replace(('no.such.thing', 'x')))
    p.note('replace: null', replace(('retention.ms', None)))
    p.note('replace: only validated', replace(('retention.ms', '1'), only=True) + value('retention.ms'))
    for version in range(0, 3):
        p.note(f'replace v{version}', replace(('segment.ms', str(1000 + version)), version=version))
        poll(lambda: value('segment.ms') == [str(1000 + version)])
    p.note('alter: an unknown topic', [p.call(api, 1, resources=[{'type': TOPIC, 'name': 'nobody-made-this-' + p.suffix, 'configs': [{'name': 'retention.ms', 'value': '5', **more}]}])['resources'][0]['error'] for api, more in (('AlterConfigs', {}), ('IncrementalAlterConfigs', {'operation': 0}))])
    p.note('replaced: all else fell back', value('retention.ms') + value('cleanup.policy'))


@scenario
def records_deleted(p):
    t = p.topic('delete-records', 2)
    for i in range(4): p.produce(t, batch([b'a', b'b', b'c']))
    def delete(*of, version=2, topic=t, **more):
        return sorted((shape(p, y) for x in p.call('DeleteRecords', version, topics=[{'name': topic, 'partitions': [{'index': i, 'offset': o} for i, o in of]}], **more)['topics'] for y in x['partitions']), key=lambda y: y['index'])
    for version in range(0, 3): p.note(f'v{version}', delete((0, version), version=version))
    p.note('before the start', delete((0, 1)))
    p.note('good and bad', delete((0, 3), (1, 5), (7, 0)))
    p.note('-2', delete((0, -2)))
    p.note('unknown topic', delete((0, 1), topic='nobody-made-this-' + p.suffix))
    p.note('inside of a batch', delete((0, 7)))
    p.note('what is left', [shape(p, p.fetch(t, 7)), p.offset(t, -2)['offset'], p.offset(t, 0)['offset']])
    p.note('to the end', delete((0, -1)))
    p.note('nothing left', [shape(p, p.fetch(t, 12)), p.offset(t, -2)['offset'], p.offset(t, -1)['offset'], p.offset(t, 0)['offset']])
    p.note('an empty partition', delete((1, -1)))


@scenario
def cluster(p):
    t = p.topic('cluster', 2)
    for version in range(0, 14):
        answer = shape(p, p.call('Metadata', version, topics=[{'name': t}], **({'topic_operations': True} if version >= 8 else {})))
        p.note(f'metadata v{version}', {**answer, 'topics': [{**x, 'partitions': sorted(x['partitions'], key=lambda y: y['index'])} for x in answer['topics']]})
    def of(topic, version=12, **more):
        answer = p.call('Metadata', version, topics=topic if isinstance(topic, list) else [topic], **more)
        return [answer.get('error'), shape(p, answer['topics'])]
    p.note('twice', of([{'name': t}] * 2)[1][0]['error'])
    p.note('a name that is none', of({'name': 'a b'}))
    p.note('a name that is none, to be made', of({'name': 'a b'}, auto_create=True))
    p.note('the empty name', of({'name': ''}))
    p.note('a long name', of({'name': 'x' * 250})[1][0]['error'])
    p.note('unknown', of({'name': 'nobody-made-this-' + p.suffix}))
    id = bytes.fromhex(p.call('Metadata', 12, topics=[{'name': t}])['topics'][0]['id'])
    p.note('name and another id', of({'name': t, 'id': b'\7' * 16})[1][0]['error'])
    p.note('by id', of({'name': None, 'id': id})[1][0]['error'])
    p.note('an id in v10', of({'name': t, 'id': id}, 10)[1][0]['error'])
    made = 'made-' + p.suffix
    first = p.call('Metadata', 5, topics=[{'name': made}], auto_create=True)['topics'][0]['error']
    p.note('made by asking', first in (0, 3, 5))
    poll(lambda: p.call('Metadata', 5, topics=[{'name': made}])['topics'][0]['error'] == 0)
    p.note('cluster operations', p.call('Metadata', 9, topics=[], cluster_operations=True)['cluster_operations'] not in (0, -2147483648))
    for version, more in ((0, {}), (1, {}), (0, {'operations': True}), (1, {'endpoints': 2}), (1, {'endpoints': 0}), (1, {'endpoints': 9})):
        answer = shape(p, p.call('DescribeCluster', version, **more))
        if more.get('endpoints') == 2: answer = answer['error']
        p.note(f'describe v{version} {more}', answer)


@scenario
def ids_of_producers(p):
    poll(lambda: p.call('InitProducerId', 0, transactional_id=None)['error'] == 0)
    def ask(version, **more):
        return shape(p, p.call('InitProducerId', version, transactional_id=None, **more))
    for version in range(0, 5): p.note(f'v{version}', ask(version))
    p.note('an id and an epoch', ask(4, producer_id=77, epoch=3))
    p.note('an id without an epoch', ask(4, producer_id=77))
    p.note('an epoch without an id', ask(4, epoch=3))
    p.note('time-out -1', ask(1, timeout_ms=-1))
    p.note('time-out 0', ask(1, timeout_ms=0))
    p.note('empty transactional id', shape(p, p.call('InitProducerId', 4, transactional_id='')))


@scenario
def what_is_said_first(p):
    """Requests with two faults, found by differential.py: which of them is answered."""
    t, g = p.topic('first', min_insync_replicas=2), 'first-' + p.suffix
    def create(**more):
        topic = {'name': t + '-new', 'partitions': 1, 'replication': 1, **more}
        return p.call('CreateTopics', 4, validate_only=True, topics=[topic])['topics'][0]['error']
    bad, hole = [{'name': 'flush.messages', 'value': '0'}], [{'index': 0, 'brokers': [1]}, {'index': 2, 'brokers': [1]}]
    p.note('configuration and replication', create(configs=bad, replication=2))
    p.note('configuration and partitions', create(configs=bad, partitions=-2))
    p.note('partitions and replication', create(replication=0, partitions=0))
    def alter(topic, **change):
        return p.call('IncrementalAlterConfigs', 1, resources=[{'type': TOPIC, 'name': topic, 'configs': [change]}])['resources'][0]['error']
    nobody = 'nobody-made-this-' + p.suffix
    p.note('alter: a bad value, unknown topic', alter(nobody, name='max.message.bytes', operation=0, value='-1'))
    p.note('alter: append to what is no list, unknown topic', alter(nobody, name='flush.messages', operation=2, value='1'))
    p.note('alter: a good value, unknown topic', alter(nobody, name='flush.messages', operation=0, value='1'))
    p.note('configuration and assignment', create(configs=bad, partitions=-1, replication=-1, assignments=hole))
    p.note('name and assignment', create(name='', partitions=-1, replication=-1, assignments=hole))
    p.note('there already, and assignment', create(name=t, partitions=-1, replication=-1, assignments=hole))
    p.group('first')
    p.note('there already, and internal', create(name='__consumer_offsets', replication=0))
    p.note('retention.bytes below -1', create(configs=[{'name': 'retention.bytes', 'value': '-5'}]))
    p.note('a mark of later versions, no such partition', p.offset(t, -4, partition=9, version=4)['error'])
    p.note('fewer replicas than must be in sync', p.produce(t, batch([b'a']))['error'])
    p.note('no batch, too few replicas', p.produce(t, b'')['error'])
    p.note('no batch, acks 5', p.produce(t, b'', acks=5)['error'])
    p.note('acks 5, too few replicas', p.produce(t, batch([b'a']), acks=5)['error'])
    p.note('no batch, internal', p.produce('__consumer_offsets', b'')['error'])
    p.note('no batch, unknown topic', p.produce('nobody-made-this-' + p.suffix, b'')['error'])
    p.note('offsets of an unknown group and partition', shape(p, p.call('OffsetDelete', 0, group=g, topics=[{'name': t, 'partitions': [{'index': 9}]}])))

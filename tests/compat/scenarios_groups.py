"""Raw scenarios of groups and of administration. See scenarios.py."""
from batches import batch
from raw import Connection
from scenarios import poll, scenario


@scenario
def group_errors(p):
    g = p.group('errors')
    p.groups_topic = p.topic('groups')
    p.note('join: no group', p.join('')['error'])
    p.note('join: session too short', p.join(g, session_timeout=10)['error'])
    p.note('join: session too long', p.join(g, session_timeout=100000000)['error'])
    p.note('join: unknown member', p.join(g, 'who')['error'])
    p.note('join: no protocols', p.join(g, protocols=[], version=3)['error'])
    p.note('join: no protocol type', p.join(g, type='', version=3)['error'])
    p.note('heartbeat: unknown group', p.call('Heartbeat', 3, group=g + '-none', generation=1, member='m'))
    p.note('leave: unknown group', p.call('LeaveGroup', 1, group=g + '-none', member='m'))
    p.note('sync: unknown group', p.call('SyncGroup', 3, group=g + '-none', generation=1, member='m'))
    p.note('commit: unknown group, generation 1', commit(p, g + '-none', 1, 'm'))
    p.note('describe: unknown', p.call('DescribeGroups', 4, groups=[g + '-none'])['groups'])
    p.note('delete: unknown', p.call('DeleteGroups', 1, groups=[g + '-none'])['groups'][0]['error'])
    p.note('offsets: unknown', p.call('OffsetFetch', 5, group=g + '-none', topics=[{'name': 'x', 'partitions': [0]}]))
    p.note('offsets: unknown, all', p.call('OffsetFetch', 5, group=g + '-none', topics=None)['topics'])
    asked = p.join(g)
    p.note('join v5 asks back', [asked['error'], asked['generation'], asked['member'] != '', asked['protocol']])
    a = p.join(g, asked['member'])
    m = a['member']
    p.note('joined', [a['error'], a['generation'], a['protocol'], a['leader'] == m, m == asked['member'], len(a['members'])])
    p.note('heartbeat: before the assignment', p.call('Heartbeat', 3, group=g, generation=1, member=m)['error'])
    p.note('sync: wrong generation', p.call('SyncGroup', 3, group=g, generation=7, member=m)['error'])
    p.note('sync: wrong protocol', p.call('SyncGroup', 5, group=g, generation=1, member=m, type='consumer', protocol='other')['error'])
    synced = p.call('SyncGroup', 5, group=g, generation=1, member=m, type='consumer', protocol='range',
                    assignments=[{'member': m, 'assignment': b'yours'}])
    p.note('sync', [synced['error'], synced['assignment'].decode(), synced['type'], synced['protocol']])
    p.note('heartbeat', p.call('Heartbeat', 3, group=g, generation=1, member=m)['error'])
    p.note('heartbeat: wrong generation', p.call('Heartbeat', 3, group=g, generation=2, member=m)['error'])
    p.note('heartbeat: unknown member', p.call('Heartbeat', 3, group=g, generation=1, member='who')['error'])
    p.note('join: other type', p.join(g, type='connect', version=3)['error'])
    p.note('join: other protocol', p.join(g, protocols=[{'name': 'other', 'metadata': b''}], version=3)['error'])
    p.note('delete: not empty', p.call('DeleteGroups', 1, groups=[g])['groups'][0]['error'])
    p.note('commit', commit(p, g, 1, m))
    p.note('commit: wrong generation', commit(p, g, 5, m))
    p.note('commit: unknown member', commit(p, g, 1, 'who'))
    p.note('commit: outside of a group that has members', commit(p, g, -1, ''))
    p.note('commit: metadata too long', commit(p, g, 1, m, metadata='x' * 5000))
    p.note('offsets: some', offsets(p, g, 5))
    described = p.call('DescribeGroups', 4, groups=[g])['groups'][0]
    one = described['members'][0]
    p.note('describe', [described['error'], described['state'], described['type'], described['protocol'],
                        one['member'] == m, one['client'], one['metadata'].decode(), one['assignment'].decode()])
    mine = [x for x in p.call('ListGroups', 4)['groups'] if x['group'] == g]
    p.note('list', [[x['type'], x['state']] for x in mine])
    p.note('list: by state', len([x for x in p.call('ListGroups', 4, states=['Empty'])['groups'] if x['group'] == g]))
    p.note('leave: unknown member', p.call('LeaveGroup', 1, group=g, member='who')['error'])
    p.note('leave', p.call('LeaveGroup', 1, group=g, member=m)['error'])
    p.note('empty', p.call('DescribeGroups', 4, groups=[g])['groups'][0]['state'])
    p.note('commit: outside, group empty', commit(p, g, -1, '', offset=9))
    p.note('offsets: after that', offsets(p, g, 5))
    p.note('delete', p.call('DeleteGroups', 1, groups=[g])['groups'][0]['error'])
    p.note('offsets: gone', offsets(p, g, 5))


def commit(p, group, generation, member, offset=5, metadata='note'):
    return p.call('OffsetCommit', 7, group=group, generation=generation, member=member, topics=[
        {'name': p.groups_topic, 'partitions': [{'index': 0, 'offset': offset, 'epoch': -1, 'metadata': metadata}]}
    ])['topics'][0]['partitions'][0]['error']


def offsets(p, group, version):
    answer = p.call('OffsetFetch', version, group=group, topics=[{'name': p.groups_topic, 'partitions': [0]}])
    return [answer.get('error'), answer['topics'][0]['partitions'][0]]


@scenario
def group_of_two(p):
    """Two members by hand: the second one's join makes the first one's heartbeat say so."""
    g = p.group('two')
    two = Connection(p.port)
    a = p.join(g, p.join(g)['member'])['member']
    p.call('SyncGroup', 3, group=g, generation=1, member=a, assignments=[{'member': a, 'assignment': b'all'}])
    b = two.call('JoinGroup', 5, group=g, session_timeout=10000, type='consumer', member='',
                 protocols=[{'name': 'range', 'metadata': b'm'}])['member']
    waiting = two.send('JoinGroup', 5, group=g, session_timeout=10000, type='consumer', member=b,
                       protocols=[{'name': 'range', 'metadata': b's'}])
    poll(lambda: p.call('Heartbeat', 3, group=g, generation=1, member=a)['error'] == 27)
    p.note('commit while rebalancing', p.call('OffsetCommit', 7, group=g, generation=1, member=a, topics=[])['topics'])
    joined = p.join(g, a)
    other = two.receive('JoinGroup', 5, waiting)
    p.note('generation 2', [joined['error'], joined['generation'], other['error'], other['generation']])
    p.note('leader stays and sees both', [joined['leader'] == a, other['leader'] == a, len(joined['members']), len(other['members'])])
    waiting = two.send('SyncGroup', 3, group=g, generation=2, member=b)
    mine = p.call('SyncGroup', 3, group=g, generation=2, member=a, assignments=[
        {'member': a, 'assignment': b'one'}, {'member': b, 'assignment': b'two'}])
    p.note('assignments', [mine['assignment'].decode(), two.receive('SyncGroup', 3, waiting)['assignment'].decode()])
    p.note('a follower that joins again unchanged', [two.call('JoinGroup', 5, group=g, session_timeout=10000, type='consumer', member=b,
           protocols=[{'name': 'range', 'metadata': b's'}])[k] for k in ('error', 'generation')])
    p.note('leave v3', [x['error'] for x in p.call('LeaveGroup', 3, group=g, members=[{'member': b}, {'member': 'who'}])['members']])
    poll(lambda: p.call('Heartbeat', 3, group=g, generation=2, member=a)['error'] == 27)
    p.note('alone again', [p.join(g, a)[k] for k in ('error', 'generation')])
    p.call('LeaveGroup', 1, group=g, member=a)
    two.close()


@scenario
def static_member(p):
    g = p.group('static')
    first = p.join(g, instance='i1')
    p.note('first', [first['error'], first['generation']])
    p.call('SyncGroup', 3, group=g, generation=1, member=first['member'], instance='i1', assignments=[{'member': first['member'], 'assignment': b'A'}])
    second = p.join(g, instance='i1')
    p.note('takes over without a rebalance', [second['error'], second['generation'], second['member'] != first['member']])
    p.note('sync', p.call('SyncGroup', 3, group=g, generation=1, member=second['member'], instance='i1')['assignment'].decode())
    p.note('the old one is fenced', p.call('Heartbeat', 3, group=g, generation=1, member=first['member'], instance='i1')['error'])
    p.note('the new one lives', p.call('Heartbeat', 3, group=g, generation=1, member=second['member'], instance='i1')['error'])
    p.note('sent away by instance', [x['error'] for x in p.call('LeaveGroup', 3, group=g, members=[{'member': '', 'instance': 'i1'}, {'member': '', 'instance': 'i2'}])['members']])


@scenario
def versions_of_groups(p):
    """Every version of the group calls once."""
    for version in range(0, 10):
        g = p.group(f'versions-{version}')
        a = p.join(g, version=version)
        if a['error'] == 79: a = p.join(g, a['member'], version=version)
        sync = p.call('SyncGroup', min(version, 5), group=g, generation=1, member=a['member'], assignments=[{'member': a['member'], 'assignment': b'A'}],
                      **({'type': 'consumer', 'protocol': 'range'} if version >= 5 else {}))
        p.note(f'join v{version}', [a['error'], a['generation'], a['protocol'], a.get('type'), a.get('skip'), sync['error'], sync['assignment'].decode()])
        p.note(f'heartbeat, leave v{version}', [
            p.call('Heartbeat', min(version, 4), group=g, generation=1, member=a['member'])['error'],
            p.call('LeaveGroup', min(version, 5), group=g, **({'members': [{'member': a['member']}]} if version >= 3 else {'member': a['member']}))['error']])
    t = p.topic('versions')
    for version in range(2, 10):
        g = f'commits-{version}-{p.suffix}'
        done = p.call('OffsetCommit', version, group=g, generation=-1, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': version, 'metadata': 'm'}]}])
        p.note(f'commit v{version}', done['topics'][0]['partitions'])
        if version < 8: read = p.call('OffsetFetch', version, group=g, topics=[{'name': t, 'partitions': [0, 1]}])
        else: read = p.call('OffsetFetch', version, groups=[{'group': g, 'topics': [{'name': t, 'partitions': [0, 1]}]}])['groups'][0]
        p.note(f'offsets v{version}', [read.get('error'), read['topics'][0]['partitions']])
    for version in range(0, 7):
        g = f'commits-2-{p.suffix}'
        answer = p.call('FindCoordinator', version, **({'keys': [g, 'x']} if version >= 4 else {'key': g}))
        one = answer['coordinators'][0] if version >= 4 else answer
        p.note(f'coordinator v{version}', [one['error'], one['port'] == p.port])
    p.note('coordinator: a type that is none', p.call('FindCoordinator', 2, key='g', type=9)['error'])


@scenario
def topics(p):
    n = 'topics-' + p.suffix
    def create(version=5, **topic):
        topic = {'name': n, 'partitions': 1, 'replication': 1, **topic}
        only = topic.pop('validate_only', False)
        one = p.call('CreateTopics', version, topics=[topic], validate_only=only)['topics'][0]
        return [one['error'], one.get('partitions'), one.get('replication')]
    for name in ('', '.', '..', 'a b', 'ä', 'x' * 250): p.note(f'name {name[:10]!r}', create(name=name)[0])
    p.note('0 partitions', create(partitions=0)[0])
    p.note('-2 partitions', create(partitions=-2)[0])
    p.note('replication 0', create(replication=0)[0])
    p.note('replication 3', create(replication=3)[0])
    p.note('unknown config', create(configs=[{'name': 'no.such.thing', 'value': '1'}])[0])
    p.note('bad config', create(configs=[{'name': 'retention.ms', 'value': 'soon'}])[0])
    p.note('bad policy', create(configs=[{'name': 'cleanup.policy', 'value': 'burn'}])[0])
    p.note('assignment and count', create(assignments=[{'index': 0, 'brokers': [1]}])[0])
    p.note('only validated', create(validate_only=True))
    p.note('unknown after that', p.call('Metadata', 4, topics=[{'name': n}])['topics'][0]['error'])
    p.note('created, by the defaults', create(partitions=-1, replication=-1))
    p.note('exists', create()[0])
    p.note('twice in one request', [t['error'] for t in p.call('CreateTopics', 4, topics=[{'name': n + 'd', 'partitions': 1, 'replication': 1}] * 2)['topics']])
    poll(lambda: p.offset(n, -1)['error'] == 0)
    def grow(count, name=n, only=False): return p.call('CreatePartitions', 1, topics=[{'name': name, 'count': count, 'assignments': None}], validate_only=only)['topics'][0]['error']
    p.note('partitions: as many', grow(1))
    p.note('partitions: fewer', grow(0))
    p.note('partitions: unknown topic', grow(3, n + '-none'))
    p.note('partitions: only validated', grow(3, only=True))
    p.note('partitions: 3', grow(3))
    poll(lambda: len(p.call('Metadata', 1, topics=[{'name': n}])['topics'][0]['partitions']) == 3)
    def describe(keys, name=n, kind=2):
        one = p.call('DescribeConfigs', 2, resources=[{'type': kind, 'name': name, 'keys': keys}])['resources'][0]
        return [one['error'], sorted([c['name'], c['value'], c['source'], c['read_only']] for c in one['configs'])]
    p.note('configs: some', describe(['cleanup.policy', 'retention.ms', 'no.such.thing', 'max.message.bytes']))
    p.note('configs: none asked is all', len(describe([])[1]) > 20)
    p.note('configs: unknown topic', describe(None, n + '-none'))
    def alter(name, value, operation=0):
        return p.call('IncrementalAlterConfigs', 0, resources=[{'type': 2, 'name': n, 'configs': [{'name': name, 'operation': operation, 'value': value}]}])['resources'][0]['error']
    p.note('alter', alter('retention.ms', '1234567'))
    poll(lambda: describe(['retention.ms'])[1][0][1] == '1234567')
    p.note('altered', describe(['retention.ms']))
    p.note('alter: bad', alter('retention.ms', 'soon'))
    p.note('alter: unknown', alter('no.such.thing', '1'))
    p.note('alter: back', alter('retention.ms', None, 1))
    poll(lambda: describe(['retention.ms'])[1][0][1] == '604800000')
    p.note('delete: unknown', p.call('DeleteTopics', 3, names=[n + '-none'])['topics'][0]['error'])
    p.note('delete', p.call('DeleteTopics', 3, names=[n])['topics'][0]['error'])
    poll(lambda: p.call('Metadata', 4, topics=[{'name': n}])['topics'][0]['error'] == 3)
    p.note('produce into what is gone', p.produce(n, batch([b'a']))['error'])


@scenario
def producer_ids(p):
    poll(lambda: p.call('InitProducerId', 0, transactional_id=None)['error'] == 0)
    ids = [p.call('InitProducerId', v, transactional_id=None) for v in (0, 1, 2, 3, 4)]
    p.note('an id each', [[x['error'], x['epoch']] for x in ids])
    p.note('all different, none negative', len({x['producer_id'] for x in ids}) == 5 and all(x['producer_id'] >= 0 for x in ids))
    p.note('high bits are not those of agents', all(x['producer_id'] >> 62 == 0 for x in ids))


@scenario
def metadata(p):
    t = p.topic('metadata', 2)
    for version in range(0, 13):
        one = p.call('Metadata', version, topics=[{'name': t}])
        topic = one['topics'][0]
        p.note(f'v{version}', [topic['error'], len(topic['partitions']), [x['error'] for x in topic['partitions']], topic.get('internal'),
                               len(one['brokers']), one['brokers'][0]['port'] == p.port, one.get('controller') == one['brokers'][0]['id'] or 'controller' not in one])
    p.note('v0: no list is all', len(p.call('Metadata', 0, topics=[])['topics']) > 0)
    p.note('v1: an empty list is none', len(p.call('Metadata', 1, topics=[])['topics']))
    p.note('v1: null is all', len(p.call('Metadata', 1, topics=None)['topics']) > 0)
    p.note('unknown, not to be made', p.call('Metadata', 4, topics=[{'name': 'nobody-made-this-' + p.suffix}])['topics'][0]['error'])
    p.note('a bad name', p.call('Metadata', 4, topics=[{'name': 'a b'}])['topics'][0]['error'])
    id = bytes.fromhex(p.call('Metadata', 12, topics=[{'name': t}])['topics'][0]['id'])
    p.note('by id', p.call('Metadata', 12, topics=[{'id': id, 'name': None}])['topics'][0]['name'] == t)
    by_unknown = p.call('Metadata', 12, topics=[{'id': b'\7' * 16, 'name': None}])['topics'][0]
    p.note('by an unknown id', [by_unknown['error'], by_unknown['name']])
    p.note('cluster id', bool(p.call('Metadata', 2, topics=[])['cluster_id']))
    cluster = p.call('DescribeCluster', 0)
    p.note('describe cluster', [cluster['error'], len(cluster['brokers']), cluster['cluster_id'] == p.call('Metadata', 2, topics=[])['cluster_id']])
    for version in range(13, 18):
        one = p.call('Fetch', version, min_bytes=0, max_wait=0, topics=[{'id': id, 'partitions': [{'index': 0, 'offset': 0}]}])
        p.note(f'fetch by id v{version}', [one['error'], one['topics'][0]['partitions'][0]['error']])
    one = p.call('Fetch', 13, min_bytes=0, max_wait=0, topics=[{'id': b'\7' * 16, 'partitions': [{'index': 0, 'offset': 0}]}])
    p.note('fetch by an unknown id', [one['error'], one['topics'][0]['partitions'][0]['error']])

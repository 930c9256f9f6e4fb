"""Raw scenarios of groups' members and offsets, every version of their calls. See scenarios.py."""
import struct
from raw import Connection
from scenarios import poll, scenario, shape


def alone(p, name, **more):
    """A Stable group of one: its name and its member."""
    g = p.group(name)
    m = p.join(g, p.join(g, **more)['member'], **more)['member']
    synced = p.call('SyncGroup', 3, group=g, generation=1, member=m, assignments=[{'member': m, 'assignment': b'mine'}])
    assert synced['error'] == 0, synced
    return g, m


@scenario
def joins(p):
    """JoinGroup's refusals in the versions that differ, the whole answer."""
    g = p.group('joins')
    for version in range(0, 10):
        for name, more in (('no group', {'group': ''}), ('session too long', {'session_timeout': 100_000_000}), ('unknown member', {'member': 'who'}), ('no protocols', {'protocols': []}), ('no type', {'type': ''})):
            more = {'group': g, 'member': '', 'session_timeout': 10000, 'type': 'consumer', 'protocols': [{'name': 'range', 'metadata': b'm'}], **more}
            p.note(f'v{version}: {name}', shape(p, p.call('JoinGroup', version, **more)))
    p.note('session of 0', p.join(g, session_timeout=0)['error'])
    p.note('session negative', p.join(g, session_timeout=-5)['error'])
    p.note('instance with an unknown member', shape(p, p.join(g, 'who', instance='i', version=7)))
    p.note('protocol named twice', p.join(g, protocols=[{'name': 'a', 'metadata': b'1'}, {'name': 'a', 'metadata': b'2'}], version=5)['error'])
    g, m = alone(p, 'joins-alone')
    for name, more in (('another type', {'type': 'connect'}), ('another protocol', {'protocols': [{'name': 'x', 'metadata': b''}]}), ('no type', {'type': ''}), ('no protocols', {'protocols': []})):
        p.note('new: ' + name, shape(p, p.join(g, version=9, **more)))
        p.note('member: ' + name, shape(p, p.join(g, m, version=9, **more)))
    p.note('nothing of it mattered', p.call('Heartbeat', 3, group=g, generation=1, member=m)['error'])
    two = Connection(p.port)
    p.note('pending: asked back', two.call('JoinGroup', 9, group=g, session_timeout=10000, member='', type='consumer', protocols=[{'name': 'range', 'metadata': b'm'}])['error'])
    p.note('pending: no rebalance yet', p.call('Heartbeat', 3, group=g, generation=1, member=m)['error'])
    two.close()


@scenario
def protocols_by_votes(p):
    """Three members; the protocol that most want of those that all know. Metadata of one byte, since Kafka looks into
    it: of longer ones that are no subscription the answer is lost, or not, by the order of member ids."""
    g, lists = p.group('votes'), ((b'a', b'b', b'c'), (b'c', b'b'), (b'c', b'a', b'b'))
    others = [Connection(p.port) for _ in lists]
    def question(l): return {'group': g, 'session_timeout': 10000, 'rebalance_timeout': 10000, 'type': 'consumer', 'protocols': [{'name': x.decode(), 'metadata': x} for x in l]}
    first = others[0].call('JoinGroup', 3, member='', **question(lists[0]))
    numbers = [(c, c.send('JoinGroup', 3, member='', **question(l))) for c, l in zip(others[1:], lists[1:])]
    poll(lambda: len(p.call('DescribeGroups', 4, groups=[g])['groups'][0]['members']) == 3)
    again = others[0].call('JoinGroup', 3, member=first['member'], **question(lists[0]))
    rest = [c.receive('JoinGroup', 3, n) for c, n in numbers]
    p.note('first', [first['error'], first['generation'], first['protocol'], len(first['members'])])
    p.note('chosen', [[x['error'], x['generation'], x['protocol'], x['leader'] == first['member'], len(x['members'])] for x in (again, *rest)])
    p.note('the metadata of the chosen', sorted(x['metadata'].decode() for x in again['members']))
    described = p.call('DescribeGroups', 5, groups=[g])['groups'][0]
    p.note('before the assignment', [described['state'], described['type'], described['protocol'], [[len(m['metadata']), len(m['assignment'])] for m in described['members']]])
    for c in others: c.close()


@scenario
def syncs(p):
    g, two = p.group('syncs'), Connection(p.port)
    m = p.join(g, p.join(g)['member'])['member']
    def sync(c=p, version=5, **more): return shape(p, c.call('SyncGroup', version, **{'group': g, 'generation': 1, 'member': m, **({'type': 'consumer', 'protocol': 'range'} if version >= 5 else {}), **more}))
    for version in range(0, 6):
        p.note(f'v{version}: no group', sync(version=version, group=''))
        p.note(f'v{version}: unknown member', sync(version=version, member='who'))
        p.note(f'v{version}: wrong generation', sync(version=version, generation=9))
    p.note('another type', sync(type='connect'))
    p.note('no type', sync(type=None))
    p.note('neither type nor protocol', sync(type=None, protocol=None))
    p.note('again', sync(assignments=[{'member': m, 'assignment': b'abc'}, {'member': 'who', 'assignment': b'zzz'}]))
    p.note('again, when all is settled', sync())
    p.note('a leader that assigns once more', sync(assignments=[{'member': m, 'assignment': b'other'}]))
    waiting = two.send('JoinGroup', 3, group=g, session_timeout=10000, rebalance_timeout=10000, type='consumer', member='', protocols=[{'name': 'range', 'metadata': b'm'}])
    poll(lambda: p.call('Heartbeat', 3, group=g, generation=1, member=m)['error'] == 27)
    p.note('while others join', sync())
    p.note('commit while others join', p.call('OffsetCommit', 7, group=g, generation=1, member=m, topics=[])['topics'])
    p.note('state', p.call('DescribeGroups', 4, groups=[g])['groups'][0]['state'])
    p.join(g, m)
    b = two.receive('JoinGroup', 3, waiting)['member']
    p.note('the old generation', sync())
    p.note('heartbeat of the old generation', p.call('Heartbeat', 3, group=g, generation=1, member=m)['error'])
    t = p.topic('syncs')
    p.note('commit before the assignment', p.call('OffsetCommit', 7, group=g, generation=2, member=m, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': 1}]}])['topics'][0]['partitions'])
    hanging = two.send('SyncGroup', 3, group=g, generation=2, member=b)
    p.note('heartbeat of one that waits', p.call('Heartbeat', 3, group=g, generation=2, member=b)['error'])
    p.note('leader without assignments', sync(generation=2))
    p.note('then the other has none', two.receive('SyncGroup', 3, hanging)['assignment'].decode())
    two.close()


@scenario
def statics(p):
    """Static members: what is fenced, what is not."""
    g = p.group('statics')
    a = p.join(g, instance='a')['member']
    p.call('SyncGroup', 3, group=g, generation=1, member=a, instance='a', assignments=[{'member': a, 'assignment': b'A'}])
    t = p.topic('statics')
    def commit(member, instance, generation=1):
        return p.call('OffsetCommit', 7, group=g, generation=generation, member=member, instance=instance, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': 1}]}])['topics'][0]['partitions'][0]['error']
    def beat(member, instance, generation=1): return p.call('Heartbeat', 4, group=g, generation=generation, member=member, instance=instance)['error']
    def sync(member, instance): return p.call('SyncGroup', 3, group=g, generation=1, member=member, instance=instance)['error']
    for name, member, instance in (('right', a, 'a'), ('wrong member', 'who', 'a'), ('unknown instance', a, 'b'), ('member alone', a, None), ('both unknown', 'who', 'b')):
        p.note(name, [commit(member, instance), beat(member, instance), sync(member, instance)])
    p.note('wrong member joins', shape(p, p.join(g, 'who', instance='a', version=9)))
    p.note('unknown instance joins with a known member', shape(p, p.join(g, a, instance='b', version=9)))
    p.note('leave: wrong member', shape(p, p.call('LeaveGroup', 5, group=g, members=[{'member': 'who', 'instance': 'a'}, {'member': a, 'instance': 'b'}, {'member': '', 'instance': 'b'}, {'member': '', 'instance': None}])))
    again = p.join(g, instance='a', version=9)
    p.note('comes back, v9', {**shape(p, again), 'leader': again['leader'] == again['member'], 'members': len(again['members'])})
    older = p.join(g, instance='a', version=5)
    p.note('comes back, v5', {**shape(p, older), 'leader': [older['leader'] == older['member'], older['leader'] == again['member']], 'members': len(older['members'])})
    p.note('described', [[x['instance'], x['client']] for x in p.call('DescribeGroups', 5, groups=[g])['groups'][0]['members']])
    p.note('leave: with a member id', shape(p, p.call('LeaveGroup', 5, group=g, members=[{'member': older['member'], 'instance': 'a'}])))
    p.note('empty', p.call('DescribeGroups', 5, groups=[g])['groups'][0]['state'])


@scenario
def sessions_end(p):
    """A member that is silent is left out; the rest goes on."""
    g = p.group('sessions')
    one = p.join(g, version=3, session_timeout=6000, rebalance_timeout=6000)
    p.call('SyncGroup', 3, group=g, generation=1, member=one['member'], assignments=[])
    poll(lambda: p.call('DescribeGroups', 4, groups=[g])['groups'][0]['state'] == 'Empty')
    p.note('its heartbeat', p.call('Heartbeat', 3, group=g, generation=1, member=one['member'])['error'])
    p.note('its sync', p.call('SyncGroup', 3, group=g, generation=2, member=one['member'])['error'])
    p.note('its join', p.join(g, one['member'])['error'])
    p.note('its leave', p.call('LeaveGroup', 1, group=g, member=one['member'])['error'])
    again = p.join(g, version=3)
    p.note('the next generation', [again['error'], again['generation']])
    p.note('never synced', p.call('DescribeGroups', 4, groups=[g])['groups'][0]['state'])


@scenario
def commits(p):
    """OffsetCommit and OffsetFetch in every version."""
    t, (g, m) = p.topic('commits', 3), alone(p, 'commits')
    def commit(version=9, of=((0, 5),), topic=t, **more):
        with_epoch = {'epoch': 3} if version >= 6 else {}
        return shape(p, p.call('OffsetCommit', version, **{'group': g, 'generation': 1, 'member': m, 'topics': [{'name': topic, 'partitions': [
            {'index': i, 'offset': o, 'metadata': 'note', **with_epoch} for i, o in of]}], **more})['topics'])
    for version in range(2, 10):
        p.note(f'v{version}', commit(version))
        p.note(f'v{version}: wrong generation', commit(version, generation=7))
        p.note(f'v{version}: unknown member', commit(version, member='who'))
        p.note(f'v{version}: unknown group', commit(version, group=g + '-none'))
        p.note(f'v{version}: outside', commit(version, generation=-1, member=''))
        p.note(f'v{version}: no group', commit(version, group='', generation=-1, member=''))
        p.note(f'v{version}: generation -1, member', commit(version, generation=-1))
    p.note('partitions that are not there', sorted(commit(of=((0, 1), (7, 1), (-1, 1)))[0]['partitions'], key=str))
    p.note('unknown topic', commit(topic='nobody-made-this-' + p.suffix))
    p.note('offset -5', commit(of=((1, -5),)))
    p.note('null metadata', shape(p, p.call('OffsetCommit', 9, group=g, generation=1, member=m, topics=[{'name': t, 'partitions': [{'index': 2, 'offset': 9, 'metadata': None}]}])['topics']))
    p.note('no topics', commit(topics=[]))
    p.note('a partition twice', commit(of=((0, 8), (0, 9))))
    for version in range(1, 8):
        one = p.call('OffsetFetch', version, group=g, topics=[{'name': t, 'partitions': [0, 1, 2, 9]}, {'name': 'nobody-made-this-' + p.suffix, 'partitions': [0]}])
        p.note(f'fetch v{version}', shape(p, one))
        p.note(f'fetch v{version}: none', shape(p, p.call('OffsetFetch', version, group=g, topics=[])))
        p.note(f'fetch v{version}: no group', shape(p, p.call('OffsetFetch', version, group='', topics=[{'name': t, 'partitions': [0]}])))
        if version < 2: continue
        every = p.call('OffsetFetch', version, group=g, topics=None)
        p.note(f'fetch v{version}: all', shape(p, [{**x, 'partitions': sorted(x['partitions'], key=lambda y: y['index'])} for x in every['topics']]))
    for version in (8, 9):
        some = p.call('OffsetFetch', version, groups=[{'group': g, 'topics': [{'name': t, 'partitions': [0, 9]}]}, {'group': g + '-none', 'topics': [{'name': t, 'partitions': [0]}]},
                                                      {'group': g + '-none', 'topics': None}, {'group': '', 'topics': None}])
        p.note(f'fetch v{version}', shape(p, some['groups']))
        p.note(f'fetch v{version}: nothing', shape(p, p.call('OffsetFetch', version, groups=[])))
        p.note(f'fetch v{version}: stable', shape(p, p.call('OffsetFetch', version, require_stable=True, groups=[{'group': g, 'topics': [{'name': t, 'partitions': [0]}]}])))
    member = {'group': g, 'topics': [{'name': t, 'partitions': [0]}]}
    for name, more in (('right member', {'member': m, 'epoch': 1}), ('wrong epoch', {'member': m, 'epoch': 7}), ('unknown member', {'member': 'who', 'epoch': 1}), ('member without epoch', {'member': m})):
        p.note('fetch v9: ' + name, shape(p, p.call('OffsetFetch', 9, groups=[{**member, **more}])['groups']))


@scenario
def offsets_forgotten(p):
    """OffsetDelete and DeleteGroups."""
    t, u = p.topic('forgotten', 2), p.topic('forgotten-u')
    topics = struct.pack('>hi', 1, 1) + struct.pack('>h', len(t)) + t.encode() + struct.pack('>i', -1) + struct.pack('>i', 0)
    g, m = alone(p, 'forgotten', protocols=[{'name': 'range', 'metadata': topics}])
    p.call('OffsetCommit', 7, group=g, generation=1, member=m, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': 1}, {'index': 1, 'offset': 1}]}, {'name': u, 'partitions': [{'index': 0, 'offset': 1}]}])
    def delete(*of, group=g): return shape(p, p.call('OffsetDelete', 0, group=group, topics=[{'name': n, 'partitions': [{'index': i} for i in indexes]} for n, indexes in of]))
    p.note('no group', delete((t, [0]), group=''))
    p.note('unknown group', delete((t, [0]), group=g + '-none'))
    p.note('subscribed, and not', delete((t, [0, 1]), (u, [0])))
    p.note('unknown partitions', delete((t, [9]), ('nobody-made-this-' + p.suffix, [0])))
    p.note('never committed', delete((u, [0])))
    p.note('nothing', delete())
    left = p.call('OffsetFetch', 7, group=g, topics=None)['topics']
    p.note('left', sorted([x['name'], sorted(y['index'] for y in x['partitions'])] for x in left))
    p.note('groups: not empty, unknown, none', sorted(shape(p, p.call('DeleteGroups', 2, groups=[g, g + '-none', ''])['groups']), key=str))
    p.call('LeaveGroup', 1, group=g, member=m)
    p.note('nobody subscribes', delete((t, [0])))
    for version in range(0, 3): p.note(f'groups v{version}', shape(p, p.call('DeleteGroups', version, groups=[g] if version else [g + '-none'])['groups']))
    p.note('groups: nothing', p.call('DeleteGroups', 2, groups=[])['groups'])
    p.note('described', shape(p, p.call('DescribeGroups', 5, groups=[g])['groups']))
    p.note('listed', [x for x in p.call('ListGroups', 5)['groups'] if x['group'] == g])


@scenario
def described(p):
    """DescribeGroups, ListGroups and FindCoordinator in every version."""
    g, m = alone(p, 'described')
    simple = 'simple-' + p.suffix
    t = p.topic('described')
    p.call('OffsetCommit', 7, group=simple, generation=-1, topics=[{'name': t, 'partitions': [{'index': 0, 'offset': 1}]}])
    for version in range(0, 6):
        answer = p.call('DescribeGroups', version, groups=[g, simple, g + '-none', ''], **({'operations': True} if version >= 3 else {}))['groups']
        for one in answer:
            for member in one['members']: member['host'] = member['host'][:1]
        p.note(f'describe v{version}', shape(p, answer))
    p.note('describe: nothing', p.call('DescribeGroups', 5, groups=[])['groups'])
    p.note('describe: twice', len(p.call('DescribeGroups', 5, groups=[g, g])['groups']))
    def mine(version, **more): return sorted(([{k: v for k, v in x.items()} for x in p.call('ListGroups', version, **more)['groups'] if x['group'] in (g, simple)]), key=str)
    for version in range(0, 6): p.note(f'list v{version}', mine(version))
    for name, more in (('stable', {'states': ['Stable']}), ('STABLE, empty', {'states': ['STABLE', 'empty']}), ('a state that is none', {'states': ['x']}), ('dead', {'states': ['Dead']}), ('classic', {'types': ['classic']}),
                       ('Classic', {'types': ['Classic']}), ('consumer', {'types': ['consumer']}), ('a type that is none', {'types': ['x']}), ('both', {'states': ['Stable'], 'types': ['classic']})):
        p.note(f'list: {name}', mine(5, **more))
    for version in range(0, 7):
        more = {'keys': [g, 'x', '', g]} if version >= 4 else {'key': g}
        answer = shape(p, p.call('FindCoordinator', version, **more))
        p.note(f'coordinator v{version}', answer)
        if version < 4: p.note(f'coordinator v{version}: no group', shape(p, p.call('FindCoordinator', version, key='')))
    p.note('coordinator: nothing', shape(p, p.call('FindCoordinator', 4, keys=[])))
    p.note('coordinator: a type that is none', shape(p, p.call('FindCoordinator', 4, type=9, keys=['a'])))
    p.note('coordinator: a share group', shape(p, p.call('FindCoordinator', 4, type=2, keys=['a']))['coordinators'][0]['error'])
    p.note('coordinator: a share group, v6', shape(p, p.call('FindCoordinator', 6, type=2, keys=['a:b:0']))['coordinators'][0]['error'])
    for version in range(0, 5):
        p.note(f'heartbeat v{version}', [shape(p, p.call('Heartbeat', version, group=x, generation=1, member=m)) for x in (g, '', g + '-none')])
    for version in range(0, 6):
        one = {'members': [{'member': 'who'}]} if version >= 3 else {'member': 'who'}
        p.note(f'leave v{version}', [shape(p, p.call('LeaveGroup', version, group=x, **one)) for x in (g, '', g + '-none')])
    p.note('leave: nobody', shape(p, p.call('LeaveGroup', 4, group=g, members=[])))
    p.note('leave: nobody, no group', shape(p, p.call('LeaveGroup', 4, group='', members=[])))

#!/usr/bin/env python3
"""Named scenarios with real processes: logs that forget or go back, images of agents that are put back, sleepers.

  scenarios.py --bin DIR                                  all of them, on cloud-broker
  scenarios.py --bin DIR --log apache-kafka NAME...       these, on Apache Kafka 4.3.0

  log_forgets          an agent returns with unanswered batches, those that the log has and those that it never saw,
                       after the log was made to forget all producers
  more_partitions      a topic gets more partitions while a backlog waits
  image_takes_more     an image of an agent from before is put back, and takes more new events offline than were lost
  image_after_overflow an image with a backlog is put back after the first life overflowed, and renumbered
  two_from_one_image   two agents from one image, one after the other, the image holding unanswered batches
  image_with_rings     an image is put back while devices with rings speak
  log_goes_back        the log is put back to an older state, while batches are in flight
  gateway_sleeps       a gateway is stopped (SIGSTOP) with batches in hand, another finishes the work, and it wakes

Every event carries its own number; a reader of librdkafka that shares no code with the pipeline gives the account:
which events went in, which came out how often, in what order, and which gaps name what is missing. Where events are of
plain sources the expectation is stricter than docs/ARCHITECTURE.md, rule 12, has to allow: each event exactly once,
and what is missing named. Exit code 0: all held; 1: not; 77: skipped.
"""
import argparse
import collections
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'deploy'), str(Path(__file__).resolve().parent)]
from logs import LOGS, copy, freeze, kafka, thaw  # noqa: E402
from procs import Process, Stack, Trouble, metrics, port_is_free, ready, say, wait_until  # noqa: E402
from sites import Link, Site, agent_config, socket_input  # noqa: E402
from verify import parse, read_topic  # noqa: E402

TOPIC = 'events-of-scenarios'
PARTITIONS = 3


class Agent:
    """An agent with a socket for its input, and a link that can be cut. Its data directory can be copied away and
    put back while it does not run."""

    def __init__(self, world, k, name, stream='linger = "20ms"'):
        self.world, self.name, self.link = world, name, Link(world.stack.ports.mqtt)
        self.data = world.dir / name / 'data'
        self.socket = world.dir / f'{name}.sock'
        self.admin_port = world.stack.ports.agent_admin(k)
        self.admin = f'http://127.0.0.1:{self.admin_port}'
        config = agent_config(world.dir / name / 'agent.toml', world.stack, name, k, self.data, self.link.port,
                              socket_input(self.socket), f'[stream.{TOPIC}]\n{stream}')
        self.process = Process(name, [world.stack.bin / 'edgelog-agent', '--config', config], world.dir / f'{name}.log')

    def start(self):
        self.process.start()
        self.given = 0
        wait_until(lambda: self.socket.exists() and metrics(self.admin), f'{self.name} listens', 30, [self.process])
        return self

    def kill(self):
        self.process.kill()
        self.socket.unlink(missing_ok=True)

    def image(self, name):
        """Killed, and its directory as it lies there copied away."""
        self.kill()
        copy(self.data, self.world.dir / 'images' / name)

    def put_back(self, name):
        assert not self.process.running()
        copy(self.world.dir / 'images' / name, self.data)

    def take(self, first, count, life, pause=0.0, chunk=20):
        """Gives it the events first..first+count-1; returns when all are durable."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(self.socket))
            wire.settimeout(30)
            answers = wire.makefile('r')
            for begin in range(first, first + count, chunk):
                some = range(begin, min(begin + chunk, first + count))
                wire.sendall(''.join(json.dumps({'stream': TOPIC, 'device': self.name, 'i': i, 'pad': os.urandom(60).hex()})
                                     + '\n' for i in some).encode())
                while json.loads(answers.readline())['durable'] < some[-1] - first + 1:
                    pass
                time.sleep(pause)
        self.given += count
        self.world.taken.update(((self.name, i), life) for i in range(first, first + count))

    def figure(self, name):
        return metrics(self.admin).get(f'edgelog_agent_{name}', 0)

    def await_sent(self, seconds=120):
        """Until the log has all of it. The figures are of up to a second ago: they must know of all that was given."""
        wait_until(lambda: ready(self.admin) and self.sent() and self.sent(), f'{self.name} has nothing left', seconds,
                   [self.process])

    def sent(self):
        figures = metrics(self.admin)
        return (figures.get('edgelog_agent_events_taken_total', 0) >= self.given
                and figures.get('edgelog_agent_backlog_events') == 0)

    def await_in_flight(self, batches=3):
        wait_until(lambda: self.figure('batches_in_flight') >= batches, f'{self.name} has {batches} batches in flight', 20,
                   [self.process])


class World:
    def __init__(self, args, name, agents, gateways=1, stream='linger = "20ms"', topics=(f'{TOPIC}:{PARTITIONS}',)):
        self.dir = Path(tempfile.mkdtemp(prefix=f'edgelog-{name}-', dir='/var/tmp'))
        self.taken = {}  # (agent, i) -> life
        self.log = LOGS[args.log](args.bin, self.dir / 'log', args.base_port, args.base_port + 200)
        self.stack = Stack(args.bin, self.dir / 'stack', args.base_port, agents, topics,
                           brokers=self.log.brokers, gateways=gateways, gateway_args=['--retention', '2000d'])
        self.agents = [Agent(self, k, agent, stream) for k, agent in enumerate(agents)]

    def __enter__(self):
        try:
            self.log.start()
            self.stack.start(120)
        except BaseException:
            self.__exit__(Trouble)
            raise
        return self

    def __exit__(self, kind, *_):
        for agent in self.agents:
            thaw(agent.process)
            agent.process.stop()
            agent.link.close()
        for gateway in self.stack.gateways:
            thaw(gateway)
        self.stack.stop()
        self.log.stop()
        if kind is None:
            shutil.rmtree(self.dir)
        else:
            say(f'what is left is in {self.dir}')

    def in_hand(self, gateway=0):
        return metrics(self.stack.admins()[gateway]).get('edgelog_gateway_in_hand', 0)

    def records(self):
        """[(partition, offset, agent, i, origin, index, late)] of the topic, without fences, per partition in order."""
        found, at = [], {}
        for partition, offset, key, value, headers in read_topic(self.log.brokers, TOPIC):
            if 'edgelog.fence' in headers:
                continue
            if 'edgelog.origin' in headers:
                at[partition] = struct.unpack('>qq', headers['edgelog.origin'])
            origin, index = at[partition]
            at[partition] = origin, index + 1
            found.append((partition, offset, key.decode().split('/')[1], int(parse(value)['i']), origin, index,
                          'edgelog.late' in headers))
        return sorted(found)

    def gaps(self):
        return [parse(value) for _, _, _, value, headers in read_topic(self.log.brokers, 'edgelog.gaps')
                if 'edgelog.fence' not in headers]

    def has_unanswered(self, agent, first, count, life):
        """Kills the agent while the log stands still and batches are in the gateway's hands; the log then takes them,
        and nobody is told."""
        before = len(self.records())
        freeze(self.log)
        agent.take(first, count, life, pause=0.05)
        agent.await_in_flight()
        wait_until(lambda: self.in_hand() > 0, 'the gateway has batches in hand', 10)
        flying = agent.figure('batches_in_flight')
        agent.kill()
        thaw(self.log)
        wait_until(lambda: len(self.records()) > before, 'the log has taken them', 30)
        return flying


def account(world, lost=(), where=None):
    """Each event that was taken: once, in the order of its life; what is missing is in `lost`, and a gap names it.
    `where` knows (origin, index) of what was in the log once."""
    records, gaps = world.records(), world.gaps()
    count = collections.Counter((agent, i) for _, _, agent, i, *_ in records)
    missing = [event for event in world.taken if event not in count]
    disorder, last, places = 0, {}, collections.defaultdict(set)
    for partition, _, agent, i, _, _, late in records:
        places[agent].add(partition)
        life = agent, world.taken.get((agent, i))
        if not late:
            disorder += last.get(life, -1) >= i
            last[life] = i
    names = collections.defaultdict(list)
    for gap in gaps:
        if 'origin' in gap:
            names[int(gap['origin'])].append((int(gap.get('first', 0)), int(gap['last'])))
    unnamed = 0
    if where is not None:
        unnamed = sum(not any(first <= where[event][1] <= to for first, to in names[where[event][0]]) for event in missing)
    there = collections.defaultdict(set)
    for _, _, _, _, origin, index, _ in records:
        there[origin].add(index)
    holes = sum(not any(first <= index <= to for first, to in names[origin])
                for origin, indices in there.items() for index in set(range(min(indices), max(indices))) - indices)
    result = {'in': len(world.taken), 'out': len(records), 'repeated': sum(n - 1 for n in count.values()),
              'missing': len(missing), 'missing_unexpected': len(set(missing) - set(lost)), 'missing_unnamed': unnamed,
              'never_taken': len(set(count) - set(world.taken)), 'disorder': disorder, 'holes': holes,
              'late': sum(record[-1] for record in records), 'partitions': {a: sorted(p) for a, p in places.items()},
              'gaps': dict(collections.Counter(gap['reason'] for gap in gaps))}
    bad = ('repeated', 'missing_unexpected', 'missing_unnamed', 'never_taken', 'disorder', 'holes')
    result['good'] = not any(result[name] for name in bad) and all(len(p) == 1 for p in places.values())
    return result


def log_forgets(args):
    with World(args, 'log-forgets', ['arrived', 'in-the-air']) as world:
        arrived, in_the_air = (agent.start() for agent in world.agents)
        for agent in world.agents:
            agent.take(0, 50, 1)
            agent.await_sent()
        gateway = world.stack.gateways[0]
        freeze(gateway)
        in_the_air.take(50, 200, 1, pause=0.05)
        in_the_air.await_in_flight()
        in_the_air.kill()
        gateway.kill()
        gateway.start()
        wait_until(lambda: ready(world.stack.admins()[0]), 'the gateway is ready', 60, [gateway])
        flying = world.has_unanswered(arrived, 50, 200, 1)
        world.log.forget_producers()
        gateway.kill()
        gateway.start()  # it asks how long the log remembers when it starts
        wait_until(lambda: ready(world.stack.admins()[0]), 'the gateway is ready', 60, [gateway])
        for agent in world.agents:
            agent.start().take(1000, 50, 2)
        for agent in world.agents:
            agent.await_sent()
        result = {**account(world), 'unanswered': flying,
                  'recoveries': {agent.name: agent.figure('recoveries_total') for agent in world.agents}}
        result['good'] = result['good'] and all(result['recoveries'].values())  # else the log had forgotten nothing
        return result


def more_partitions(args):
    from confluent_kafka.admin import AdminClient, NewPartitions
    with World(args, 'more-partitions', ['before', 'between', 'after']) as world:
        before, between, after = world.agents
        before.start().take(0, 50, 1)
        before.await_sent()
        for agent in (before, between):
            agent.link.cut()
        before.take(50, 500, 1)
        between.start().take(0, 500, 1)  # it has never seen the list of topics
        admin = AdminClient({'bootstrap.servers': world.log.brokers})
        admin.create_partitions([NewPartitions(TOPIC, 7)])[TOPIC].result(30)
        for agent in (before, between):
            agent.link.restore()
        after.start().take(0, 50, 1)
        before.take(550, 50, 1)
        for agent in world.agents:
            agent.await_sent()
        return account(world)


def image_takes_more(args):
    with World(args, 'image-takes-more', ['restored']) as world:
        agent = world.agents[0].start()
        agent.take(0, 100, 1)
        agent.await_sent()
        agent.image('early')
        agent.start().take(100, 50, 1)
        agent.await_sent()
        agent.kill()
        agent.put_back('early')
        agent.link.cut()
        agent.start().take(1000, 200, 2)
        agent.link.restore()
        agent.await_sent()
        agent.take(1200, 50, 2)
        agent.await_sent()
        return account(world)


def image_after_overflow(args):
    with World(args, 'image-after-overflow', ['restored'], stream='linger = "20ms"\nbytes = "128KiB"') as world:
        agent = world.agents[0].start()
        agent.take(0, 50, 1)
        agent.await_sent()
        agent.link.cut()
        agent.take(50, 300, 1)
        agent.image('backlog')
        agent.start().take(1000, 1500, 2)
        agent.link.restore()
        agent.await_sent()
        agent.take(2500, 50, 2)
        agent.await_sent()
        dropped = agent.figure('events_dropped_total')
        lost = {event for event in world.taken} - {(name, i) for _, _, name, i, *_ in world.records()}
        agent.kill()
        agent.put_back('backlog')
        agent.start().take(3000, 50, 3)
        agent.await_sent()
        result = account(world, lost)
        named = sum(int(gap['count']) for gap in world.gaps() if gap['reason'] == 'overflow')
        result.update(dropped=dropped, named=named, of_these_in_the_image=len(lost) - result['missing'])
        # What was published before the cut was noticed is never dropped; of the rest the first life dropped the oldest.
        result['good'] = (result['good'] and named == len(lost) == dropped and result['of_these_in_the_image'] > 0
                          and result['missing'] > 0)
        return result


def two_from_one_image(args):
    with World(args, 'two-from-one-image', ['cloned']) as world:
        agent = world.agents[0].start()
        agent.take(0, 50, 1)
        agent.await_sent()
        flying = world.has_unanswered(agent, 50, 300, 1)
        agent.image('common')
        for life, first in ((2, 1000), (3, 2000)):
            agent.put_back('common')
            agent.start().take(first, 100, life)
            agent.await_sent()
            agent.kill()
        return {**account(world), 'unanswered': flying}


def log_goes_back(args):
    with World(args, 'log-goes-back', ['told']) as world:
        agent = world.agents[0].start()
        agent.take(0, 100, 1)
        agent.await_sent()
        world.log.kill()
        copy(world.log.data, world.dir / 'old-log')
        world.log.start()
        agent.take(100, 100, 1)
        agent.await_sent()
        where = {(name, i): (origin, index) for _, _, name, i, origin, index, _ in world.records()}
        freeze(world.log)
        agent.take(200, 100, 1, pause=0.05)
        agent.await_in_flight()
        world.log.kill()
        copy(world.dir / 'old-log', world.log.data)
        world.log.start()
        agent.take(300, 50, 1)
        agent.await_sent()
        result = account(world, {('told', i) for i in range(100, 200)}, where)
        result['good'] = result['good'] and result['gaps'].get('log_went_back') == 1
        return result


def gateway_sleeps(args):
    with World(args, 'gateway-sleeps', ['served'], gateways=2) as world:
        agent = world.agents[0].start()
        agent.take(0, 50, 1)
        agent.await_sent()
        freeze(world.log)
        agent.take(50, 100, 1, pause=0.05)
        agent.await_in_flight()
        wait_until(lambda: world.in_hand(0) + world.in_hand(1) > 0, 'a gateway has batches in hand', 20)
        sleeper = 0 if world.in_hand(0) else 1
        in_hand = world.in_hand(sleeper)
        freeze(world.stack.gateways[sleeper])
        agent.take(150, 100, 1, pause=0.05)
        thaw(world.log)
        begin = time.monotonic()
        agent.await_sent()
        took = time.monotonic() - begin
        agent.take(250, 100, 1, pause=0.05)
        agent.await_sent()
        thaw(world.stack.gateways[sleeper])
        wait_until(lambda: ready(world.stack.admins()[sleeper]), 'the sleeper is ready', 60, [world.stack.gateways[sleeper]])
        agent.take(350, 100, 1, pause=0.05)
        agent.await_sent()
        return {**account(world), 'in_hand': in_hand, 'other_took_over_in_s': round(took, 1)}


def image_with_rings(args):
    """Devices with rings speak all the time. What was confirmed to them after the image they do not send again: it is in
    the log already, or was lost with the first life's backlog; a gap `confirmed_before` names it either way. What was sent up but not
    confirmed when the first life was killed they send again, and it is taken again: the image knows no better (rule 12)."""
    with World(args, 'image-with-rings', ['restored'], topics=('doors:3', 'climate:3')) as world:
        site = Site(world.stack, 1, 'restored', 'edgelog-devices', 'office')
        ledger = world.dir / 'ledger'
        try:
            site.start()
            site.play('office', '--seed', '5', '--duration', '30s', '--ledger', ledger, '--resend', '1s', '--resend-most', '2s')

            def taken_up(events):
                wait_until(lambda: metrics(site.admin).get('edgelog_agent_events_acknowledged_total', 0) >= events,
                           f'{events} events are acknowledged', 60, [site.agent, site.devices])
            taken_up(500)
            site.agent.kill()
            copy(site.data / 'log', world.dir / 'images' / 'early')
            site.agent.start()
            taken_up(500)
            site.agent.kill()
            copy(world.dir / 'images' / 'early', site.data / 'log')
            site.agent.start()
            wait_until(lambda: not site.devices.running(), 'the devices are done', 120, [site.agent])
            time.sleep(1.5)  # figures are of up to a second ago
            wait_until(lambda: metrics(site.admin).get('edgelog_agent_backlog_events') == 0, 'nothing is left', 60, [site.agent])
            return rings_account(world, ledger, site.devices.child.returncode)
        finally:
            site.stop()


def rings_account(world, ledger, code):
    said = {tuple(line.split('\t')[1:4]) for line in open(ledger, encoding='utf-8') if line.startswith('made')}
    count = collections.Counter()
    for topic in ('doors', 'climate'):
        for *_, key, _, headers in read_topic(world.log.brokers, topic):
            if 'edgelog.fence' not in headers:
                count[key.decode().split('/', 1)[1], headers['edgelog.boot'].decode(), headers['edgelog.number'].decode()] += 1
    gaps = world.gaps()
    named = {(gap['source'], gap['incarnation'], str(number)) for gap in gaps if gap['reason'] == 'confirmed_before'
             for number in range(int(gap['source_first']), int(gap['source_last']) + 1)}
    repeated = sum(n - 1 for n in count.values())
    by_device = collections.Counter()
    for (device, *_), n in count.items():
        by_device[device] += n - 1
    result = {'in': len(said), 'out': sum(count.values()), 'missing': len(said - set(count)),
              'missing_unnamed': len(said - set(count) - named), 'never_said': len(set(count) - said),
              'named_confirmed_before': len(named), 'repeated': repeated,
              'repeated_most_of_a_device': max(by_device.values(), default=0),
              'gaps': dict(collections.Counter(gap['reason'] for gap in gaps))}
    # 32: what a ring has on its way at once.
    result['good'] = (code == 0 and bool(named) and not result['missing_unnamed'] and not result['never_said']
                      and result['repeated_most_of_a_device'] <= 32 and set(result['gaps']) == {'confirmed_before'})
    return result


SCENARIOS = {one.__name__: one for one in (log_forgets, more_partitions, image_takes_more, image_after_overflow,
                                           two_from_one_image, image_with_rings, log_goes_back, gateway_sleeps)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help=', '.join(SCENARIOS))
    parser.add_argument('--bin', required=True, help='directory of the programs')
    parser.add_argument('--log', choices=sorted(LOGS), default='cloud-broker')
    parser.add_argument('--base-port', type=int, default=0, help='default: free ones')
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in SCENARIOS]:
        parser.error(f'{unknown[0]}: expected one of {", ".join(SCENARIOS)}')
    if not args.base_port:
        args.base_port = next(base for base in range(20_000, 30_000, 700)
                              if all(port_is_free(base + more) for more in (0, 1, 100, 200)))
    if args.log == 'apache-kafka':
        try:
            kafka.jars()
        except kafka.Unavailable as why:
            print(f'skipped: {why}')
            return 1 if os.environ.get('CI') == 'true' else 77
    bad = 0
    for name in args.names or SCENARIOS:
        begin = time.monotonic()
        try:
            result = SCENARIOS[name](args)
        except (Trouble, OSError, RuntimeError) as trouble:
            result = {'good': False, 'trouble': repr(trouble)}
        bad += not result['good']
        print(f'{name} on {args.log}: {"good" if result["good"] else "BAD"} in {time.monotonic() - begin:.0f} s: '
              f'{json.dumps({k: v for k, v in result.items() if k != "good"})}', flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

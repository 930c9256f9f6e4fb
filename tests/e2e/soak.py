#!/usr/bin/env python3
"""One pipeline under a steady load for a long time, while its processes are killed with -9, its gateways are
stopped, and its links are cut at random (seeded) moments; every event counted in and out.

  soak.py --bin DIR --minutes 60

Three sites of modelled devices with rings (about --rate events a second in all), two gateways, one broker whose
topics keep a twelfth of the time only, so that its disk has to stop growing. A reader of librdkafka follows the log all
the time and writes down what it is given; at the end verify.py's judge compares that with the devices' own ledgers:
each event once, its content, its order, no gap, no dead letter.

Kills come every 5 to 20 seconds. So that growth could be seen, one gateway, one agent and all devices are never
killed, and in the second half the broker and the cloud's Mosquitto are left alone as well. How growth is judged:
growth.py, from 20 minutes on. Prints a line a minute, then a table over time, and one line of JSON with the account. Exit code 0 only if
nothing was lost, repeated or disordered, and nothing grew.
"""
import argparse
import collections
import json
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'deploy'), str(Path(__file__).resolve().parent)]
from growth import Sampler, program_log_bytes  # noqa: E402
from procs import Stack, Trouble, metrics, port_is_free, say, wait_until  # noqa: E402
from sites import Site  # noqa: E402
from verify import LedgerFiles, Seen  # noqa: E402

AGENTS = ['soak-1', 'soak-2', 'soak-3']
TOPICS = ['doors', 'climate']
OURS = ['edgelog.gaps', 'edgelog.dead-letters']
PARTITIONS = 3
ROOMS = 40
JUDGED_FROM = 20  # minutes: a shorter run is too short to tell growth from filling
SILENCE_MAX = 120  # seconds without a record while devices speak: then something hangs


class Follower(threading.Thread):
    """Reads all topics from their beginning, for ever, into a file; nothing is skipped: where retention was faster
    than the reader, that is an error."""

    def __init__(self, brokers, spool):
        super().__init__(daemon=True)
        self.spool, self.brokers = open(spool, 'wb'), brokers
        self.records, self.last, self.trouble = collections.Counter(), time.monotonic(), None
        self.at = {}
        self._stop_now = threading.Event()

    def run(self):
        consumer = Consumer({'bootstrap.servers': self.brokers, 'group.id': 'soak', 'enable.auto.commit': False,
                             'auto.offset.reset': 'error', 'check.crcs': True, 'reconnect.backoff.max.ms': 500, 'log_level': 0})
        consumer.assign([TopicPartition(topic, p, 0) for topic in TOPICS + OURS for p in range(PARTITIONS)])
        while not self._stop_now.is_set() and not self.trouble:
            for message in consumer.consume(2000, 0.5):
                if message.error():
                    if message.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                        self.trouble = str(message.error())
                    continue  # a broker that is killed: librdkafka tries again
                self._take(message)
        consumer.close()
        self.spool.close()

    def _take(self, message):
        where = message.topic(), message.partition()
        self.at[where] = message.offset() + 1
        self.records[message.topic()] += 1
        self.last = time.monotonic()
        pickle.dump((*where, message.offset(), message.key(), message.value(), dict(message.headers() or [])), self.spool)

    def stop(self):
        self._stop_now.set()
        self.join()

    def has_all(self):
        consumer = Consumer({'bootstrap.servers': self.brokers, 'group.id': 'soak-ends', 'log_level': 0})
        try:
            return all(self.at.get((topic, p), 0) >= consumer.get_watermark_offsets(TopicPartition(topic, p), 10)[1]
                       for topic in TOPICS + OURS for p in range(PARTITIONS))
        finally:
            consumer.close()


class Soak:
    def __init__(self, args, data):
        self.args, self.data = args, data
        self.random = random.Random(args.seed)
        self.done = collections.Counter()
        self.retention = args.minutes * 60 / 12
        self.stack = Stack(args.bin, data, args.base_port, AGENTS, gateways=2, topics=[f'{t}:{PARTITIONS}' for t in TOPICS],
                           gateway_args=['--retention', f'{int(self.retention)}s'])
        self.sites = [Site(self.stack, k, agent, 'edgelog-devices', 'office') for k, agent in enumerate(AGENTS)]

    def make_topics(self):
        config = {'retention.ms': str(int(self.retention * 1000)), 'segment.bytes': str(1 << 20),
                  'segment.ms': str(int(self.retention * 1000 / 10)), 'compression.type': 'producer',
                  'message.timestamp.after.max.ms': str((1 << 63) - 1)}
        admin = AdminClient({'bootstrap.servers': self.stack.brokers})
        for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config) for topic in TOPICS]).values():
            made.result(30)

    def start(self):
        self.stack.check_ports()
        self.stack.mosquitto.start()
        self.stack.broker.start()
        wait_until(lambda: metrics(self.stack.admins()[0]), 'the broker answers', 30, [self.stack.broker])
        self.make_topics()
        for gateway in self.stack.gateways:
            gateway.start()
        for site in self.sites:
            site.start()
            speed = max(1, round(self.args.rate * 60 / ROOMS / len(self.sites)))
            site.play('office', '--model-prefix', f's{site.k}-', '--seed', str(self.args.seed * 10 + site.k), '--speed',
                      str(speed), '--duration', f'{int(self.args.minutes * 60)}s', '--model-thermostats', str(ROOMS),
                      '--ledger', self.ledger(site), '--resend', '1s', '--resend-most', '4s')
        wait_until(lambda: all(metrics(site.admin).get('edgelog_agent_events_acknowledged_total', 0) for site in self.sites),
                   'something gets through', 60, self.processes().values())

    def ledger(self, site):
        return self.data / f'{site.agent_id}.ledger'

    def processes(self):
        named = {'broker': self.stack.broker, 'mosquitto': self.stack.mosquitto}
        named.update((f'gateway {i + 1}', gateway) for i, gateway in enumerate(self.stack.gateways))
        for site in self.sites:
            named.update({site.agent_id: site.agent, f'{site.agent_id} mosquitto': site.mosquitto,
                          f'{site.agent_id} devices': site.devices})
        return {name: process for name, process in named.items() if process}

    def directories(self):
        return {'broker': self.data / 'broker', **{site.agent_id: site.data / 'log' for site in self.sites}}

    # ---- disturbances
    def kinds(self, first_half):
        kinds = {'agent': self.kill_agent, 'gateway': self.kill_gateway, 'site mosquitto': self.kill_site_mosquitto,
                 'link': self.cut_link, 'gateway stopped': self.stop_gateway}
        if first_half:
            kinds.update({'broker': self.kill_broker, 'mosquitto': self.kill_mosquitto})
        return kinds

    def again(self, process):
        process.must_run()
        process.kill()
        time.sleep(self.random.uniform(0, 2))
        process.start()

    def kill_agent(self):
        self.again(self.random.choice(self.sites[:2]).agent)

    def kill_gateway(self):
        self.again(self.stack.gateways[0])

    def kill_site_mosquitto(self):
        self.again(self.random.choice(self.sites).mosquitto)

    def kill_broker(self):
        self.again(self.stack.broker)

    def kill_mosquitto(self):
        self.again(self.stack.mosquitto)

    def cut_link(self):
        link = self.random.choice(self.sites).link
        link.cut()
        time.sleep(self.random.uniform(0.2, 8))
        link.restore()

    def stop_gateway(self):
        gateway = self.stack.gateways[0]
        gateway.signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.5, 10))
        gateway.signal(signal.SIGCONT)

    def disturb(self, follower):
        begin, said = time.monotonic(), 0
        length = self.args.minutes * 60
        while all(site.devices.running() for site in self.sites) and (now := time.monotonic() - begin) < length - 5:
            kinds = self.kinds(now < length / 2)
            kind = self.random.choice(sorted(kinds))
            kinds[kind]()
            self.done[kind] += 1
            time.sleep(self.random.uniform(5, 20) if length > 600 else self.random.uniform(1, 5))
            for process in self.processes().values():
                if process not in [site.devices for site in self.sites]:
                    process.must_run()
            if follower.trouble:
                raise Trouble(f'the reader: {follower.trouble}')
            if time.monotonic() - follower.last > SILENCE_MAX:
                raise Trouble(f'no record for {SILENCE_MAX} s after {dict(self.done)}')
            if now // 60 > said:
                said = now // 60
                say(f'minute {said:.0f}: {sum(follower.records[t] for t in TOPICS)} records read, {dict(self.done)}')

    def finish(self, follower):
        for site in self.sites:
            wait_until(lambda site=site: not site.devices.running(), f'{site.devices.name} is done', 180, [site.agent])
            if site.devices.child.returncode != 0:
                raise Trouble(f'{site.devices.name} ended with {site.devices.child.returncode}:\n{site.devices.tail()}')
        time.sleep(2)  # figures are of up to a second ago
        wait_until(lambda: all(metrics(site.admin).get('edgelog_agent_backlog_events', 1) == 0 for site in self.sites),
                   'the agents have nothing left', 120, [site.agent for site in self.sites])
        wait_until(follower.has_all, 'the reader has everything', 120)
        follower.stop()

    def stop(self):
        for site in self.sites:
            site.stop()
        self.stack.stop()


def account(spool, ledgers):
    """Each record against the ledgers: verify.py's judge over what the reader wrote down."""
    expected = LedgerFiles(ledgers)
    seen = Seen(expected, 'office', True)
    ours = collections.Counter()
    with open(spool, 'rb') as file:
        while True:
            try:
                topic, *record = pickle.load(file)
            except EOFError:
                break
            if topic in TOPICS:
                seen.take(topic, *record)
            elif 'edgelog.fence' not in record[-1]:
                ours[topic] += 1
                say(f'{topic}: {record[3]!r:.300}')
    holes, _ = seen.indices.judge()
    return {'made': len(expected.rows), 'records': seen.records, 'missing': sum(e not in seen.count for e in expected.rows),
            'repeated': sum(n - 1 for n in seen.count.values()), 'wrong': seen.wrong, 'unknown': seen.unknown,
            'disorder': seen.disorder, 'late': seen.late, 'fences': seen.fences, 'index_holes': holes,
            'gaps': ours['edgelog.gaps'], 'dead_letters': ours['edgelog.dead-letters']}


def run(args, data):
    soak = Soak(args, data)
    follower = Follower(soak.stack.brokers, data / 'records')
    try:
        soak.start()
        follower.start()
        sampler = Sampler(soak.processes(), soak.directories(), min(10, args.minutes))
        sampler.start()
        soak.disturb(follower)
        sampler.stop()
        soak.finish(follower)
        logs = program_log_bytes(soak.stack.logs)
    finally:
        soak.stop()
    if args.samples:
        sampler.save(args.samples)
    result = account(data / 'records', [soak.ledger(site) for site in soak.sites])
    counted = [name for name in result if name not in ('made', 'records', 'late', 'fences') and result[name]]
    grown = sampler.findings(settled=soak.retention * 1.5)
    print(sampler.table(), flush=True)
    if args.minutes < JUDGED_FROM:
        say(f'growth: {len(grown)} findings, which count from --minutes {JUDGED_FROM} on: caches and the journal still fill')
        grown = []
    for what in grown:
        print(f'GROWS: {what}')
    result.update(disturbed=dict(soak.done), longest_lives_minutes=sampler.judged_lives(), program_logs_bytes=logs,
                  grows=len(grown), good=not counted and not grown and result['made'] == result['records'] > 0)
    print(json.dumps(result), flush=True)
    return 0 if result['good'] else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True, help='directory of the programs')
    parser.add_argument('--minutes', type=float, default=60)
    parser.add_argument('--rate', type=int, default=100, help='events a second, of all thermostats')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--base-port', type=int, default=0, help='default: free ones')
    parser.add_argument('--samples', help='file for all samples, as CSV')
    parser.add_argument('--keep', action='store_true', help='leave data and logs')
    args = parser.parse_args()
    if not args.base_port:
        args.base_port = next(base for base in range(21_000, 30_000, 700)
                              if all(port_is_free(base + more) for more in (0, 100, 400)))
    data = Path(tempfile.mkdtemp(prefix='edgelog-soak-', dir='/var/tmp'))
    try:
        code = run(args, data)
    except Trouble as trouble:
        say(f'soak: {trouble}\nwhat is left is in {data}')
        return 1
    if args.keep or code:
        say(f'what is left is in {data}')
    else:
        shutil.rmtree(data, ignore_errors=True)
    return code


if __name__ == '__main__':
    os.environ.setdefault('PYTHONUNBUFFERED', '1')
    sys.exit(main())

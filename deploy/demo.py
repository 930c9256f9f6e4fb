#!/usr/bin/env python3
"""A building's events from sensor to consumer, live, with kills, ending with the account.

Three sites with devices, a Mosquitto and an agent each; a cloud with Mosquitto, gateway and broker; two services
that read topics and write others. One agent's link is cut, gateway, broker and an agent are killed with -9, all
come back. At the end: sent N, received N, lost 0, duplicated 0; exit code 0 only if that is so. Takes less than
3 minutes and leaves nothing behind.

  ./run demo
  ./run demo --data recordings/nordwijk   replays recorded files (*.tsv.gz) instead of the model
  ./run demo --keep                       goes on until Ctrl-C
"""
import argparse
import collections
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'deploy'))
from procs import Process, Stack, Trouble, metrics, say  # noqa: E402
from sites import Site  # noqa: E402

SITES = ['house-1', 'house-2', 'house-3']
SECONDS = 75           # of events
LIMIT = 150            # whatever happens, the account is made then


class Reader(threading.Thread):
    """Follows the event topics as any consumer does, and keeps the account: which device's number came how often."""

    def __init__(self, kafka, topics, results):
        super().__init__(daemon=True)
        self.kafka, self.topics, self.results = kafka, topics, results
        self.count = collections.Counter()      # (key, boot, number) -> times
        self.ages, self.inside, self.alarms, self.gaps = [], {}, 0, 0
        self.stopping, self.lock = threading.Event(), threading.Lock()

    def run(self):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({'bootstrap.servers': self.kafka, 'group.id': 'demo', 'enable.auto.commit': False,
                             'reconnect.backoff.max.ms': 1000, 'log_level': 0})
        assigned = []
        for topic in (*self.topics, *self.results, 'edgelog.gaps'):
            listed = consumer.list_topics(topic, 30).topics[topic]
            assigned += [TopicPartition(topic, partition, 0) for partition in listed.partitions]
        consumer.assign(assigned)
        while not self.stopping.is_set():
            for message in consumer.consume(2_000, 0.2):
                if not message.error():
                    with self.lock:
                        self.take(message)
        consumer.close()

    def take(self, message):
        headers = dict(message.headers() or [])
        if 'edgelog.fence' in headers:
            return
        if message.topic() in self.topics:
            self.count[message.key(), headers.get('edgelog.boot'), headers.get('edgelog.number')] += 1
            self.ages.append(time.time() * 1000 - message.timestamp()[1])
        elif message.topic() == 'building':
            self.inside[message.key()] = json.loads(message.value())['inside']
        elif message.topic() == 'alarms':
            self.alarms += json.loads(message.value())['hot']
        else:
            self.gaps += 1

    def received(self):
        with self.lock:
            return sum(self.count.values()), len(self.count)

    def latency(self):
        with self.lock:
            ages, self.ages = sorted(self.ages), []
        return (statistics.median(ages), ages[int(len(ages) * 0.99)]) if ages else None


class Demo:
    def __init__(self, args):
        self.args, self.recorded = args, args.data is not None
        self.dir = Path(tempfile.mkdtemp(prefix='edgelog-demo-'))
        self.topics = ['door-motion', 'climate', 'house'] if self.recorded else ['doors', 'climate']
        self.stack = Stack(args.bin, self.dir, args.base_port, SITES, [f'{topic}:3' for topic in self.topics], args.brokers)
        mapping = 'nordwijk' if self.recorded else 'edgelog-devices'
        fast = '[stream.doors]\nlinger = "20ms"\npriority = 10\n\n[stream.climate]\nlinger = "200ms"\n'
        self.sites = [Site(self.stack, k, name, mapping, name, fast) for k, name in enumerate(SITES)]
        self.services = [] if self.recorded else [
            Process('overheating', [Path(args.bin) / 'overheating', self.stack.brokers, 'climate', 'alarms'],
                    self.stack.logs / 'overheating.log'),
            Process('who-is-in', [sys.executable, ROOT / 'examples' / 'who_is_in.py', '--kafka', self.stack.brokers,
                                  '--from', 'doors', '--to', 'building'], self.stack.logs / 'who-is-in.log')]
        self.reader = Reader(self.stack.brokers, self.topics, [] if self.recorded else ['alarms', 'building'])
        self.begin = time.monotonic()
        self.story = collections.deque(maxlen=8)
        self.figures = {}
        self.live = sys.stdout.isatty()

    # ---- telling
    def tell(self, text):
        line = f'{time.monotonic() - self.begin:5.1f} s  {text}'
        self.story.append(line)
        if not self.live:
            print(line, flush=True)

    def look(self):
        backlog = {}
        for site in self.sites:
            devices = metrics(site.devices_admin) if site.devices else {}
            if devices:
                self.figures[site.k] = [int(devices[f'edgelog_devices_{what}_total']) for what in ('made', 'confirmed')]
            elif site.devices and (last := self.last_words(site)):
                self.figures[site.k] = [last['made'], last['confirmed']]
            agent = metrics(site.admin)
            backlog[site.agent_id] = (int(agent['edgelog_agent_backlog_events'])
                                      if 'edgelog_agent_backlog_events' in agent else 'down')
        made, durable = (sum(column) for column in zip(*self.figures.values())) if self.figures else (0, 0)
        return made, durable, backlog

    def show(self):
        made, durable, backlog = self.look()
        received, _ = self.reader.received()
        latency = self.reader.latency()
        age = f'{latency[0]:.0f} ms p50, {latency[1]:.0f} ms p99' if latency else 'nothing arrives'
        waiting = ', '.join(f'{name} {events}' for name, events in backlog.items())
        more = '' if self.recorded else (f'; inside {sum(self.reader.inside.values())}, '
                                         f'overheating alarms {self.reader.alarms}')
        line = f'made {made}, durable at the edge {durable}, consumed {received}; waiting: {waiting}; age {age}{more}'
        if not self.live:
            return self.tell(line)
        up = ', '.join(p.name + ('' if p.running() else ' (down)') for p in self.stack.processes)
        print('\x1b[H\x1b[2J' + '\n'.join([
            f'edgelog demo, {time.monotonic() - self.begin:.0f} s', '',
            f'  events made by devices      {made:>9}', f'  durable in the agents\' logs  {durable:>9}',
            f'  consumed from the log       {received:>9}', f'  age when consumed           {age}', '',
            *(f'  backlog of {name:<12}     {events!s:>9}' for name, events in backlog.items()), '',
            *([] if self.recorded else [f'  people inside               {sum(self.reader.inside.values()):>9}',
                                        f'  overheating alarms          {self.reader.alarms:>9}', '']),
            f'  {up}', '', *self.story, '', 'look yourself:', *self.hints()]), flush=True)

    def hints(self):
        return [f'  kcat -b {self.stack.brokers} -L',
                f'  kcat -b {self.stack.brokers} -C -t {self.topics[0]} -o -10 -e -f \'%k %s\\n\'']

    # ---- doing
    def start(self):
        self.tell('starting Mosquitto, broker, gateway')
        self.stack.start()
        if not self.recorded:
            self.make_topics(['alarms', 'building'])
        for site in self.sites:
            site.start()
        for service in self.services:
            service.start()
        self.reader.start()
        if not self.live:
            print('look yourself meanwhile:', *self.hints(), sep='\n', flush=True)
        for site in self.sites:
            self.play(site)
        self.tell(f'devices of {len(self.sites)} sites begin')

    def play(self, site):
        resend = ['--resend', '1s', '--resend-most', '4s']
        if self.recorded:
            files = sorted(Path(self.args.data).rglob('*.tsv.gz'))
            if not files:
                raise Trouble(f'{self.args.data}: no *.tsv.gz')
            site.play('nordwijk', '--part', f'{site.k}/3', '--rate', '1200', '--rows', '200000', *resend,
                      *(part for file in files for part in ('--input', file)))
        else:
            seconds = 10_000_000 if self.args.keep else SECONDS
            site.play('office', '--seed', str(site.k + 1), '--duration', f'{seconds}s', *resend)

    def make_topics(self, names):
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({'bootstrap.servers': self.stack.brokers})
        for future in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            future.result(30)

    def troubles(self):
        """(after how many seconds, what is said, what is done)."""
        cut, killed = self.sites[1], self.sites[2]
        gateway, broker = self.stack.gateways[0], self.stack.broker
        return [
            (12, f'the link of {cut.agent_id} is cut: its agent keeps what comes', cut.link.cut),
            (24, f'the link of {cut.agent_id} is back', cut.link.restore),
            (32, 'kill -9 gateway', gateway.kill), (36, 'the gateway starts again', gateway.start),
            *([(44, 'kill -9 broker', broker.kill), (48, 'the broker starts again', broker.start)] if broker else []),
            (56, f'kill -9 {killed.agent_id}: its agent', killed.agent.kill),
            (59, f'{killed.agent_id} starts again', killed.agent.start)]

    def run(self):
        first = time.monotonic()
        plan, shown = self.troubles(), 0
        while time.monotonic() - self.begin < LIMIT or self.args.keep:
            while plan and time.monotonic() - first >= plan[0][0]:
                _, text, act = plan.pop(0)
                self.tell(text)
                act()
            if not plan and self.args.keep:
                first, plan = time.monotonic(), self.troubles()
            if time.monotonic() - shown >= (1 if self.live else 5):
                shown = time.monotonic()
                self.show()
            if not plan and not self.args.keep and self.all_done():
                break
            time.sleep(0.1)
        self.show()

    def all_done(self):
        if any(site.devices.running() for site in self.sites):
            return False
        made, _ = self.sent()
        return self.reader.received()[1] >= made

    def sent(self):
        """What the devices say at their end: made, and of that forgotten."""
        made = lost = 0
        for site in self.sites:
            if site.devices.running():
                site.devices.stop()
            if last := self.last_words(site):  # what a stopped device still holds was not sent
                made, lost = made + last['made'] - last['open'], lost + last['lost']
        return made, lost

    @staticmethod
    def last_words(site):
        lines = [text for text in site.devices.tail(3).splitlines() if text.startswith('{')]
        return json.loads(lines[-1]) if lines and not site.devices.running() else None

    def account(self):
        made, forgotten = self.sent()
        until = time.monotonic() + 20
        while self.reader.received()[1] < made and time.monotonic() < until:
            time.sleep(0.2)
        received, distinct = self.reader.received()
        lost, duplicated = made - distinct, received - distinct
        for service in self.services:
            service.stop()
            print(f'{service.name}: {service.tail(1).strip()}')
        if forgotten or self.reader.gaps:
            print(f'devices had to forget {forgotten}; gap records {self.reader.gaps}')
        print(f'sent {made}, received {received}, lost {lost}, duplicated {duplicated}', flush=True)
        return 0 if made > 0 and lost == 0 and duplicated == 0 else 1

    def stop(self):
        for number in (signal.SIGINT, signal.SIGTERM):  # what is under way: leaving nothing behind
            signal.signal(number, signal.SIG_IGN)
        self.reader.stopping.set()
        for service in self.services:
            service.stop()
        for site in self.sites:
            site.stop()
        self.stack.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def has_librdkafka(python):
    return Path(python).exists() and subprocess.run([python, '-c', 'import confluent_kafka'],
                                                    stderr=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True, help='directory of the programs; ./run gives it')
    parser.add_argument('--base-port', type=int, default=9092)
    parser.add_argument('--brokers', help='HOST:PORT of a log that is there, without these topics; it is not killed')
    parser.add_argument('--data', help='directory with recorded files to replay')
    parser.add_argument('--keep', action='store_true', help='go on until Ctrl-C')
    args = parser.parse_args()
    if not has_librdkafka(sys.executable):
        if sys.executable != '/usr/bin/python3' and has_librdkafka('/usr/bin/python3'):
            os.execv('/usr/bin/python3', ['/usr/bin/python3', *sys.argv])  # Debian's, which has Debian's modules
        say('the demo needs python3-confluent-kafka')
        return 3
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    demo = Demo(args)
    try:
        demo.start()
        try:
            demo.run()
        except KeyboardInterrupt:
            if not args.keep:
                raise
        return demo.account()
    except KeyboardInterrupt:
        say('stopped')
        return 130
    except Trouble as trouble:
        say(f'demo: {trouble}')
        return 1
    finally:
        demo.stop()


if __name__ == '__main__':
    sys.exit(main())

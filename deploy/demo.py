#!/usr/bin/env python3
"""A building's events from sensor to consumer, live, with kills, ending with the account.

Three sites with devices, a Mosquitto and an agent each; a cloud with Mosquitto, gateway and broker; two services
that read topics and write others. One agent's link is cut, gateway, broker and an agent are killed with -9, all
come back. At the end: sent N, received N, lost 0, duplicated 0; exit code 0 only if that is so. Takes less than
3 minutes and leaves nothing behind.

Exit code 0: the account holds; 1: it does not, or something could not be started; 130: stopped by Ctrl-C or SIGTERM
before there was an account.

  ./run demo
  ./run demo --data recordings/nordwijk   replays recorded files (*.tsv.gz) instead of the model
  ./run demo --keep                       goes on until Ctrl-C, and then makes the account
"""
import argparse
import collections
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from account import Account, Reader
from flags import BROKERS, number, words
from procs import (ROOT, Process, Stack, Stopped, Trouble, check_free, has_librdkafka, ignore_stops, metrics, programs,
                   raise_when_stopped, say)
from sites import Site

SITES = ['house-1', 'house-2', 'house-3']
SECONDS = 75           # of events
LIMIT = 75             # so long after the devices' end the account is made, whatever happens


class Demo:
    def __init__(self, args, directory):
        self.args, self.recorded = args, bool(args.data)
        self.topics = ['door-motion', 'climate', 'house'] if self.recorded else ['doors', 'climate']
        self.stack = Stack(args.bin, directory, args.base_port, SITES, [f'{topic}:3' for topic in self.topics],
                           ','.join(args.brokers))
        mapping = 'nordwijk' if self.recorded else 'edgelog-devices'
        fast = '[stream.doors]\nlinger = "20ms"\npriority = 10\n\n[stream.climate]\nlinger = "200ms"\n'
        self.sites = [Site(self.stack, k, name, mapping, name, fast) for k, name in enumerate(SITES)]
        self.services = [] if self.recorded else [
            Process('overheating', [args.bin / 'overheating', self.stack.brokers, 'climate', 'alarms'],
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
        check_free(port for site in self.sites for port in site.ports)
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
            site.play('nordwijk', '--part', f'{site.k}/3', '--rate', '1200', '--rows', '200000', *resend,
                      *(part for file in self.args.data for part in ('--input', file)))
        else:
            seconds = 10_000_000 if self.args.keep else self.args.seconds
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
        plan = [
            (12, f'the link of {cut.agent_id} is cut: its agent keeps what comes', cut.link.cut),
            (24, f'the link of {cut.agent_id} is back', cut.link.restore),
            (32, 'kill -9 gateway', gateway.kill), (36, 'the gateway starts again', gateway.start),
            *([(44, 'kill -9 broker', broker.kill), (48, 'the broker starts again', broker.start)] if broker else []),
            (56, f'kill -9 {killed.agent_id}: its agent', killed.agent.kill),
            (59, f'{killed.agent_id} starts again', killed.agent.start)]
        return [(at * self.args.seconds / SECONDS, said, done) for at, said, done in plan]

    def run(self):
        first = time.monotonic()
        plan, shown = self.troubles(), 0
        while time.monotonic() - self.begin < self.args.seconds + LIMIT or self.args.keep:
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
        account = Account(made, *self.reader.received())
        for service in self.services:
            service.stop()
            print(f'{service.name}: {service.tail(1).strip()}')
        if forgotten or self.reader.gaps:
            print(f'devices had to forget {forgotten}; gap records {self.reader.gaps}')
        print(account, flush=True)
        return account

    def stop(self):
        self.reader.stopping.set()
        for service in self.services:
            service.stop()
        for site in self.sites:
            site.stop()
        self.stack.stop()


def recordings(directory):
    files = sorted(Path(directory).rglob('*.tsv.gz'))
    if not files:
        raise argparse.ArgumentTypeError(f'no *.tsv.gz in {directory}')
    return files


def arguments():
    parser = argparse.ArgumentParser(prog='./run demo', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', help='directory of the programs; without it they are built')
    parser.add_argument('--base-port', type=number(1, 64_000), default=9092)
    parser.add_argument('--brokers', type=words(*BROKERS), default=[],
                        help='HOST:PORT,... of a log that is there, without these topics; it is not killed')
    parser.add_argument('--data', type=recordings, help='directory with recorded files to replay')
    parser.add_argument('--seconds', type=number(5, 100), default=SECONDS,
                        help=f'how long the devices speak; what is done to them scales with it (default {SECONDS})')
    parser.add_argument('--keep', action='store_true', help='go on until Ctrl-C')
    return parser.parse_args()


def watch(demo):
    """Gives the account, or raises."""
    demo.start()
    try:
        demo.run()
    except Stopped:
        if not demo.args.keep:
            raise
        raise_when_stopped()  # who has no patience for the account, stops again
    return demo.account()


def main():
    args = arguments()
    if not has_librdkafka():
        say('the demo needs python3-confluent-kafka')
        return 3
    raise_when_stopped()
    demo, directory = None, None
    try:
        args.bin = programs(args.bin)
        directory = tempfile.mkdtemp(prefix='edgelog-demo-')
        demo = Demo(args, directory)
        return 0 if watch(demo).holds else 1
    except Stopped as stopped:
        say(f'{stopped}: stopping')
        return 130
    except (Trouble, OSError, subprocess.SubprocessError) as trouble:
        say(f'demo: {trouble}')
        return 1
    finally:
        ignore_stops()
        if demo:
            demo.stop()
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
        kept = f' but topics in {",".join(args.brokers)}' if args.brokers else ''
        say(f'everything is stopped, nothing is left behind{kept}')


if __name__ == '__main__':
    sys.exit(main())

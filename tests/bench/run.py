#!/usr/bin/env python3
"""Figures of the edge, measured on this machine with the real programs.

  ./run bench edge                 all of it; a backlog taken at 1,000/s takes 17 minutes
  ./run bench edge --quick         the backlog taken faster, shorter runs
  ./run bench edge --only wire     one part: start, ingest, wire, latency, backlog

Nothing here asserts: it prints figures and the aims beside them. Bytes on the wire are counted as on a network of
1,500-byte frames, MQTT and TCP/IP headers included, for the agent's uplink and, in the same run and for the same
events, for one JSON message per event from the devices. Needs root for that part.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'deploy'))
import mosquitto  # noqa: E402
from procs import (Process, Stack, Trouble, find_mosquitto, get, json_line, metrics, port_answers, programs,  # noqa: E402
                   ready, say, wait_until)
from sites import agent_config  # noqa: E402

AGENT = 'bench-1'


def status_kib(pid, field):
    """VmRSS or VmHWM of a process, in KiB."""
    for line in open(f'/proc/{pid}/status'):
        if line.startswith(field + ':'):
            return int(line.split()[1])
    return 0


def written_bytes(pid):
    for line in open(f'/proc/{pid}/io'):
        if line.startswith('write_bytes:'):
            return int(line.split()[1])
    return 0


class Bench:
    def __init__(self, args, directory):
        self.args, self.dir, self.bin = args, Path(directory), Path(args.bin)
        self.load = self.bin / 'edgelog-load'
        self.figures = {}

    def note(self, part, aim=None, **figures):
        self.figures[part] = {**figures, **({'aim': aim} if aim else {})}
        say(f'  {part}: ' + ', '.join(f'{k} {v}' for k, v in figures.items()) + (f'   (aim: {aim})' if aim else ''))

    def stack(self, name):
        stack = Stack(self.bin, self.dir / name, self.args.base_port, [AGENT], ['climate:1'])
        # The agent's uplink has a listener of its own, so that its traffic can be counted alone.
        self.uplink_port = stack.ports.mqtt + 50
        mosquitto.write_cloud(stack.data / 'mosquitto', stack.ports.mqtt, [AGENT],
                              extra=f'listener {self.uplink_port} 127.0.0.1\n')
        return stack

    def site(self, name, stack):
        port, device_port = stack.ports.site(1), stack.ports.site(1) + 50
        conf = mosquitto.write_site(self.dir / name / 'site', port, extra=f'listener {device_port} 127.0.0.1\n')['conf']
        process = Process('site mosquitto', [find_mosquitto(), '-c', conf], stack.logs / 'site.log').start()
        wait_until(lambda: port_answers(device_port), 'the site Mosquitto listens', 10, [process])
        return process, port, device_port

    def agent(self, name, stack, linger, site_port=None, uplink_port=None, stdin=False):
        """A configured agent that is not started."""
        source = f'name = "site"\nkind = "mqtt"\nmapping = "plain-json"\nport = {site_port}' if site_port else ''
        config = agent_config(self.dir / name / 'agent.toml', stack, AGENT, 1, self.dir / name / 'agent',
                              uplink_port or self.uplink_port, source,
                              more=f'linger = "{linger}"\n' + ('stdin = "plain-json"' if stdin else ''))
        self.agent_admin = f'http://127.0.0.1:{stack.ports.agent_admin(1)}'
        return Process('agent', [self.bin / 'edgelog-agent', '--config', config], stack.logs / 'agent.log')

    def publish(self, port, rate, count, stamp='ns'):
        return [str(self.load), 'publish', '--port', str(port), '--rate', str(rate), '--count', str(count),
                '--stamp', stamp]

    def consume(self, stack, count, skip=0, idle=60):
        return subprocess.Popen([str(self.load), 'consume', '--brokers', stack.brokers, '--topic', 'climate', '--count',
                                 str(count), '--skip', str(skip), '--idle', str(idle)], stdout=subprocess.PIPE, text=True)

    # ---- parts ----------------------------------------------------------------------------------------------------

    def start(self):
        say('start: from exec until it answers, and resident memory when idle')
        stack = self.stack('start')

        def timed(process, answers):
            begin = time.monotonic()
            process.start()
            while not answers():
                process.must_run()
                time.sleep(0.001)
            return round((time.monotonic() - begin) * 1000, 1)

        with stack:
            took = {'mosquitto': timed(stack.mosquitto, lambda: port_answers(stack.ports.mqtt))}
            took['broker'] = timed(stack.broker, lambda: port_answers(stack.ports.kafka))
            wait_until(lambda: ready(stack.admins()[0]), 'broker ready')
            took['gateway'] = timed(stack.gateways[0], lambda: get(stack.admins()[1] + '/healthz')[0] == 200)
            agent = self.agent('start', stack, '1s')
            took['agent'] = timed(agent, lambda: get(self.agent_admin + '/healthz')[0] == 200)
            time.sleep(3)
            for process in (stack.broker, stack.gateways[0], agent, stack.mosquitto):
                name = process.name.rstrip('0')
                self.note(f'start {name}', 'broker 50 ms, 20 MB' if name == 'broker' else None, ms=took[name],
                          rss_mb=round(status_kib(process.pid, 'VmRSS') / 1024, 1))
            agent.stop()

    def ingest(self):
        count = 300_000 if self.args.quick else 2_000_000
        say(f'ingest: {count} JSON lines on stdin until all are durable, no uplink')
        stack = self.stack('ingest')
        lines = self.dir / 'lines'
        with open(lines, 'wb') as out:
            subprocess.run([str(self.load), 'lines', '--count', str(count)], stdout=out, check=True)
        rates = []
        for turn in range(3):
            shutil.rmtree(self.dir / 'ingest' / 'agent', ignore_errors=True)
            agent = self.agent('ingest', stack, '1s', uplink_port=1, stdin=True)
            with open(lines, 'rb') as feed:
                agent.stdin = feed
                begin = time.monotonic()
                agent.start()
                memory = written = 0
                while agent.running():
                    try:
                        memory, written = max(memory, status_kib(agent.pid, 'VmHWM')), written_bytes(agent.pid)
                    except OSError:
                        pass
                    time.sleep(0.005)
            if agent.child.returncode != 0:
                raise Trouble(f'the agent ended with {agent.child.returncode}:\n{agent.tail()}')
            rates.append(count / (time.monotonic() - begin))
        self.note('ingest', '250,000 events/s, under 12 MB', events_per_s=round(sorted(rates)[1]),
                  of_three=[round(r) for r in rates], peak_rss_mb=round(memory / 1024, 1),
                  disk_bytes_per_event=round(written / count, 1))

    def wire(self):
        say('wire and disk: bytes per event at a steady rate, linger 1 s')
        for rate, seconds in ((1, 30), (100, 20), (10_000, 15)):
            seconds = seconds // 3 if self.args.quick else seconds
            name = f'wire-{rate}'
            stack = self.stack(name)
            with stack:
                stack.start()
                site, site_port, device_port = self.site(name, stack)
                agent = self.agent(name, stack, '1s', site_port).start()
                try:
                    wait_until(lambda: ready(self.agent_admin), 'the agent is ready', 30, [agent])
                    count = rate * seconds
                    before = written_bytes(agent.pid)
                    counters = [subprocess.Popen([str(self.load), 'wire', '--port', str(port), '--seconds', '600'],
                                                 stdout=subprocess.PIPE, text=True) for port in (self.uplink_port, device_port)]
                    reader = self.consume(stack, count, idle=90)
                    time.sleep(0.3)
                    subprocess.run(self.publish(device_port, rate, count, 'ms'), check=True,
                                   stdout=subprocess.DEVNULL)
                    got = json.loads(reader.communicate()[0])
                    time.sleep(1.5)  # the last answers
                    for counter in counters:
                        counter.terminate()
                    uplink, single = (json.loads(counter.communicate()[0]) for counter in counters)
                    per_event = uplink['wire_bytes'] / count
                    per_message = single['wire_bytes'] / count
                    self.note(f'wire {rate}/s', 'ratio 0.1 from 100/s on', received=got['received'],
                              uplink_bytes_per_event=round(per_event, 1), json_bytes_per_event=round(per_message, 1),
                              ratio=round(per_event / per_message, 3), missed=uplink['missed'] + single['missed'],
                              disk_bytes_per_event=round((written_bytes(agent.pid) - before) / count, 1),
                              rss_mb=round(status_kib(agent.pid, 'VmRSS') / 1024, 1))
                finally:
                    agent.stop()
                    site.stop()

    def latency(self):
        rate, seconds = 10_000, 10 if self.args.quick else 30
        say(f'latency: sensor to consumer at {rate} events/s, linger 20 ms')
        stack = self.stack('latency')
        with stack:
            stack.start()
            site, site_port, device_port = self.site('latency', stack)
            agent = self.agent('latency', stack, '20ms', site_port).start()
            try:
                wait_until(lambda: ready(self.agent_admin), 'the agent is ready', 30, [agent])
                count = rate * seconds
                reader = self.consume(stack, count, skip=rate * 2)
                time.sleep(0.3)
                sent = subprocess.run(self.publish(device_port, rate, count), check=True, stdout=subprocess.PIPE, text=True)
                got = json.loads(reader.communicate()[0])
                self.note('latency', 'p99 50 ms', received=got['received'],
                          events_per_s=round(count / json.loads(sent.stdout)['seconds']), p50_ms=got['p50_ms'],
                          p99_ms=got['p99_ms'], max_ms=got['max_ms'])
            finally:
                agent.stop()
                site.stop()

    def backlog(self):
        count = 1_000_000
        rate = 20_000 if self.args.quick else 1000
        say(f'backlog: {count} events taken at {rate}/s without a link, then drained to a consumer')
        stack = self.stack('backlog')
        with stack:
            stack.start()
            stack.mosquitto.stop()
            site, site_port, device_port = self.site('backlog', stack)
            agent = self.agent('backlog', stack, '1s', site_port).start()
            try:
                wait_until(lambda: get(self.agent_admin + '/healthz')[0] == 200, 'the agent answers', 10, [agent])
                time.sleep(1)
                subprocess.run(self.publish(device_port, rate, count), check=True, stdout=subprocess.DEVNULL)
                time.sleep(2)
                memory = status_kib(agent.pid, 'VmRSS')
                reader = self.consume(stack, count, idle=120)
                time.sleep(1)
                stack.mosquitto.start()
                # Both try again by themselves, after up to 10 s: the time counts from when both are there.
                wait_until(lambda: ready(stack.admins()[1]) and
                           metrics(self.agent_admin).get('edgelog_agent_uplink_connected') == 1, 'the link', 60, [agent])
                linked = time.monotonic()
                got = json.loads(reader.communicate()[0])
                self.note('backlog', '5 s', received=got['received'],
                          from_link_s=round(time.monotonic() - linked, 2), first_to_last_s=got['seconds'],
                          rss_before_mb=round(memory / 1024, 1),
                          rss_after_mb=round(status_kib(agent.pid, 'VmHWM') / 1024, 1),
                          sent_again=metrics(self.agent_admin).get('edgelog_agent_batches_sent_again_total'))
            finally:
                agent.stop()
                site.stop()


PARTS = ('start', 'ingest', 'wire', 'latency', 'backlog')


def main():
    parser = argparse.ArgumentParser(prog='./run bench', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', nargs='?', default='edge', choices=['edge'])
    parser.add_argument('--bin', help='directory of the programs; without it they are built')
    parser.add_argument('--base-port', type=int, default=31092)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--only', choices=PARTS, action='append')
    parser.add_argument('--dir', help='where to work (default: a temporary directory; the disk under it is what is measured)')
    args = parser.parse_args()
    args.bin = programs(args.bin, 'edgelog-load')
    work = Path(args.dir or tempfile.mkdtemp(prefix='edgelog-bench-', dir=os.environ.get('TMPDIR', '/var/tmp')))
    bench = Bench(args, work)
    try:
        for part in args.only or PARTS:
            getattr(bench, part)()
        json_line(bench.figures)
        return 0
    except (Trouble, subprocess.CalledProcessError, OSError) as trouble:
        say(f'bench: {trouble}')
        return 1
    finally:
        if not args.dir:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())

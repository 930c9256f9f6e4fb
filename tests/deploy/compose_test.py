#!/usr/bin/env python3
"""compose_test.py [--bin DIR]: docker-compose.yml is well formed, and its commands work: without containers, each
service's own command and health check run here, with names and ports translated to loopback and volumes to a folder.
All become healthy within their limits of memory, and events of all three agents stand in the log; then all are stopped
and started again on what their volumes kept, and nothing else: what was in the log still is, and events go on. Exit
code 77 where the programs are not built."""
import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120  # for everything to become healthy on a busy machine
SERVICES = {'mqtt', 'broker', 'gateway', 'overheating', 'who-is-in',
            *(f'{what}-{k}' for what in ('site', 'agent', 'devices') for k in (1, 2, 3))}
DURABLE = {'broker', 'agent-1', 'agent-2', 'agent-3'}


def complaints(compose):
    """What docker compose itself would refuse, and what we ask of every service."""
    services, volumes = compose['services'], compose.get('volumes', {})
    if set(services) != SERVICES:
        yield f'expected the services {sorted(SERVICES)}, not {sorted(services)}'
    for name in DURABLE & set(services):
        own = [volume.split(':') for volume in services[name].get('volumes', [])]
        if not any(source == name and at == '/data' for source, at, *_ in own):
            yield f'{name}: keeps what must last: expected a volume {name}:/data'
    for name, service in services.items():
        if 'image' not in service or 'build' not in service or 'mem_limit' not in service:
            yield f'{name}: expected image, build and mem_limit'
        if not isinstance(service.get('command'), list) or not all(isinstance(w, str) for w in service['command']):
            yield f'{name}: expected a command as a list of strings'
        if service.get('restart') != 'unless-stopped':
            yield f'{name}: expected to be started again'
        if 'healthcheck' not in service:
            yield f'{name}: expected a health check'
        for other, how in service.get('depends_on', {}).items():
            if other not in services:
                yield f'{name}: depends on {other}, which is not there'
            elif how['condition'] == 'service_healthy' and 'healthcheck' not in services[other]:
                yield f'{name}: waits for the health of {other}, which has no check'
        mode = service.get('network_mode')
        if mode and mode.removeprefix('service:') not in services:
            yield f'{name}: shares the network of {mode}, which is not there'
        for volume in service.get('volumes', []):
            if volume.split(':')[0] not in volumes:
                yield f'{name}: volume {volume} is not declared'


class Loopback:
    """Translates what a service says about hosts, ports and paths to this machine."""

    def __init__(self, compose, folder):
        self.services, self.folder, self.ports = compose['services'], Path(folder), {}

    def network(self, name):
        return self.services[name].get('network_mode', f'service:{name}').removeprefix('service:')

    def port(self, name, number):
        key = (self.network(name), int(number))
        if key not in self.ports:
            with socket.socket() as probe:
                probe.bind(('127.0.0.1', 0))
                self.ports[key] = probe.getsockname()[1]
        return self.ports[key]

    def data(self, name):
        for volume in self.services[name].get('volumes', []):
            if volume.split(':')[1] == '/data':
                return self.folder / 'volumes' / volume.split(':')[0]
        return self.folder / 'unnamed' / name

    def text(self, name, text):
        """One word of a command, or a configuration file."""
        hosts = '|'.join(map(re.escape, self.services))
        text = re.sub(rf'\b({hosts}):(\d+)\b', lambda m: f'127.0.0.1:{self.port(m[1], m[2])}', text)
        # Ports in the file have four digits, translated ones five: none is translated twice.
        text = re.sub(r'(?<![\d.])(?:127\.0\.0\.1|0\.0\.0\.0):(\d{4})\b', lambda m: f'127.0.0.1:{self.port(name, m[1])}', text)
        text = text.replace('--host 0.0.0.0', '--host 127.0.0.1')
        text = re.sub(r'(port = |--port )(\d+)', lambda m: f'{m[1]}{self.port(name, m[2])}', text)
        text = text.replace('/secrets', str(self.folder / 'volumes/secrets'))
        text = re.sub(r'(?<![\w/])/data\b', str(self.data(name)), text)
        text = text.replace('/opt/edgelog/profiles', str(ROOT / 'firmware-sim/profiles'))
        return text.replace('/opt/edgelog', str(ROOT))

    def command(self, name, words):
        out = [self.text(name, word) for word in words]
        for i, word in enumerate(words[:-1]):
            if word == '--host':
                out[i + 1] = '127.0.0.1'
            elif word == '--port':
                out[i + 1] = str(self.port(name, words[i + 1]))
            elif word == '--uplink-host':
                out[i + 1] = '127.0.0.1'
                out[words.index('--uplink-port') + 1] = str(
                    self.port(words[i + 1], words[words.index('--uplink-port') + 1]))
            elif word == '--config':
                path = self.folder / f'{name}.toml'
                path.write_text(self.text(name, Path(out[i + 1]).read_text()))
                out[i + 1] = str(path)
        return out


def memory_limit(service):
    number, unit = re.fullmatch(r'(\d+)([mg])', service['mem_limit']).groups()
    return int(number) << {'m': 20, 'g': 30}[unit]


def resident_bytes(group):
    """Of all processes of a process group."""
    pages = 0
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            pages += int(fields[21])
    return pages * os.sysconf('SC_PAGE_SIZE')


class Running:
    def __init__(self, compose, folder, bin_dir):
        self.compose, self.folder, self.loopback = compose, Path(folder), Loopback(compose, folder)
        self.environment = {**os.environ, 'PATH': f'{bin_dir}:/usr/bin:/usr/sbin:{os.environ["PATH"]}'}
        self.processes, self.until = {}, time.monotonic() + SECONDS

    def log(self, name):
        return self.folder / f'{name}.log'

    def start(self, name):
        for other, how in self.compose['services'][name].get('depends_on', {}).items():
            if other not in self.processes:
                self.start(other)
            if how['condition'] == 'service_healthy':
                self.wait_healthy(other)
        self.loopback.data(name).mkdir(parents=True, exist_ok=True)
        with open(self.log(name), 'wb') as log:
            self.processes[name] = subprocess.Popen(
                self.loopback.command(name, self.compose['services'][name]['command']), stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self.environment, cwd=self.folder,
                start_new_session=True)

    def wait_healthy(self, name):
        words = self.compose['services'][name]['healthcheck']['test'][1:]
        while True:
            run = subprocess.run(self.loopback.command(name, words), capture_output=True, text=True, env=self.environment)
            if run.returncode == 0:
                return
            if self.processes[name].poll() is not None or time.monotonic() > self.until:
                raise AssertionError(f'{name} is not healthy: {run.stdout}\n{self.log(name).read_text()[-2000:]}')
            time.sleep(0.3)

    def start_all(self):
        for name in self.compose['services']:
            if name not in self.processes:
                self.start(name)
        for name in self.compose['services']:
            self.wait_healthy(name)

    def kafka(self):
        from confluent_kafka import Consumer
        return Consumer({'bootstrap.servers': f'127.0.0.1:{self.loopback.port("broker", 9092)}', 'group.id': 'look',
                         'auto.offset.reset': 'earliest', 'topic.metadata.refresh.interval.ms': 1000, 'log_level': 0})

    def wait_for_events(self, since):
        """Until events of all agents are seen behind the offsets `since` {(topic, partition): offset}. Gives
        {(topic, partition): (its first record, offset behind its last one)}."""
        from confluent_kafka import TopicPartition
        consumer = self.kafka()
        places = [(topic, partition) for topic in ('doors', 'climate') for partition in range(3)]
        consumer.assign([TopicPartition(*place, 0) for place in places])
        seen, wanted, first, end = set(), {'house-1', 'house-2', 'house-3'}, {}, {}
        while seen != wanted or not all(end.get(place, 0) >= offset for place, offset in since.items()):
            assert time.monotonic() < self.until, f'new events of {sorted(seen)} only'
            message = consumer.poll(1)
            if message and not message.error():
                place = message.topic(), message.partition()
                first.setdefault(place, (message.offset(), message.value()))
                end[place] = message.offset() + 1
                if message.key() and message.offset() >= since.get(place, 0):
                    seen.add(message.key().decode().split('/')[0])
        consumer.close()
        return {place: (first[place], end[place]) for place in first}

    def over_their_limits(self):
        return [f'{name}: {size >> 20} MiB resident, more than its mem_limit' for name, process in self.processes.items()
                if (size := resident_bytes(process.pid)) > memory_limit(self.compose['services'][name])]

    def stop(self):
        """SIGTERM to all, those that depend on others first. Gives what did not end in order."""
        bad = []
        for name, process in reversed(self.processes.items()):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    bad.append(f'{name} did not stop within 20 s of SIGTERM')
            if process.returncode not in (0, -signal.SIGTERM):
                bad.append(f'{name} ended with {process.returncode}: {self.log(name).read_text()[-2000:]}')
        return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bin', type=Path, help='folder of the programs; without it the file is only checked')
    args = parser.parse_args()
    import yaml
    compose = yaml.safe_load((ROOT / 'docker-compose.yml').read_text())
    if bad := list(complaints(compose)):
        print('\n'.join(f'docker-compose.yml: {line}' for line in bad))
        return 1
    if shutil.which('docker') and subprocess.run(['docker', 'compose', 'version'], capture_output=True).returncode == 0:
        subprocess.run(['docker', 'compose', 'config', '--quiet'], cwd=ROOT, check=True)
    if not args.bin:
        return 0
    programs = {s['command'][0] for s in compose['services'].values()} - {'sh', 'python3', 'mosquitto'}
    scripts = {word.replace('/opt/edgelog', str(ROOT)) for s in compose['services'].values() for word in s['command']
               if word.startswith('/opt/edgelog/examples')}
    if missing := sorted(p for p in programs | scripts if not (args.bin / p).exists()):
        print(f'SKIPPED: not built: {", ".join(missing)}')
        return 77
    # A sanitizer's own memory is several times that of the program.
    measured = b'__asan_init' not in (args.bin / 'edgelog-broker').read_bytes()
    with tempfile.TemporaryDirectory(prefix='edgelog-compose.') as folder:
        bad, before = [], {}
        for _ in ('first', 'again'):
            running = Running(compose, folder, args.bin.absolute())
            try:
                running.start_all()
                now = running.wait_for_events({place: end for place, (_, end) in before.items()})
                bad += running.over_their_limits() if measured else []
            finally:
                bad += running.stop()
            bad += [f'{place} began with {first}, and no longer does' for place, (first, _) in before.items()
                    if now[place][0] != first]
            before = now
            shutil.rmtree(Path(folder, 'unnamed'), ignore_errors=True)  # what no volume keeps
        print('\n'.join(bad) or f'{len(running.processes)} services ran twice, events of all agents arrived'
              f'{"" if measured else "; memory not measured: built with a sanitizer"}')
        return bool(bad)


if __name__ == '__main__':
    sys.exit(main())

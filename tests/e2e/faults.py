#!/usr/bin/env python3
"""What bad input and full disks get, with the real programs.

  faults.py --bin DIR                       all of it
  faults.py --bin DIR broker_disk_full      one of it

  broker_disk_full  the broker's log on a small ext4 that fills up: refused, said in /readyz, nothing acknowledged
                    lost; goes on when space returns; kill -9 then
  agent_disk_full   the same for the agent's log; acknowledgements alone make room, too
  bad_input         malformed JSON, wrong types, invalid UTF-8, what is too large, unknown topics, absurd device times,
                    over MQTT and the socket: counted, dead-lettered with the reason, logged with a limit
  second_process    a second process on a data directory is refused
  garbage           frames that are garbage, too large or cut off: that connection is closed, nobody else notices
  bad_config        file, line, key, what was expected; exit code 2; --check-config

Full disks are loop-mounted and need root: without it they are skipped. Exit code 0: all held; 1: not; 77: skipped.
"""
import argparse
import json
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'deploy'), str(Path(__file__).resolve().parent)]
import bad_input  # noqa: E402
from procs import Process, Stack, Trouble, get, metrics, port_answers, port_is_free, ready, say, wait_until, write_text  # noqa: E402
from sites import Link, agent_config, socket_input  # noqa: E402

AGENT = 'fault-1'
MIB = 1 << 20


class Skipped(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Trouble(f'does not hold: {what}')


class SmallDisk:
    """An ext4 of `mib` MiB on a loop device, and a ballast file that can be taken away."""

    def __init__(self, directory, mib=96, ballast_mib=40):
        if os.geteuid() != 0:
            raise Skipped('a loop mount needs root')
        self.image, self.mount, self.ballast_mib = directory / 'disk.img', directory / 'disk', ballast_mib
        self.mib = mib

    def __enter__(self):
        self.mount.mkdir(parents=True)
        with open(self.image, 'wb') as image:
            image.truncate(self.mib * MIB)
        subprocess.run(['mkfs.ext4', '-q', '-m', '0', str(self.image)], check=True)
        if subprocess.run(['mount', '-o', 'loop', str(self.image), str(self.mount)], stderr=subprocess.DEVNULL).returncode:
            raise Skipped('no loop devices here')
        with open(self.mount / 'ballast', 'wb') as file:
            os.posix_fallocate(file.fileno(), 0, self.ballast_mib * MIB)
        return self

    def relieve(self):
        (self.mount / 'ballast').unlink()

    def __exit__(self, *_):
        subprocess.run(['umount', '-l', str(self.mount)], check=False)


class Writer:
    """Idempotent producer of numbered values; remembers what was acknowledged."""

    def __init__(self, brokers, topic, size=16_000):
        self.topic, self.pad, self.next, self.acked, self.failed = topic, os.urandom(size), 0, set(), 0
        self.producer = Producer({'bootstrap.servers': brokers, 'enable.idempotence': True, 'linger.ms': 5,
                                  'message.timeout.ms': 4000, 'compression.type': 'none'})

    def _done(self, number, error):
        if error is None:
            self.acked.add(number)
        else:
            self.failed += 1

    def write(self, count):
        for _ in range(count):
            number = self.next
            self.next += 1
            while True:
                try:
                    self.producer.produce(self.topic, struct.pack('>q', number) + self.pad,
                                          callback=lambda error, _, number=number: self._done(number, error))
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)
        self.producer.flush(15)


def read_numbers(brokers, topic, key=lambda value: struct.unpack('>q', value[:8])[0], partitions=1):
    """All numbers in a topic, in order of offset, until its end."""
    consumer = Consumer({'bootstrap.servers': brokers, 'group.id': 'faults', 'enable.auto.commit': False,
                         'check.crcs': True})
    numbers = []
    try:
        for p in range(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
            consumer.assign([TopicPartition(topic, p, low)])
            at, until = low, time.monotonic() + 60
            while at < high and time.monotonic() < until:
                for message in consumer.consume(1000, 0.5):
                    if message.error():
                        raise KafkaException(message.error())
                    at = message.offset() + 1
                    if not any(name == 'edgelog.fence' for name, _ in message.headers() or []):
                        numbers.append(key(message.value()))
            check(at >= high, f'{topic}-{p} can be read to its end {high}, stopped at {at}')
    finally:
        consumer.close()
    return numbers


class Faults:
    def __init__(self, args, directory):
        self.args, self.bin, self.dir = args, Path(args.bin).absolute(), Path(directory)
        self.ports = range(args.base_port, args.base_port + 600)

    def broker(self, data, *more):
        port, admin = self.args.base_port, self.args.base_port + 200
        process = Process('broker', [self.bin / 'edgelog-broker', '--data', data, '--listen', f'127.0.0.1:{port}',
                                     '--admin', f'127.0.0.1:{admin}', *more], self.dir / 'broker.log')
        return process, f'127.0.0.1:{port}', f'http://127.0.0.1:{admin}'

    def started(self, process, admin):
        process.start()
        wait_until(lambda: ready(admin), 'the broker is ready', 30, [process])

    def broker_disk_full(self):
        with SmallDisk(self.dir) as disk:
            process, brokers, admin = self.broker(disk.mount / 'log', '--disk_reserve', '8MiB')
            try:
                self.started(process, admin)
                writer = Writer(brokers, 'full')
                while writer.failed == 0 and writer.next < 20_000:
                    writer.write(100)
                    process.must_run()
                check(writer.failed > 0, 'the disk fills up')
                wait_until(lambda: get(admin + '/readyz')[0] == 503, '/readyz says that it is full', 10, [process])
                reason = get(admin + '/readyz')[1]
                check('disk' in reason or 'space' in reason, f'/readyz names the disk: {reason}')
                before = list(writer.acked)
                check(sorted(set(read_numbers(brokers, 'full')) & set(before)) == sorted(before),
                      'all that was acknowledged can be read while the disk is full')
                disk.relieve()
                wait_until(lambda: ready(admin), 'ready again when space returns', 60, [process])
                again = Writer(brokers, 'full')
                again.next = 1_000_000
                again.write(300)
                check(again.failed == 0 and len(again.acked) == 300, 'work goes on when space returns')
                process.kill()
                self.started(process, admin)
                numbers = read_numbers(brokers, 'full')
                acked = writer.acked | again.acked
                check(acked <= set(numbers), f'all {len(acked)} acknowledged are there after kill -9')
                check(len(numbers) == len(set(numbers)), 'none twice')
                say(f'    {len(writer.acked)} acknowledged before it was full, {writer.failed} refused, 300 after; '
                    f'{len(numbers)} in the log, each once')
            finally:
                process.stop()

    def agent_disk_full(self):
        with SmallDisk(self.dir, 48, 12) as disk, Stack(self.bin, self.dir / 'stack', self.args.base_port, [AGENT],
                                                        ['filling:1']) as stack:
            admin = f'http://127.0.0.1:{stack.ports.agent_admin(1)}'
            link, data = Link(stack.ports.mqtt), disk.mount / 'agent'
            config = agent_config(self.dir / 'agent.toml', stack, AGENT, 1, data, link.port,
                                  socket_input(self.dir / 'agent.sock'), '[stream.filling]\nwhen_full = "block"')
            process = Process('agent', [self.bin / 'edgelog-agent', '--config', config], self.dir / 'agent.log')
            feed = Feed(self.dir / 'agent.sock')
            try:
                stack.start()
                link.cut()
                self.start_agent(process, stack, feed)
                self.fill(process, admin, feed)
                # kill -9 while it is full: SQLite itself finds no damage, and the agent starts in the same state.
                process.kill()
                self.judge_database(data / 'agent.db')
                self.start_agent(process, stack, feed)
                wait_until(lambda: feed.push() or 'space' in get(admin + '/readyz')[1], 'after kill -9 /readyz says it again', 20, [process])
                # No space returns, but the link: what is acknowledged is deleted, and its room is used again.
                link.restore()
                before = feed.durable
                wait_until(lambda: feed.drained() and ready(admin), 'acknowledgements alone make room', 120, [process])
                check(feed.durable > before, 'and more is taken')
                link.cut()
                self.fill(process, admin, feed)
                disk.relieve()
                wait_until(lambda: feed.drained(), 'all that was sent is durable when space returns', 60, [process])
                wait_until(lambda: metrics(admin).get('edgelog_agent_disk_full') == 0, 'the metric says so', 10, [process])
                link.restore()
                wait_until(lambda: ready(admin) and self.topic_end(stack, 'filling') >= feed.sent, f'{feed.sent} events in '
                           'the log', 120, [process, *stack.processes])
                numbers = read_numbers(stack.brokers, 'filling', lambda value: json.loads(value)['i'])
                check(numbers == list(range(feed.sent)), f'all {feed.sent} events are in the log, once and in order')
                say(f'    {feed.sent} events taken, {len(numbers)} in the log, in order')
            finally:
                process.stop()
                link.close()

    def start_agent(self, process, stack, feed):
        (self.dir / 'agent.sock').unlink(missing_ok=True)
        process.start()
        wait_until(lambda: (self.dir / 'agent.sock').exists() and port_answers(stack.ports.agent_admin(1)),
                   'the agent listens', 20, [process])
        feed.connect()

    @staticmethod
    def fill(process, admin, feed):
        """Until nothing more is taken for want of space."""
        while not feed.stuck() or metrics(admin).get('edgelog_agent_disk_full') != 1:
            feed.more()
            process.must_run()
            check(feed.sent < 1_000_000, 'the disk fills up')
        status, reason = get(admin + '/readyz')
        check(status == 503 and 'space' in reason, f'/readyz names the disk: {status} {reason}')
        say(f'    full after {feed.durable} durable events: {reason.strip()[:200]}')

    def judge_database(self, path):
        copies = self.dir / 'copies'
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        for file in path.parent.glob('agent.db*'):
            shutil.copy(file, copies)
        with sqlite3.connect(copies / 'agent.db') as database:
            check(database.execute('PRAGMA integrity_check').fetchall() == [('ok',)], 'the database is sound')

    @staticmethod
    def topic_end(stack, topic):
        consumer = Consumer({'bootstrap.servers': stack.brokers, 'group.id': 'faults'})
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5, cached=False)[1]
        except KafkaException:
            return 0
        finally:
            consumer.close()

    def second_process(self):
        process, _, admin = self.broker(self.dir / 'log')
        try:
            self.started(process, admin)
            second = subprocess.run([str(self.bin / 'edgelog-broker'), '--data', str(self.dir / 'log'), '--listen',
                                     f'127.0.0.1:{self.args.base_port + 1}', '--admin',
                                     f'127.0.0.1:{self.args.base_port + 201}'], capture_output=True, text=True, timeout=20)
            check(second.returncode == 75, f'the second broker ends with 75, not {second.returncode}: {second.stderr}')
            check(str(self.dir / 'log') in second.stderr, f'it names the directory: {second.stderr}')
            check(ready(admin), 'the first one goes on')
        finally:
            process.stop()
        agent = ['--id', AGENT, '--data', str(self.dir / 'agent'), '--uplink-port', '1']
        first = Process('agent', [self.bin / 'edgelog-agent', *agent, '--admin', f'127.0.0.1:{self.args.base_port + 501}'],
                        self.dir / 'agent.log').start()
        try:
            wait_until(lambda: port_answers(self.args.base_port + 501), 'the agent listens', 10, [first])
            second = subprocess.run([str(self.bin / 'edgelog-agent'), *agent, '--admin',
                                     f'127.0.0.1:{self.args.base_port + 502}'], capture_output=True, text=True, timeout=20)
            check(second.returncode == 75, f'the second agent ends with 75, not {second.returncode}: {second.stderr}')
            first.must_run()
        finally:
            first.stop()

    def bad_input(self):
        bad_input.bad_input(self)

    def garbage(self):
        process, brokers, admin = self.broker(self.dir / 'log')
        port = self.args.base_port
        frames = {'garbage': os.urandom(64 * 1024), 'too large': struct.pack('>i', 0x7fffffff) + b'x' * 1000,
                  'negative length': struct.pack('>i', -5) + b'x' * 100, 'zero length': struct.pack('>i', 0),
                  'http': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n' * 10,
                  'unknown api': struct.pack('>ihhih', 10, 999, 0, 1, -1),
                  'unknown version': struct.pack('>ihhih', 10, 3, 99, 1, -1),
                  'body cut off': struct.pack('>ihhih', 10, 0, 7, 1, -1)}
        try:
            self.started(process, admin)
            writer = Writer(brokers, 'calm', 100)
            for name, frame in frames.items():
                with socket.create_connection(('127.0.0.1', port), 5) as wire:
                    wire.settimeout(10)
                    try:
                        wire.sendall(frame)
                        while wire.recv(1 << 16):
                            pass
                    except ConnectionError:
                        pass
                    except socket.timeout:
                        raise Trouble(f'does not hold: {name}: the connection is closed') from None
                writer.write(50)
                process.must_run()
            with socket.create_connection(('127.0.0.1', port), 5) as wire:  # the beginning of a frame, then nothing
                wire.sendall(struct.pack('>ih', 100_000, 0))
                writer.write(50)
            check(writer.failed == 0 and len(writer.acked) == writer.next, 'nobody else notices')
            check(ready(admin), 'the broker is ready')
        finally:
            process.stop()

    def bad_config(self):
        cases = {'edgelog-broker': ('data = "x"\nlisten = 5\n', ':2', 'listen'),
                 'edgelog-gateway': ('brokers = ["127.0.0.1:9092"]\n\nmqttt = "x"\n', ':3', 'mqttt'),
                 'edgelog-agent': ('id = "a"\n[[input]]\nkind = "carrier pigeon"\n', ':3', 'kind'),
                 'edgelog-firmware-sim': ('= 1\n', ':1', '')}
        for program, (text, line, key) in cases.items():
            file = write_text(self.dir / f'{program}.toml', text)
            for more in ([], ['--check-config']):
                ended = subprocess.run([str(self.bin / program), '--config', str(file), *more], capture_output=True, text=True,
                                       timeout=20, cwd=self.dir)
                check(ended.returncode == 2, f'{program} ends with 2, not {ended.returncode}: {ended.stderr}')
                check(str(file) + line in ended.stderr and key in ended.stderr,
                      f'{program} names file, line and key: {ended.stderr}')
            helped = subprocess.run([str(self.bin / program), '--help'], capture_output=True, text=True, timeout=20)
            check(helped.returncode == 0 and '--config' in helped.stdout, f'{program} --help')


class Feed:
    """Numbered lines to the agent's socket, and its answers of what is durable. After a new connection all that was not
    called durable is sent again; the agent drops what it has."""

    def __init__(self, path):
        self.path, self.socket = path, None
        self.sent = self.durable = 0
        self.lines, self.rest, self.answers, self.blocked_since = [], b'', b'', None

    def connect(self):
        if self.socket:
            self.socket.close()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self.path))
        self.socket.setblocking(False)
        self.before = self.durable  # the answers count the lines of a connection
        self.rest, self.answers, self.blocked_since = b''.join(self.lines), b'', None

    def more(self):
        if not self.rest:
            lines = [f'{{"stream":"filling","device":"d","boot":1,"n":{i + 1},"i":{i},"pad":"{os.urandom(300).hex()}"}}\n'.encode()
                     for i in range(self.sent, self.sent + 200)]
            self.lines += lines
            self.rest = b''.join(lines)
            self.sent += 200
        self.push()

    def push(self):
        try:
            while self.rest:
                self.rest = self.rest[self.socket.send(self.rest):]
                self.blocked_since = None
        except BlockingIOError:
            self.blocked_since = self.blocked_since or time.monotonic()
            time.sleep(0.01)
        self.read()

    def read(self):
        try:
            while chunk := self.socket.recv(1 << 16):
                self.answers += chunk
        except BlockingIOError:
            pass
        *answers, self.answers = self.answers.split(b'\n')
        for answer in answers:
            durable = self.before + json.loads(answer).get('durable', 0)
            del self.lines[:durable - self.durable]
            self.durable = durable

    def stuck(self):
        return self.blocked_since is not None and time.monotonic() - self.blocked_since > 2

    def drained(self):
        self.push()
        return not self.rest and self.durable >= self.sent


SCENES = ('bad_config', 'bad_input', 'garbage', 'second_process', 'broker_disk_full', 'agent_disk_full')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('scenes', nargs='*', metavar='SCENE', help=', '.join(SCENES))
    parser.add_argument('--bin', required=True)
    parser.add_argument('--base-port', type=int, default=0, help='default: free ones')
    args = parser.parse_args()
    if not args.base_port:
        args.base_port = next(base for base in range(20_000, 30_000, 700)
                              if all(port_is_free(base + more) for more in (0, 100, 200, 400)))
    if unknown := [scene for scene in args.scenes if scene not in SCENES]:
        parser.error(f'{unknown[0]}: expected one of {", ".join(SCENES)}')
    outcomes = []
    for scene in args.scenes or SCENES:
        work = Path(tempfile.mkdtemp(prefix='edgelog-faults-', dir='/var/tmp'))
        begin = time.monotonic()
        try:
            getattr(Faults(args, work), scene)()
            outcomes.append(0)
            say(f'  {scene}: held ({time.monotonic() - begin:.1f} s)')
        except Skipped as reason:
            outcomes.append(77)
            say(f'  {scene}: SKIPPED: {reason}')
        except (Trouble, KafkaException, subprocess.SubprocessError, OSError) as trouble:
            outcomes.append(1)
            say(f'  {scene}: FAILED: {trouble!r:.2000}')
        finally:
            shutil.rmtree(work, ignore_errors=True)
    say(f'{outcomes.count(0)} held, {outcomes.count(1)} did not, {outcomes.count(77)} skipped')
    return 1 if 1 in outcomes else 0 if 0 in outcomes else 77


if __name__ == '__main__':
    sys.exit(main())

"""A disk that fills up under the broker, and under an agent; scenes of faults.py. Small loop-mounted ext4s, so that root
is needed."""
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from numbered import Writer, check, read_numbers
from procs import Process, Stack, get, metrics, port_answers, ready, say, wait_until
from sites import Link, agent_config, socket_input

AGENT = 'fault-1'
MIB = 1 << 20


class Skipped(Exception):
    pass


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


def broker_disk_full(faults):
    with SmallDisk(faults.dir) as disk:
        process, brokers, admin = faults.broker(disk.mount / 'log', '--disk_reserve', '8MiB')
        try:
            faults.started(process, admin)
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
            faults.started(process, admin)
            numbers = read_numbers(brokers, 'full')
            acked = writer.acked | again.acked
            check(acked <= set(numbers), f'all {len(acked)} acknowledged are there after kill -9')
            check(len(numbers) == len(set(numbers)), 'none twice')
            say(f'    {len(writer.acked)} acknowledged before it was full, {writer.failed} refused, 300 after; '
                f'{len(numbers)} in the log, each once')
        finally:
            process.stop()


def agent_disk_full(faults):
    with SmallDisk(faults.dir, 48, 12) as disk, Stack(faults.bin, faults.dir / 'stack', faults.args.base_port, [AGENT],
                                                    ['filling:1']) as stack:
        admin = f'http://127.0.0.1:{stack.ports.agent_admin(1)}'
        link, data = Link(stack.ports.mqtt), disk.mount / 'agent'
        config = agent_config(faults.dir / 'agent.toml', stack, AGENT, 1, data, link.port,
                              socket_input(faults.dir / 'agent.sock'), '[stream.filling]\nwhen_full = "block"')
        process = Process('agent', [faults.bin / 'edgelog-agent', '--config', config], faults.dir / 'agent.log')
        feed = Feed(faults.dir / 'agent.sock')
        try:
            stack.start()
            link.cut()
            start_agent(faults, process, stack, feed)
            fill(process, admin, feed)
            # kill -9 while it is full: SQLite itself finds no damage, and the agent starts in the same state.
            process.kill()
            judge_database(faults, data / 'agent.db')
            start_agent(faults, process, stack, feed)
            wait_until(lambda: feed.push() or 'space' in get(admin + '/readyz')[1], 'after kill -9 /readyz says it again', 20, [process])
            # No space returns, but the link: what is acknowledged is deleted, and its room is used again.
            link.restore()
            before = feed.durable
            wait_until(lambda: feed.drained() and ready(admin), 'acknowledgements alone make room', 120, [process])
            check(feed.durable > before, 'and more is taken')
            link.cut()
            fill(process, admin, feed)
            disk.relieve()
            wait_until(lambda: feed.drained(), 'all that was sent is durable when space returns', 60, [process])
            wait_until(lambda: metrics(admin).get('edgelog_agent_disk_full') == 0, 'the metric says so', 10, [process])
            link.restore()
            wait_until(lambda: ready(admin) and topic_end(stack, 'filling') >= feed.sent, f'{feed.sent} events in '
                       'the log', 120, [process, *stack.processes])
            numbers = read_numbers(stack.brokers, 'filling', lambda value: json.loads(value)['i'])
            check(numbers == list(range(feed.sent)), f'all {feed.sent} events are in the log, once and in order')
            say(f'    {feed.sent} events taken, {len(numbers)} in the log, in order')
        finally:
            process.stop()
            link.close()


def start_agent(faults, process, stack, feed):
    (faults.dir / 'agent.sock').unlink(missing_ok=True)
    process.start()
    wait_until(lambda: (faults.dir / 'agent.sock').exists() and port_answers(stack.ports.agent_admin(1)),
               'the agent listens', 20, [process])
    feed.connect()


def fill(process, admin, feed):
    """Until nothing more is taken for want of space."""
    while not feed.stuck() or metrics(admin).get('edgelog_agent_disk_full') != 1:
        feed.more()
        process.must_run()
        check(feed.sent < 1_000_000, 'the disk fills up')
    status, reason = get(admin + '/readyz')
    check(status == 503 and 'space' in reason, f'/readyz names the disk: {status} {reason}')
    say(f'    full after {feed.durable} durable events: {reason.strip()[:200]}')


def judge_database(faults, path):
    copies = faults.dir / 'copies'
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    for file in path.parent.glob('agent.db*'):
        shutil.copy(file, copies)
    with sqlite3.connect(copies / 'agent.db') as database:
        check(database.execute('PRAGMA integrity_check').fetchall() == [('ok',)], 'the database is sound')


def topic_end(stack, topic):
    consumer = Consumer({'bootstrap.servers': stack.brokers, 'group.id': 'faults'})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5, cached=False)[1]
    except KafkaException:
        return 0
    finally:
        consumer.close()

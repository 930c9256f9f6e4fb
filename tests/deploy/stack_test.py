#!/usr/bin/env python3
"""stack_test.py --bin DIR: what deploy/up.py and deploy/demo.py promise, as real processes: one line on stdout, two
side by side, a directory that is continued, ports in use named, and nothing left behind, however they end. Exit code
77 where the programs, Mosquitto or confluent_kafka are not there."""
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'deploy'))
from account import Account  # noqa: E402
from procs import Trouble, find_mosquitto, get, has_librdkafka, port_is_free, ready, wait_until  # noqa: E402

BIN = None
SECONDS = 60  # for anything to happen on a busy machine


def base_port():
    """A base whose next thousand is as free."""
    used = (0, 100, 200, 300, 401, 501, 601)
    return next(base for base in range(12_000, 32_000, 2_000)  # below what the kernel gives to outgoing connections
                if all(port_is_free(base + side + port) for side in (0, 1000) for port in used))


def children(pid):
    """All descendants that run."""
    found = []
    for task in Path(f'/proc/{pid}/task').glob('*/children'):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def runs(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


class Script:
    """up.py or demo.py as a child, with a TMPDIR of its own."""

    def __init__(self, case, name, *flags, path='', terminal=None):
        self.folder = Path(tempfile.mkdtemp(prefix='edgelog-stack-test.'))
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.out, self.err = self.folder / 'stdout', self.folder / 'stderr'
        self.temporary = self.folder / 'tmp'
        self.temporary.mkdir()
        environment = {**os.environ, 'TMPDIR': str(self.temporary), 'PATH': path + os.environ['PATH'], 'PYTHONUNBUFFERED': '1'}
        with open(self.out, 'wb') as out, open(self.err, 'wb') as err:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / 'deploy' / name, '--bin', BIN, *map(str, flags)], stdin=subprocess.DEVNULL,
                stdout=terminal if terminal is not None else out, stderr=err, env=environment, start_new_session=True)
        self.seen = set()
        case.addCleanup(self.end)

    def wait_for(self, file, text):
        wait_until(lambda: text in file.read_text() or self.process.poll() is not None, f'"{text}"', SECONDS)
        if text not in file.read_text():
            raise AssertionError(f'ended with {self.process.returncode}: {self.err.read_text()}')
        self.seen.update(children(self.process.pid))

    def endpoints(self):
        self.wait_for(self.out, '\n')
        return json.loads(self.out.read_text())

    def end(self, number=signal.SIGKILL):
        """Gives the exit code, once all that it started is gone as well."""
        if self.process.poll() is None:
            self.seen.update(children(self.process.pid))
            self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        wait_until(lambda: not any(map(runs, self.seen)), 'all children end', 10)
        return code

    def left_behind(self):
        return sorted(path.name for path in self.temporary.iterdir())


class Up(unittest.TestCase):
    def up(self, base, *flags, **more):
        return Script(self, 'up.py', '--base-port', base, *flags, **more)

    def test_two_side_by_side_and_nothing_left_behind(self):
        base = base_port()
        one, two = self.up(base), self.up(base + 1000)
        first, second = one.endpoints(), two.endpoints()
        self.assertEqual(first['kafka'], f'127.0.0.1:{base}')
        self.assertEqual(first['mqtt'], f'127.0.0.1:{base + 100}')
        self.assertEqual(first['admin'], [f'http://127.0.0.1:{base + 200}', f'http://127.0.0.1:{base + 300}'])
        self.assertTrue(all(map(ready, first['admin'] + second['admin'])))
        self.assertEqual(one.out.read_text().count('\n'), 1)  # all else is on stderr
        self.assertEqual(len(one.seen), 3)
        self.assertEqual(one.end(signal.SIGTERM), 0)
        self.assertEqual(one.left_behind(), [])
        self.assertTrue(all(map(ready, second['admin'])))
        self.assertEqual(two.end(signal.SIGINT), 0)
        self.assertEqual(two.left_behind(), [])
        self.assertEqual(one.out.read_text().count('\n'), 1)

    def test_children_end_with_a_supervisor_that_is_killed(self):
        up = self.up(base_port())
        admin = up.endpoints()['admin']
        self.assertEqual(len(up.seen), 3)
        self.assertEqual(up.end(signal.SIGKILL), -signal.SIGKILL)
        self.assertEqual([get(f'{url}/readyz')[0] for url in admin], [0, 0])

    def test_stopped_while_it_starts(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        fake = Path(folder, 'mosquitto')  # never listens
        fake.write_text('#!/bin/sh\necho $$ > "$0.pid.new"; mv "$0.pid.new" "$0.pid"\nexec sleep 1000\n')
        fake.chmod(0o755)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            up = self.up(base_port(), path=f'{folder}:')
            wait_until(Path(f'{fake}.pid').exists, 'it starts', SECONDS)
            pid = int(Path(f'{fake}.pid').read_text())
            Path(f'{fake}.pid').unlink()
            self.assertEqual(up.end(number), 0)
            self.assertFalse(runs(pid))
            self.assertEqual((up.out.read_text(), up.left_behind()), ('', []))

    def test_a_directory_is_continued(self):
        from confluent_kafka import Consumer, Producer, TopicPartition
        base = base_port()
        data = tempfile.mkdtemp(prefix='edgelog-stack-test.')
        self.addCleanup(shutil.rmtree, data)
        up = self.up(base, '--data', data)
        first = up.endpoints()
        producer = Producer({'bootstrap.servers': first['kafka'], 'log_level': 0})
        producer.produce('kept', b'still here')
        self.assertEqual(producer.flush(SECONDS), 0)
        passwords = {file.name: file.read_text() for file in Path(first['passwords']).glob('*.password')}
        self.assertEqual(up.end(signal.SIGTERM), 0)
        self.up(base, '--data', data).endpoints()
        consumer = Consumer({'bootstrap.servers': first['kafka'], 'group.id': 'look'})
        consumer.assign([TopicPartition('kept', 0, 0)])
        self.assertEqual(consumer.consume(1, SECONDS)[0].value(), b'still here')
        consumer.close()
        self.assertEqual(passwords, {file.name: file.read_text() for file in Path(first['passwords']).glob('*.password')})

    def test_a_port_in_use_is_named(self):
        base = base_port()
        for port in (base, base + 100, base + 300):
            with socket.create_server(('127.0.0.1', port)):
                up = self.up(base)
                self.assertEqual(up.process.wait(SECONDS), 1)
                self.assertIn(f'port {port} ', up.err.read_text())
                self.assertEqual((up.out.read_text(), up.left_behind()), ('', []))

    def test_one_that_ends_by_itself_ends_all(self):
        up = self.up(base_port())
        up.endpoints()
        os.kill(next(pid for pid in up.seen if 'edgelog-broker' in Path(f'/proc/{pid}/cmdline').read_text()), signal.SIGKILL)
        self.assertEqual(up.process.wait(SECONDS), 1)
        self.assertIn('broker ended with code -9', up.err.read_text())
        up.end()


class Demo(unittest.TestCase):
    def demo(self, *flags, **more):
        self.base = base_port()
        return Script(self, 'demo.py', '--base-port', self.base, *flags, **more)

    def test_the_account(self):
        self.assertTrue(Account(10, 10, 10).holds)
        self.assertEqual(str(Account(10, 11, 9)), 'sent 10, received 11, lost 1, duplicated 2')
        for bad in (Account(10, 9, 9), Account(10, 11, 10), Account(10, 10, 9), Account(0, 0, 0)):
            self.assertFalse(bad.holds, bad)

    def test_it_holds_through_all_kills(self):
        demo = self.demo('--seconds', 10)
        demo.wait_for(demo.out, 'devices of 3 sites begin')
        self.assertEqual(demo.process.wait(120), 0, demo.err.read_text())
        told = demo.out.read_text()
        for what in ('link of house-2 is cut', 'kill -9 gateway', 'kill -9 broker', 'kill -9 house-3'):
            self.assertIn(what, told)
        self.assertRegex(told.splitlines()[-1], r'^sent (\d{3,}), received \1, lost 0, duplicated 0$')
        self.assertEqual((demo.end(), demo.left_behind()), (0, []))

    def test_a_record_that_somebody_repeats_is_told_and_fails_it(self):
        from confluent_kafka import Consumer, Producer, TopicPartition
        demo = self.demo('--seconds', 5)
        demo.wait_for(demo.out, 'devices of 3 sites begin')
        kafka = {'bootstrap.servers': f'127.0.0.1:{self.base}', 'log_level': 0}
        consumer = Consumer({**kafka, 'group.id': 'saboteur'})
        consumer.assign([TopicPartition('climate', partition, 0) for partition in range(3)])
        until = time.monotonic() + SECONDS
        while not (message := consumer.poll(1)) or message.error() or b'edgelog.fence' in dict(message.headers() or []):
            self.assertLess(time.monotonic(), until)
        consumer.close()
        producer = Producer(kafka)
        producer.produce('climate', message.value(), message.key(), message.partition(), headers=message.headers())
        self.assertEqual(producer.flush(SECONDS), 0)
        self.assertEqual(demo.process.wait(120), 1, demo.err.read_text())
        self.assertRegex(demo.out.read_text().splitlines()[-1], r'^sent \d+, received \d+, lost 0, duplicated 1$')

    def test_stopped_on_a_terminal(self):
        try:
            ours, theirs = pty.openpty()
        except OSError as none:  # a system in a folder without devpts
            self.skipTest(f'no terminal to be had: {none}')
        demo = self.demo(terminal=theirs)
        os.close(theirs)
        shown, until = b'', time.monotonic() + SECONDS
        while b'consumed from the log' not in shown:  # the live view
            self.assertLess(time.monotonic(), until, shown)
            if select.select([ours], [], [], 1)[0]:
                shown += os.read(ours, 4096)
        self.assertIn(b'\x1b[2J', shown)
        demo.seen.update(children(demo.process.pid))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):  # as often as one likes
            demo.process.send_signal(number)
        self.assertEqual(demo.process.wait(SECONDS), 130)
        demo.end()
        os.close(ours)
        self.assertRegex(demo.err.read_text(), r'^SIG\w+: stopping\neverything is stopped, nothing is left behind\n$')
        self.assertEqual(demo.left_behind(), [])

    def test_a_terminal_that_goes_away(self):
        ours, theirs = pty.openpty()
        demo = self.demo(terminal=theirs)
        os.close(theirs)
        self.assertTrue(os.read(ours, 1))
        wait_until(lambda: len(demo.seen.update(children(demo.process.pid)) or demo.seen) >= 3, 'it starts', SECONDS)
        os.close(ours)
        self.assertEqual(demo.process.wait(SECONDS), 1)
        self.assertIn('nothing is left behind', demo.err.read_text())
        self.assertEqual((demo.end(), demo.left_behind()), (1, []))


if __name__ == '__main__':
    if not has_librdkafka():
        print('SKIPPED: python3-confluent-kafka is not installed')
        sys.exit(77)
    at = sys.argv.index('--bin') if '--bin' in sys.argv else sys.exit(__doc__)
    BIN = Path(sys.argv[at + 1]).absolute()
    del sys.argv[at:at + 2]
    try:
        find_mosquitto()
    except Trouble as trouble:
        print(f'SKIPPED: {trouble}')
        sys.exit(77)
    names = ('edgelog-broker', 'edgelog-gateway', 'edgelog-agent', 'edgelog-firmware-sim', 'overheating')
    if missing := [name for name in names if not (BIN / name).exists()]:
        print(f'SKIPPED: not built: {", ".join(missing)}')
        sys.exit(77)
    unittest.main()

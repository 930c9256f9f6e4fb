#!/usr/bin/env python3
"""A failed fsync is final, and what was acknowledged before it is there: broker and agent as real processes, in which
one chosen fsync or fdatasync fails once with EIO (tests/e2e/sync_shim.cc, preloaded). The process must end with
code 70, start again without the shim, and have everything that was acknowledged, once and in order.

  failed_sync.py --bin DIR [--shim FILE] [broker|agent]

The shim is built beside the tests: DIR/../tests/libsync_shim.so. Ports are --base-port + 0..599.
Exit code 0: all held; 1: not; 77: it could not be run here.
"""
import argparse
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from faults import AGENT, Faults  # noqa: E402
from numbered import Writer, check, read_numbers  # noqa: E402
from procs import Process, Stack, Trouble, find_mosquitto, port_answers, say, wait_until  # noqa: E402
from sites import agent_config, socket_input  # noqa: E402

EXIT_SYNC_FAILED = 70
# End of the path, and which call on it fails. Of the agent's folder the third: SQLite makes the first two and does not
# look at what comes of them; the agent's own covers them.
BROKER = [('/up', 1), ('meta.new', 1), ('/log', 1), ('/log', 2), ('/journal', 1), ('/partitions', 1), ('checkpoint.0', 1),
          ('checkpoint.1', 1), ('.journal', 1), ('.journal', 2), ('.journal', 15), ('-0', 1), ('.log', 1),
          ('manifest.0', 1), ('manifest.1', 1), ('checkpoint.0', 2), ('.producers', 1)]
AGENT_CALLS = [('/up', 1), ('agent.db-journal', 1), ('/agent', 3), ('agent.db', 1), ('agent.db-wal', 1),
               ('agent.db-wal', 2), ('agent.db-wal', 3), ('agent.db-wal', 20), ('agent.db', 2)]


class Lines:
    """Numbered lines to the agent's socket, and how many of them it calls durable."""

    def __init__(self, path, case, process):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.connected = False
        wait_until(lambda: self.connect(path) or not process.running(), 'the socket takes a connection', 20)
        self.case, self.sent, self.durable, self.answers = case, 0, 0, b''

    def connect(self, path):
        """The name is there a moment before anybody listens, and stays when the agent ends."""
        try:
            self.socket.connect(str(path))
            self.connected = True
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        return self.connected

    def round(self, count, size):
        """Sends so many and waits until they are durable. False: the agent has ended."""
        if not self.connected:
            return False
        lines = [json.dumps({'stream': 'synced', 'device': 'd', 'case': self.case, 'i': i, 'pad': os.urandom(size // 2).hex()})
                 for i in range(self.sent, self.sent + count)]
        self.sent += count
        try:
            self.socket.sendall(''.join(line + '\n' for line in lines).encode())
            while self.durable < self.sent:
                got = self.socket.recv(4096)
                if not got:
                    return False
                self.answers += got
                *whole, self.answers = self.answers.split(b'\n')
                for line in whole:
                    self.durable = json.loads(line).get('durable', self.durable)
            return True
        except ConnectionError:
            return False


class FailedSync(Faults):
    def __init__(self, args, directory):
        super().__init__(args, directory)
        self.shim = Path(args.shim or self.bin.parent / 'tests' / 'libsync_shim.so').absolute()
        if not self.shim.exists():
            raise Trouble(f'{self.shim} is not built: target sync_shim')

    def preload(self, suffix, number):
        return {'LD_PRELOAD': str(self.shim), **({'EDGELOG_SYNC_LOG': self.args.log} if self.args.log else {}), 'EDGELOG_SYNC_FAIL': f'{suffix}:{number}',
                'ASAN_OPTIONS': 'verify_asan_link_order=0:' + os.environ.get('ASAN_OPTIONS', '')}

    def ended(self, process, what):
        wait_until(lambda: not process.running(), f'{what}: the process ends', 20)
        code = process.child.returncode
        check(code == EXIT_SYNC_FAILED, f'{what}: it ends with {EXIT_SYNC_FAILED}, not {code}; its log ends:\n{process.tail()}')
        check('sync' in process.tail(50) or 'disk I/O error' in process.tail(50), f'{what}: its log says why')

    def broker_case(self, case, suffix, number):
        what = f'broker, call {number} on ...{suffix}'
        process, brokers, admin = self.broker(self.dir / f'broker{case}' / 'up' / 'log')
        (self.dir / f'broker{case}' / 'up').mkdir(parents=True)
        process.log = self.dir / f'broker-{case}.log'
        process.environment = self.preload(suffix, number)
        writer, rounds = None, 0
        try:
            process.start()
            wait_until(lambda: not process.running() or port_answers(self.args.base_port), f'{what}: it serves', 30)
            if process.running():
                writer = Writer(brokers, 'synced', 2000)
            while process.running() and rounds < 40:
                # A large one goes to the segment at once, small ones through the journal; pauses bring checkpoints.
                writer.write(400 if rounds % 4 == 1 else 20)
                rounds += 1
                if rounds % 8 == 7:
                    time.sleep(4.5)
            if process.running():
                process.stop()
            self.ended(process, what)
            acked = set(writer.acked) if writer else set()
            process.environment = None
            self.started(process, admin)
            numbers = read_numbers(brokers, 'synced') if acked else []
            check(acked <= set(numbers), f'{what}: all {len(acked)} acknowledged are there, not {len(acked - set(numbers))}')
            check(len(numbers) == len(set(numbers)) and numbers == sorted(numbers), f'{what}: each once, in order')
            again = Writer(brokers, 'synced', 100)
            again.next = 1_000_000
            again.write(50)
            check(len(again.acked) == 50, f'{what}: work goes on')
            say(f'    {what}: code 70; {len(acked)} acknowledged, {len(numbers)} there')
        finally:
            process.stop()

    def broker_calls(self):
        for case, (suffix, number) in enumerate(BROKER):
            self.broker_case(case, suffix, number)

    def agent_case(self, stack, case, suffix, number):
        what = f'agent, call {number} on ...{suffix}'
        data, sock = self.dir / f'a{case}' / 'up' / 'agent', self.dir / f'a{case}.sock'
        config = self.dir / f'a{case}.toml'

        def configure(uplink_port):
            agent_config(config, stack, AGENT, 1, data, uplink_port, socket_input(sock))
        configure(1)
        process = Process('agent', [self.bin / 'edgelog-agent', '--config', config], self.dir / f'a{case}.log',
                          self.preload(suffix, number))
        lines = None
        try:
            process.start()
            wait_until(lambda: not process.running() or sock.exists(), f'{what}: it listens', 20)
            if process.running():
                lines = Lines(sock, case, process)
            for n in range(60):
                if not process.running() or not lines.round(100 if n % 3 else 20, 4000):
                    break
            self.ended(process, what)
            durable = lines.durable if lines else 0
            sock.unlink(missing_ok=True)
            process.environment = None
            configure(stack.ports.mqtt)
            process.start()
            wait_until(sock.exists, f'{what}: it starts again', 20, [process])
            again = Lines(sock, case, process)
            again.sent = again.durable = 0
            again.case = case + 1000
            check(again.round(10, 100), f'{what}: work goes on')
            numbers = self.arrived(stack, process, case, durable, what)
            check(numbers == list(range(len(numbers))), f'{what}: once and in order')
            say(f'    {what}: code 70; {durable} durable, {len(numbers)} in the log')
        finally:
            process.stop()

    def arrived(self, stack, process, case, durable, what):
        """What of a case is in the topic, once the lines that were sent after it are."""
        found = []

        def all_there():
            values = read_numbers(stack.brokers, 'synced', json.loads)
            found[:] = [value['i'] for value in values if value['case'] == case]
            return sum(value['case'] == case + 1000 for value in values) >= 10 and len(found) >= durable
        wait_until(all_there, f'{what}: {durable} durable events arrive', 60, [process, *stack.processes])
        return found

    def agent_calls(self):
        with Stack(self.bin, self.dir / 'stack', self.args.base_port, [AGENT], ['synced:1']) as stack:
            stack.start()
            for case, (suffix, number) in enumerate(AGENT_CALLS):
                self.agent_case(stack, case, suffix, number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', nargs='*', choices=['broker', 'agent', []])
    parser.add_argument('--bin', required=True)
    parser.add_argument('--shim')
    parser.add_argument('--log', help='a file that gets a line for each sync call')
    parser.add_argument('--base-port', type=int, default=25_000)
    args = parser.parse_args()
    try:
        find_mosquitto()
    except Trouble as trouble:
        say(str(trouble))
        return 77
    with tempfile.TemporaryDirectory(prefix='edgelog-sync-') as directory:
        try:
            faults = FailedSync(args, directory)
            for what in args.what or ['broker', 'agent']:
                getattr(faults, f'{what}_calls')()
        except Trouble as trouble:
            say(f'FAILED: {trouble}')
            return 1
    say('GOOD')
    return 0


if __name__ == '__main__':
    sys.exit(main())

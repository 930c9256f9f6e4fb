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
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import KafkaException

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'deploy'), str(Path(__file__).resolve().parent)]
import bad_input  # noqa: E402
import full_disk  # noqa: E402
from full_disk import AGENT, Skipped  # noqa: E402
from numbered import Writer, check  # noqa: E402
from procs import Process, Trouble, port_answers, port_is_free, ready, say, wait_until, write_text  # noqa: E402


class Faults:
    def __init__(self, args, directory):
        self.args, self.bin, self.dir = args, Path(args.bin).absolute(), Path(directory)

    def broker(self, data, *more):
        port, admin = self.args.base_port, self.args.base_port + 200
        process = Process('broker', [self.bin / 'edgelog-broker', '--data', data, '--listen', f'127.0.0.1:{port}',
                                     '--admin', f'127.0.0.1:{admin}', *more], self.dir / 'broker.log')
        return process, f'127.0.0.1:{port}', f'http://127.0.0.1:{admin}'

    def started(self, process, admin):
        process.start()
        wait_until(lambda: ready(admin), 'the broker is ready', 30, [process])

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

    def broker_disk_full(self):
        full_disk.broker_disk_full(self)

    def agent_disk_full(self):
        full_disk.agent_disk_full(self)

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

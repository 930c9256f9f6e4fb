#!/usr/bin/env python3
"""Starts Mosquitto, the broker and the gateway on loopback and stays in the foreground.

When all are ready, one line of JSON with the endpoints stands on stdout; all else goes to stderr. Ctrl-C or
SIGTERM stops everything, also while it starts; the exit code is then 0. If one of them ends by itself, that is said,
the others are stopped, and the exit code is 1. All ports derive from the base: Kafka base, MQTT +100, admin +200
(broker) and +300 (gateway), so that two run side by side when their bases are 1,000 apart.

  ./run up
  ./run up --base-port 10092 --data /var/tmp/edgelog
  ./run up --brokers 127.0.0.1:9192 --topics climate:3,doors:3
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

from flags import BROKERS, number, words
from procs import Stack, Stopped, Trouble, ignore_stops, json_line, programs, raise_when_stopped, say

TOPICS = 'door-motion:3,climate:3,other:3,events:3'
AGENTS = 'site-1,site-2,site-3'


def arguments():
    parser = argparse.ArgumentParser(prog='./run up', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', help='directory of the programs; without it they are built')
    parser.add_argument('--base-port', type=number(1, 64_000), default=9092)
    parser.add_argument('--data', help='directory for what is durable; what is there is continued. Without it, a '
                        'temporary one that is removed')
    parser.add_argument('--brokers', type=words(*BROKERS), default=[],
                        help='HOST:PORT,... of a log that is there; no broker is started')
    parser.add_argument('--agents', type=words(r'(?!gateway$|monitor$)[a-z0-9._-]{1,64}', '1 to 64 of [a-z0-9._-], not '
                                               '"gateway" or "monitor"'),
                        default=AGENTS, help=f'ids of agents that get a password (default {AGENTS})')
    parser.add_argument('--topics', type=words(r'[A-Za-z0-9._-]{1,249}(:\d{1,5})?', 'NAME or NAME:PARTITIONS'),
                        default=TOPICS,
                        help=f'topics that agents may write, NAME:PARTITIONS makes them (default {TOPICS})')
    parser.add_argument('--gateways', type=number(1, 16), default=1, help='how many gateways share the work')
    return parser.parse_args()


def main():
    args = arguments()
    raise_when_stopped()
    stack, data = None, args.data
    try:
        bin_dir = programs(args.bin)
        data = data or tempfile.mkdtemp(prefix='edgelog-up-')
        stack = Stack(bin_dir, data, args.base_port, args.agents, args.topics,
                      ','.join(args.brokers), args.gateways)
        stack.start()
        say(f'up in {data}; logs in {stack.logs}; Ctrl-C stops it')
        json_line(stack.endpoints())
        while True:
            time.sleep(0.2)
            for process in stack.processes:
                process.must_run()
    except Stopped as stopped:
        say(f'{stopped}: stopping')
        return 0
    except (Trouble, OSError, subprocess.SubprocessError) as trouble:
        say(f'up: {trouble}')
        return 1
    finally:
        ignore_stops()
        if stack:
            stack.stop()
        if data and not args.data:
            shutil.rmtree(data, ignore_errors=True)


if __name__ == '__main__':
    os.umask(0o077)
    sys.exit(main())

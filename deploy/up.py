#!/usr/bin/env python3
"""Starts Mosquitto, the broker and the gateway on loopback and stays in the foreground.

When all are ready, one line of JSON with the endpoints stands on stdout; all else goes to stderr. Ctrl-C or
SIGTERM stops everything. If one of them ends by itself, that is said, the others are stopped, and the exit code
is 1. All ports derive from the base: Kafka base, MQTT +100, admin +200 (broker) and +300 (gateway).

  ./run up
  ./run up --base-port 10092 --data /var/tmp/edgelog
  ./run up --brokers 127.0.0.1:9192 --topics climate:3,doors:3
"""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from procs import Stack, Trouble, json_line, say  # noqa: E402

TOPICS = 'door-motion:3,climate:3,other:3,events:3'
AGENTS = 'site-1,site-2,site-3'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True, help='directory of the programs; ./run gives it')
    parser.add_argument('--base-port', type=int, default=9092)
    parser.add_argument('--data', help='directory for what is durable; without it, a temporary one that is removed')
    parser.add_argument('--brokers', help='HOST:PORT,... of a log that is there; no broker is started')
    parser.add_argument('--agents', default=AGENTS, help=f'ids of agents that get a password (default {AGENTS})')
    parser.add_argument('--topics', default=TOPICS,
                        help=f'topics that agents may write, NAME:PARTITIONS makes them (default {TOPICS})')
    parser.add_argument('--gateways', type=int, default=1)
    args = parser.parse_args()
    if not 1 <= args.base_port <= 64_000:
        parser.error(f'--base-port {args.base_port}: expected 1 to 64000')
    if not 1 <= args.gateways <= 16:
        parser.error(f'--gateways {args.gateways}: expected 1 to 16')
    return args


def words(text):
    return [word for word in text.split(',') if word]


def main():
    args = arguments()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    data = args.data or tempfile.mkdtemp(prefix='edgelog-up-')
    try:
        with Stack(args.bin, data, args.base_port, words(args.agents), words(args.topics), args.brokers,
                   args.gateways) as stack:
            stack.start()
            say(f'up in {data}; logs in {stack.logs}; Ctrl-C stops it')
            json_line(stack.endpoints())
            while not stopping.wait(0.2):
                for process in stack.processes:
                    process.must_run()
            say('stopping')
        return 0
    except (Trouble, ValueError, OSError) as trouble:
        say(f'up: {trouble}')
        return 1
    finally:
        if not args.data:
            shutil.rmtree(data, ignore_errors=True)


if __name__ == '__main__':
    os.umask(0o077)
    sys.exit(main())

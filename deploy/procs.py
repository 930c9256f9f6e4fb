"""Processes of edgelog on one machine: started, watched, killed, started again, and all gone at the end.

A Process knows its command and where its output goes; a Stack is what `./run up` starts (Mosquitto, broker,
gateway), on ports derived from one base: Kafka base, MQTT +100, broker's admin +200, gateway's admin +300, site
Mosquitto of agent k +400+k, agent's admin +500+k, its devices' +600+k. Nothing outlives this process: a child gets
SIGKILL from the kernel when its parent is gone (PR_SET_PDEATHSIG).
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import mosquitto  # noqa: E402  (beside this file)

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ROOT = Path(__file__).resolve().parent.parent


def say(text):
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # the terminal is gone; what is under way goes on, the end above all


class Trouble(Exception):
    """Something that the person at the terminal has to know; its text says what and where to look."""


class Stopped(BaseException):
    """Ctrl-C, SIGTERM or a terminal that was closed. No Exception, so that nobody takes it for trouble."""


def raise_when_stopped():
    """From now on the first of these signals raises Stopped wherever the main thread is, as in a start that takes long.
    Those after it are ignored: they would interrupt the end."""
    told = []

    def stop(number, _):
        if not told:
            told.append(number)
            raise Stopped(signal.Signals(number).name)
    for number in STOP_SIGNALS:  # also where a shell started us in the background, with SIGINT ignored
        signal.signal(number, stop)


def ignore_stops():
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)  # not SIG_IGN, of which Python complains when signals are under way


def dies_with(parent, number=signal.SIGKILL):
    """What a child does before its program starts: it gets the signal when its parent is gone, or is gone already."""
    def in_child():
        LIBC.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)
    return in_child


def programs(bin_dir, *more):
    """The directory of the programs: `bin_dir`, or where ./run builds them now, with targets `more`."""
    if bin_dir:
        return Path(bin_dir).absolute()
    command = [ROOT / 'run', 'build', 'release', 'programs', *more]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True,
                             preexec_fn=dies_with(os.getpid(), signal.SIGTERM))
    try:
        code = child.wait()
    except BaseException:
        child.terminate()  # it ends what it has started
        child.wait()
        raise
    if code:
        sys.exit(code)
    return ROOT / 'build' / 'release' / 'bin'


class Process:
    """One program that can be killed and started again. Its output is appended to LOG."""

    def __init__(self, name, command, log, environment=None, stdin=None):
        self.name, self.command, self.log = name, [str(part) for part in command], Path(log)
        self.environment, self.stdin = environment, stdin
        self.child, self.starts = None, 0

    def start(self):
        assert not self.running(), f'{self.name} runs already'
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, 'ab') as log:
            self.child = subprocess.Popen(self.command, stdin=self.stdin or subprocess.DEVNULL, stdout=log, stderr=log,
                                          preexec_fn=dies_with(os.getpid()), start_new_session=True,
                                          env={**os.environ, **(self.environment or {})})
        self.starts += 1
        return self

    @property
    def pid(self):
        return self.child.pid if self.child else None

    def running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        if self.running():
            self.child.send_signal(number)

    def kill(self):
        """kill -9; returns when it is gone."""
        self.signal(signal.SIGKILL)
        if self.child:
            self.child.wait()

    def stop(self, patience=10):
        """SIGTERM, and SIGKILL after `patience` seconds. Gives the exit code."""
        if self.child is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            say(f'{self.name} did not stop within {patience} s of SIGTERM: killed')
            self.kill()
            return self.child.returncode

    def tail(self, lines=15):
        try:
            return ''.join(open(self.log, errors='replace').readlines()[-lines:])
        except OSError:
            return ''

    def must_run(self):
        if not self.running():
            raise Trouble(f'{self.name} ended with code {self.child.returncode if self.child else None}; '
                          f'its log {self.log} ends:\n{self.tail()}')


def wait_until(true_when, what, seconds=30, processes=()):
    """Asks 50 times a second; a process of `processes` that has ended, or the time, ends the waiting."""
    until = time.monotonic() + seconds
    while True:
        if true_when():
            return
        for process in processes:
            process.must_run()
        if time.monotonic() > until:
            tails = ''.join(f'\n{p.name} ({p.log}):\n{p.tail(5)}' for p in processes)
            raise Trouble(f'{what}: not within {seconds} s{tails}')
        time.sleep(0.02)


def port_answers(port, host='127.0.0.1'):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def port_is_free(port, host='127.0.0.1'):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return True
        except OSError:
            return False


def check_free(ports):
    if taken := [str(port) for port in ports if not port_is_free(port)]:
        raise Trouble(f'in use already: port {", ".join(taken)} of 127.0.0.1; choose another --base-port')


def get(url, seconds=2):
    """(status, text) of a GET; (0, reason) where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors='replace')
    except OSError as error:
        return 0, str(error)


def ready(admin):
    return get(f'{admin}/readyz')[0] == 200


def metrics(admin):
    """{name or name{labels}: value} of /metrics; empty where nobody answers."""
    status, text = get(f'{admin}/metrics')
    values = {}
    if status == 200:
        for line in text.splitlines():
            if line and not line.startswith('#'):
                name, _, value = line.rpartition(' ')
                values[name] = float(value)
    return values


def write_text(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Ports:
    def __init__(self, base):
        self.kafka, self.mqtt, self.broker_admin, self.gateway_admin = base, base + 100, base + 200, base + 300
        self._base = base

    def site(self, k):
        return self._base + 400 + k

    def agent_admin(self, k):
        return self._base + 500 + k

    def devices_admin(self, k):
        return self._base + 600 + k


class Stack:
    """Mosquitto, broker (unless `brokers` names a log that is there) and gateways, in a directory."""

    def __init__(self, bin_dir, data, base_port=9092, agents=(), topics=(), brokers=None, gateways=1, broker_args=(),
                 gateway_args=()):
        self.bin, self.data, self.ports = Path(bin_dir), Path(data).absolute(), Ports(base_port)
        self.brokers = brokers or f'127.0.0.1:{self.ports.kafka}'
        self.logs = self.data / 'logs'
        cloud = mosquitto.write_cloud(self.data / 'mosquitto', self.ports.mqtt, list(agents))
        self.passwords = cloud['passwords']
        self.mosquitto = Process('mosquitto', [find_mosquitto(), '-c', cloud['conf']], self.logs / 'mosquitto.log')
        self.broker = None
        if not brokers:
            self.broker = Process('broker', [
                self.bin / 'edgelog-broker', '--data', self.data / 'broker', '--listen', f'127.0.0.1:{self.ports.kafka}',
                '--admin', f'127.0.0.1:{self.ports.broker_admin}', *broker_args], self.logs / 'broker.log')
        self.gateways = [self._gateway(i, topics, gateway_args) for i in range(gateways)]

    def _gateway(self, i, topics, extra):
        return Process(f'gateway{i or ""}', [
            self.bin / 'edgelog-gateway', '--brokers', self.brokers, '--mqtt', f'127.0.0.1:{self.ports.mqtt}',
            '--user', 'gateway', '--password-file', self.passwords['gateway'],
            '--admin', f'127.0.0.1:{self.ports.gateway_admin + i}',
            *(['--topics', ','.join(topics)] if topics else []), *extra], self.logs / f'gateway{i}.log')

    @property
    def processes(self):
        return [p for p in (self.mosquitto, self.broker, *self.gateways) if p]

    def admins(self):
        """Addresses of the admin servers: broker's first, where there is one."""
        ports = ([self.ports.broker_admin] if self.broker else []) + [
            self.ports.gateway_admin + i for i in range(len(self.gateways))]
        return [f'http://127.0.0.1:{port}' for port in ports]

    def check_ports(self):
        wanted = [self.ports.mqtt, *([self.ports.kafka, self.ports.broker_admin] if self.broker else []),
                  *(self.ports.gateway_admin + i for i in range(len(self.gateways)))]
        check_free(wanted)

    def start(self, seconds=60):
        self.check_ports()
        self.mosquitto.start()
        wait_until(lambda: port_answers(self.ports.mqtt), 'Mosquitto listens', seconds, [self.mosquitto])
        if self.broker:
            self.broker.start()
            wait_until(lambda: ready(self.admins()[0]), 'the broker is ready', seconds, [self.broker])
        for gateway in self.gateways:
            gateway.start()
        for admin, gateway in zip(self.admins()[-len(self.gateways):], self.gateways):
            wait_until(lambda admin=admin: ready(admin), f'{gateway.name} is ready', seconds, [gateway])
        return self

    def stop(self):
        for process in reversed(self.processes):
            process.stop()

    def endpoints(self):
        return {'kafka': self.brokers, 'mqtt': f'127.0.0.1:{self.ports.mqtt}', 'admin': self.admins(),
                'passwords': str(self.data / 'mosquitto'), 'logs': str(self.logs)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def has_librdkafka():
    """Whether this Python has Debian's python3-confluent-kafka. Where another Python comes first in PATH, which cannot
    see Debian's modules, the script starts again under Debian's."""
    debians = Path('/usr/bin/python3')
    for python in (Path(sys.executable), debians):
        if python.exists() and not subprocess.run([python, '-c', 'import confluent_kafka'], stderr=subprocess.DEVNULL).returncode:
            if python != Path(sys.executable):
                os.execv(python, [str(python), *sys.argv])
            return True
    return False


def find_mosquitto():
    for place in (*os.environ.get('PATH', '').split(':'), '/usr/sbin', '/usr/local/sbin'):
        if os.access(Path(place) / 'mosquitto', os.X_OK):
            return Path(place) / 'mosquitto'
    raise Trouble('mosquitto is not installed')


def json_line(value):
    print(json.dumps(value), flush=True)

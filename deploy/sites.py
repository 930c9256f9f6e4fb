"""Sites around a Stack: each its own Mosquitto, an agent, devices, and a link to the cloud that can be cut.

A Link is a TCP proxy in this process between the agent and the cloud's MQTT server: cut() closes what runs
through it and refuses what comes, so that the agent sees what a site sees whose line is dead.
"""
import selectors
import socket
import threading
from pathlib import Path

import mosquitto
from procs import Process, find_mosquitto, port_answers, ready, wait_until, write_text

PROFILES = Path(__file__).resolve().parent.parent / 'firmware-sim' / 'profiles'


class Link:
    """Forwards TCP from a free port of 127.0.0.1 to `port`; one thread serves all connections."""

    def __init__(self, port):
        self.target, self.cuts = port, 0
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self._is_cut, self._stop, self._peers = threading.Event(), threading.Event(), {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def cut(self):
        self.cuts += 1
        self._is_cut.set()

    def restore(self):
        self._is_cut.clear()

    def close(self):
        self._stop.set()
        self._thread.join(2)
        self._listener.close()

    def _serve(self):
        while not self._stop.is_set():
            if self._is_cut.is_set():
                for peer in list(self._peers):
                    self._drop(peer)
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._peers:
                    self._forward(key.fileobj)
        for peer in list(self._peers):
            self._drop(peer)

    def _accept(self):
        near, _ = self._listener.accept()
        if self._is_cut.is_set():
            near.close()
            return
        try:
            far = socket.create_connection(('127.0.0.1', self.target), 1)
        except OSError:
            near.close()
            return
        for a, b in ((near, far), (far, near)):
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            a.settimeout(5)
            self._peers[a] = b
            self._selector.register(a, selectors.EVENT_READ)

    def _forward(self, peer):
        try:
            data = peer.recv(1 << 16)
            if data:
                self._peers[peer].sendall(data)
                return
        except OSError:
            pass
        self._drop(peer)

    def _drop(self, peer):
        other = self._peers.pop(peer, None)
        if other is None:
            return  # gone with its other end
        self._peers.pop(other, None)
        for end in (peer, other):
            self._selector.unregister(end)
            end.close()


def agent_config(path, stack, agent, k, data, uplink_port, source='', streams='', more=''):
    """Writes the file of the stack's agent number k. `source` is the text of its [[input]] table, if it has one,
    `streams` that of [stream.NAME] tables, `more` further keys of the agent itself."""
    return write_text(path, f'''id = "{agent}"
data = "{data}"
admin = "127.0.0.1:{stack.ports.agent_admin(k)}"
{more}
[uplink]
host = "127.0.0.1"
port = {uplink_port}
password_file = "{stack.passwords[agent]}"

{'[[input]]' if source else ''}
{source}

{streams}
''')


def socket_input(path):
    return f'kind = "socket"\npath = "{path}"\nmapping = "plain-json"'


class Site:
    """Agent number k with its own Mosquitto, behind a Link. `streams` are [stream.NAME] tables as TOML."""

    def __init__(self, stack, k, agent, mapping, site, streams='', more=''):
        self.k, self.agent_id, self.stack = k, agent, stack
        self.data = stack.data / agent
        self.mqtt_port, self.admin_port = stack.ports.site(k), stack.ports.agent_admin(k)
        self.admin = f'http://127.0.0.1:{self.admin_port}'
        self.link = Link(stack.ports.mqtt)
        conf = mosquitto.write_site(self.data / 'mosquitto', self.mqtt_port)['conf']
        self.mosquitto = Process(f'{agent}-mosquitto', [find_mosquitto(), '-c', conf], stack.logs / f'{agent}-mosquitto.log')
        source = f'name = "site"\nkind = "mqtt"\nmapping = "{mapping}"\nhost = "127.0.0.1"\nport = {self.mqtt_port}'
        config = agent_config(self.data / 'agent.toml', stack, agent, k, self.data / 'log', self.link.port, source,
                              streams, f'site = "{site}"\n{more}')
        self.agent = Process(agent, [stack.bin / 'edgelog-agent', '--config', config], stack.logs / f'{agent}.log')
        self.devices = None

    def start(self, seconds=30):
        self.mosquitto.start()
        wait_until(lambda: port_answers(self.mqtt_port), f'{self.mosquitto.name} listens', seconds, [self.mosquitto])
        self.agent.start()
        wait_until(lambda: ready(self.admin), f'{self.agent_id} is ready', seconds, [self.agent])
        return self

    def play(self, profile, *flags):
        """Devices of a profile."""
        port = self.stack.ports.devices_admin(self.k)
        self.devices_admin = f'http://127.0.0.1:{port}'
        self.devices = Process(f'{self.agent_id}-devices', [
            self.stack.bin / 'edgelog-firmware-sim', '--config', PROFILES / f'{profile}.toml', '--mqtt',
            f'127.0.0.1:{self.mqtt_port}', '--admin', f'127.0.0.1:{port}', '--client-id', f'{self.agent_id}-devices',
            *flags], self.stack.logs / f'{self.agent_id}-devices.log').start()
        return self.devices

    @property
    def ports(self):
        return self.mqtt_port, self.admin_port, self.stack.ports.devices_admin(self.k)

    @property
    def processes(self):
        return [p for p in (self.mosquitto, self.agent, self.devices) if p]

    def stop(self):
        for process in (self.devices, self.agent, self.mosquitto):
            if process:
                process.stop()
        self.link.close()

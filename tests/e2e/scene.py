"""A pipeline of three sites, and what is done to it: each kind of process killed with a batch in flight, links cut."""
import collections
import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from logs import ApacheKafka
from procs import Stack, Trouble, metrics, ready, say, wait_until
from sites import Site

AGENTS = ['house-1', 'house-2', 'house-3']


class Scene:
    """A stack, three sites, and what is done to them."""

    def __init__(self, args, name, topics, mapping, site, streams='', more='', gateway_args=()):
        self.args, self.name = args, name
        self.random = random.Random(args.seed)
        self.data = Path(args.keep or tempfile.mkdtemp(prefix='edgelog-e2e-')) / name
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(parents=True)
        self.log = ApacheKafka(args.bin, self.data / 'kafka', args.base_port, 0) if args.log == 'apache-kafka' else None
        self.stack = Stack(args.bin, self.data, args.base_port, AGENTS, [f'{topic}:3' for topic in topics],
                           args.brokers or (self.log and self.log.brokers), gateway_args=gateway_args)
        self.broker = self.log or self.stack.broker  # that can be killed
        self.sites = [Site(self.stack, k, agent, mapping, site, streams, more) for k, agent in enumerate(AGENTS)]
        self.done = collections.Counter()      # disturbances by kind
        self.in_flight = collections.Counter() # of them, with a batch in flight

    def __enter__(self):
        try:
            if self.log:
                self.log.start()
            self.stack.start()
            for site in self.sites:
                site.start()
        except BaseException:
            self.__exit__(Trouble)
            raise
        return self

    def __exit__(self, kind, *_):
        for site in self.sites:
            site.stop()
        self.stack.stop()
        if self.log:
            self.log.stop()
        if kind is None and not self.args.keep:
            shutil.rmtree(self.data.parent, ignore_errors=True)
        elif kind is not None:
            say(f'{self.name}: what is left is in {self.data}')

    # ---- figures
    def playing(self):
        return [site for site in self.sites if site.devices and site.devices.running()]

    def in_flight_of(self, site):
        return metrics(site.admin).get('edgelog_agent_batches_in_flight', 0)

    def in_hand(self):
        return metrics(self.stack.admins()[-1]).get('edgelog_gateway_in_hand', 0)

    @staticmethod
    def acknowledged_of(site):
        return metrics(site.admin).get('edgelog_agent_events_acknowledged_total', 0)

    def acknowledged(self):
        return sum(map(self.acknowledged_of, self.sites))

    # ---- disturbances: each freezes what answers first, sees a batch under way, and only then kills
    def _frozen(self, frozen, flying, seconds=6):
        """With `frozen` unable to answer, gives what `flying` finds under way; tries again where nothing comes, since
        an agent that has just returned may still look for what it had sent before."""
        for last in (False, False, False, True):
            frozen.signal(signal.SIGSTOP)
            begin = time.monotonic()
            while time.monotonic() < begin + seconds:
                if found := flying(time.monotonic() - begin):
                    return found
                time.sleep(0.02)
            if not last:
                frozen.signal(signal.SIGCONT)
                self.recover()
        return None

    def _published(self, sites):
        """Finds a site whose agent has published what is not answered. Agents bring their figures up to date once a
        second: what they say at once is from before."""
        return lambda since: since > 1.2 and next((site for site in sites if self.in_flight_of(site) > 0), None)

    def _kill(self, kind, victim, flying):
        self.done[kind] += 1
        self.in_flight[kind] += bool(flying)
        victim.kill()

    def kill_agent(self):
        gateway = self.stack.gateways[0]
        site = self._frozen(gateway, self._published(self.playing()))
        victim = site or self.random.choice(self.sites)
        self._kill('agent', victim.agent, site)
        gateway.signal(signal.SIGCONT)
        victim.agent.start()

    def kill_gateway(self):
        gateway = self.stack.gateways[0]
        if self.broker:
            flying = self._frozen(self.broker, lambda _: self.in_hand() > 0)
        else:
            flying = self._frozen(gateway, self._published(self.playing()))
        self._kill('gateway', gateway, flying)
        if self.broker:
            self.broker.signal(signal.SIGCONT)
        gateway.start()

    def kill_broker(self):
        if not self.broker:
            return
        flying = self._frozen(self.broker, lambda _: self.in_hand() > 0)
        self._kill('broker', self.broker, flying)
        self.broker.start()

    def kill_mosquitto(self):
        gateway = self.stack.gateways[0]
        flying = self._frozen(gateway, self._published(self.playing()))
        self._kill('mosquitto', self.stack.mosquitto, flying)
        gateway.signal(signal.SIGCONT)
        self.stack.mosquitto.start()

    def kill_site_mosquitto(self):
        site = self.random.choice(self.playing() or self.sites)
        said = metrics(site.devices_admin).get('edgelog_devices_published_total', 0)
        # Nobody confirms: what devices send meanwhile lies in Mosquitto.
        flying = self._frozen(site.agent, lambda _: metrics(site.devices_admin).get('edgelog_devices_published_total', 0) > said)
        self._kill('site mosquitto', site.mosquitto, flying)
        site.agent.signal(signal.SIGCONT)
        site.mosquitto.start()

    def cut_link(self):
        site = self.random.choice(self.playing() or self.sites)
        flying = self._frozen(self.stack.gateways[0], self._published([site]))
        site.link.cut()
        self.stack.gateways[0].signal(signal.SIGCONT)
        self.done['link'] += 1
        self.in_flight['link'] += bool(flying)
        time.sleep(self.random.uniform(0.5, 3))
        site.link.restore()

    def disturb(self, rounds):
        """Goes through all kinds, `rounds` times or until the devices have nothing more to say."""
        kinds = [self.kill_agent, self.kill_gateway, self.kill_mosquitto, self.kill_site_mosquitto, self.kill_broker,
                 self.cut_link]
        for _, kind in itertools.product(range(rounds), kinds):
            if not self.playing():
                return
            before = self.acknowledged()
            kind()
            say(f'{self.name}: {kind.__name__} ({sum(self.done.values())}), {int(before)} acknowledged in these lives')
            self.recover()

    def recover(self, seconds=90):
        """Until all run, and of every site that still plays something gets through again."""
        for process in self.stack.processes:
            process.must_run()
        before = {}
        for site in self.sites:
            wait_until(lambda site=site: ready(site.admin), f'{site.agent_id} is ready again', seconds, [site.agent])
            before[site] = self.acknowledged_of(site)
        until = time.monotonic() + seconds
        while left := [site for site in self.playing() if self.acknowledged_of(site) <= before[site]]:
            if time.monotonic() >= until:
                raise Trouble(f'{self.name}: nothing of {left[0].agent_id} was acknowledged within {seconds} s after '
                              f'{dict(self.done)}')
            time.sleep(0.1)

    def finish(self, seconds):
        """Until all devices are done and all agents have nothing left."""
        for site in self.sites:
            if site.devices:
                self._await_devices(site, seconds)
        time.sleep(1.5)  # agents bring their figures up to date once a second
        wait_until(lambda: all(metrics(site.admin).get('edgelog_agent_backlog_events', 1) == 0 for site in self.sites),
                   'the agents have nothing left', seconds, [site.agent for site in self.sites])

    def _await_devices(self, site, seconds):
        until = time.monotonic() + seconds
        while site.devices.running():
            if time.monotonic() > until:
                raise Trouble(f'{site.devices.name}: not done within {seconds} s: {metrics(site.devices_admin)}')
            site.agent.must_run()
            time.sleep(0.1)
        if site.devices.child.returncode != 0:
            raise Trouble(f'{site.devices.name} ended with {site.devices.child.returncode}:\n{site.devices.tail()}')

    def verify(self, topics, site, *what):
        command = [sys.executable, Path(__file__).resolve().parent / 'verify.py', '--kafka', self.stack.brokers, '--topics', ','.join(topics),
                   '--site', site, *what]
        answer = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        if not answer.stdout.strip():
            return {'good': False, 'verifier': answer.returncode}
        return json.loads(answer.stdout.strip().splitlines()[-1])

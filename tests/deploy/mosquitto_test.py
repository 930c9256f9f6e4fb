#!/usr/bin/env python3
"""Starts the Mosquittos that deploy/mosquitto.py configures and tries what each user may and may not do.
Exit code 77 (skipped) without mosquitto."""
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'deploy'))
import mosquitto  # noqa: E402


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, conf, port):
        self.port = port
        self.process = subprocess.Popen(['mosquitto', '-c', conf], stderr=subprocess.PIPE)
        while True:  # until it accepts; a mosquitto that ended is an error at once
            if self.process.poll() is not None:
                raise RuntimeError(self.process.stderr.read().decode())
            try:
                socket.create_connection(('127.0.0.1', port), 1).close()
                return
            except OSError:
                continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.passwords = {}

    def command(self, tool, server, user, *more):
        login = ['-u', user, '-P', Path(self.passwords[user]).read_text().strip()] if user else []
        return [tool, '-h', '127.0.0.1', '-p', str(server.port), '-V', 'mqttv5', '-q', '1', *login, *more]

    def publish(self, server, user, topic, text):
        return subprocess.run(self.command('mosquitto_pub', server, user, '-t', topic, '-m', text),
                              capture_output=True, text=True)

    def heard(self, server, listener, filters, said):
        """What `listener` hears of what others say; the last thing said must be one that it may hear."""
        more = [word for f in filters for word in ('-t', f)]
        sub = subprocess.Popen(['stdbuf', '-oL'] + self.command('mosquitto_sub', server, listener, '-d', '-v', '-W', '20', *more),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = []
        for line in sub.stdout:
            if line.startswith('Subscribed'):
                for user, topic, text in said:
                    self.publish(server, user, topic, text)
            elif not line.startswith(('Client ', 'Subscribed')) and 'denied' not in line:
                lines.append(line.strip())
                if line.strip().endswith(said[-1][2]):
                    break
        sub.kill()
        sub.wait()
        sub.stdout.close()
        return lines


class Cloud(Case):
    def setUp(self):
        super().setUp()
        port = free_port()
        made = mosquitto.write_cloud(self.dir, port, ['a1', 'a2'])
        self.passwords = made['passwords']
        self.server = Server(made['conf'], port)
        self.addCleanup(self.server.__exit__)

    def test_an_agent_writes_its_own_topics_only(self):
        said = [('a1', 'edgelog/1/up/3/a2/door', 'forged'), ('a1', 'edgelog/1/hb/a2', 'forged'),
                ('a1', 'edgelog/1/state/a2', 'forged'), ('a1', 'edgelog/1/ack/a1', 'forged'),
                ('a1', 'edgelog/1/topics', 'forged'), ('a1', 'edgelog/1/cmd/a1', 'forged'),
                ('a1', 'edgelog/1/up/3/a1/door', 'one'), ('a1', 'edgelog/1/look/3/a1/door', 'two'),
                ('a1', 'edgelog/1/hb/a1', 'three'), ('a1', 'edgelog/1/state/a1', 'last')]
        self.assertEqual(self.heard(self.server, 'gateway', ['edgelog/1/#'], said),
                         ['edgelog/1/up/3/a1/door one', 'edgelog/1/look/3/a1/door two', 'edgelog/1/hb/a1 three',
                          'edgelog/1/state/a1 last'])

    def test_an_agent_reads_its_own_answers_only(self):
        said = [('gateway', 'edgelog/1/ack/a2', 'secret'), ('a2', 'edgelog/1/hb/a2', 'secret'),
                ('gateway', 'edgelog/1/topics', 'list'), ('gateway', 'edgelog/1/ack/a1', 'mine')]
        self.assertEqual(self.heard(self.server, 'a1', ['edgelog/1/ack/+', 'edgelog/1/hb/+', 'edgelog/1/topics'], said),
                         ['edgelog/1/topics list', 'edgelog/1/ack/a1 mine'])

    def test_nobody_enters_without_the_right_password(self):
        self.assertNotEqual(self.publish(self.server, None, 'edgelog/1/hb/a1', 'x').returncode, 0)
        self.passwords['a1'] = self.passwords['a2']
        self.assertNotEqual(self.publish(self.server, 'a1', 'edgelog/1/hb/a1', 'x').returncode, 0)


class Files(Case):
    def test_running_again_keeps_passwords_and_adds_agents(self):
        first = mosquitto.write_cloud(self.dir, 1, ['a1'])
        before = Path(first['passwords']['a1']).read_text()
        second = mosquitto.write_cloud(self.dir, 1, ['a1', 'a2'])
        self.assertEqual(Path(second['passwords']['a1']).read_text(), before)
        self.assertIn('a2', second['passwords'])
        self.assertNotIn(before.strip(), Path(self.dir, 'passwd').read_text())

    def test_bad_agent_ids_are_refused(self):
        for agent in ('', 'A', 'a/b', 'a+', '#', 'gateway', 'a' * 65, 'a\nuser x'):
            with self.assertRaises(ValueError):
                mosquitto.write_cloud(self.dir, 1, [agent])

    def test_an_anonymous_site_stays_on_loopback(self):
        with self.assertRaises(ValueError):
            mosquitto.write_site(self.dir, 1, host='0.0.0.0')


class Site(Case):
    def test_devices_and_agent_need_no_password_on_loopback(self):
        port = free_port()
        with Server(mosquitto.write_site(self.dir, port)['conf'], port) as server:
            self.assertEqual(self.heard(server, None, ['site/#'], [(None, 'site/d/event', 'x')]), ['site/d/event x'])

    def test_with_users_they_do(self):
        port = free_port()
        made = mosquitto.write_site(self.dir, port, users=['devices', 'agent'])
        self.passwords = made['passwords']
        with Server(made['conf'], port) as server:
            self.assertNotEqual(self.publish(server, None, 'site/d', 'x').returncode, 0)
            self.assertEqual(self.heard(server, 'agent', ['site/#'], [('devices', 'site/d', 'x')]), ['site/d x'])


if __name__ == '__main__':
    if not shutil.which('mosquitto') or not shutil.which('mosquitto_sub'):
        print('SKIPPED: mosquitto and mosquitto-clients are not installed')
        sys.exit(77)
    unittest.main()

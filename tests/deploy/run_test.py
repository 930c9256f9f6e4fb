#!/usr/bin/env python3
"""./run itself: its help, its refusals, what it says where it may not install packages, and that it ends when told."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ('demo', 'up', 'build', 'test', 'sim', 'e2e', 'bench', 'lint', 'fmt')


def run(*args, script=ROOT / 'run', **environment):
    return subprocess.run([script, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})


class Arguments(unittest.TestCase):
    def test_help_names_every_command_with_examples(self):
        general = run('--help')
        self.assertEqual(general.returncode, 0)
        for command in COMMANDS:
            self.assertIn(f'./run {command}', general.stdout)
            for asked in ((command, '--help'), ('help', command), (command, '-h')):
                own = run(*asked)
                self.assertEqual((own.returncode, own.stderr), (0, ''))
                self.assertRegex(own.stdout, rf'(?m)^ +\./run {command}')

    def test_wrong_arguments_are_refused_before_anything_is_built(self):
        for wrong, said in ((['dmeo'], 'no command "dmeo"'), ([], ''), (['help', 'dmeo'], 'no command "dmeo"'),
                            (['build', 'fast'], 'no preset "fast"'), (['test', '--ful'], 'not understood: --ful'),
                            (['sim', 'fog'], 'no kind "fog"'), (['lint', '--fix'], 'not understood: --fix'),
                            (['fmt', 'run'], 'not understood: run'), (['e2e', 'mouse'], 'mouse: expected one of house'),
                            (['bench', 'cloud'], "'cloud'"), (['bench', '--only', 'fog'], "'fog'"),
                            (['up', '--base-port', '70000'], '"70000": expected 1 to 64000'),
                            (['up', '--base-prt', '1'], 'unrecognized arguments: --base-prt'),
                            (['up', '--brokers', 'here'], '"here": expected HOST:PORT'),
                            (['up', '--topics', 'a/b'], '"a/b": expected NAME'), (['up', '--agents', 'gateway'], '"gateway"'),
                            (['demo', '--data', '/nowhere'], 'no *.tsv.gz in /nowhere'), (['demo', 'now'], 'now')):
            with self.subTest(wrong):
                refused = run(*wrong)
                self.assertEqual((refused.returncode, refused.stdout), (2, ''))
                self.assertIn(said, refused.stderr)
                self.assertIn('./run', refused.stderr)  # how it is right
                self.assertNotIn('== ', refused.stderr)  # no stage began


class Faked(unittest.TestCase):
    """A copy of ./run alone, with fakes of what it calls first in the PATH."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix='edgelog-run-test.'))
        self.addCleanup(shutil.rmtree, self.folder)
        self.script = Path(shutil.copy(ROOT / 'run', self.folder))
        listed = ' '.join(re.findall(r'^packages_\w+="([^"]*)"', self.script.read_text(), re.M)).split()
        self.fake('dpkg-query', ''.join(f'echo "installed {name}"\n' for name in (*listed, 'libboost-dev', 'libboost1.81-dev')))
        self.fake('cmake', 'touch "build/$2/build.ninja"')

    def fake(self, name, body):
        path = self.folder / 'bin' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\n{body}\n')
        path.chmod(0o755)

    def environment(self):
        return {'PATH': f'{self.folder / "bin"}:{os.environ["PATH"]}'}

    def test_without_root_it_prints_the_apt_line_and_exits_3(self):
        self.fake('dpkg-query', 'echo "installed g++"')
        for name, body in {'id': 'echo 1000', 'sudo': 'exit 1', 'apt-get': 'exit 99'}.items():
            self.fake(name, body)
        for command in COMMANDS:
            refused = run(command, script=self.script, **self.environment())
            self.assertEqual((refused.returncode, refused.stdout), (3, ''), refused.stderr)
            self.assertRegex(refused.stderr,
                             r'apt-get install --no-install-recommends (?!.*g\+\+).*\bcmake\b.*libboost')

    def test_nothing_is_installed_or_configured_twice(self):
        self.fake('apt-get', 'exit 99')
        self.fake('ninja', 'exit 0')
        for configured in (True, False):
            built = run('build', script=self.script, **self.environment())
            self.assertEqual((built.returncode, built.stdout), (0, ''), built.stderr)
            self.assertEqual('configuring' in built.stderr, configured)
            self.assertRegex(built.stderr, r'== building release: done in \d+\.\d s\n$')

    def test_a_build_that_fails_fails(self):
        self.fake('ninja', 'echo "a.cc:1: error: expected bread"; exit 1')
        built = run('build', script=self.script, **self.environment())
        self.assertEqual(built.returncode, 1)
        self.assertIn('expected bread', built.stderr)

    def test_a_stage_without_tests_is_a_failure(self):
        self.fake('ninja', 'exit 0')
        self.fake('ctest', 'for word in "$@"; do [ "$word" != --no-tests=error ] || exit 8; done')
        for flags in ([], ['--full']):
            tested = run('test', *flags, script=self.script, **self.environment())
            self.assertEqual(tested.returncode, 1)
            self.assertRegex(tested.stdout, r'^0 passed, [1-9]\d* failed, 0 skipped\n$')

    def test_it_ends_when_told_with_all_that_it_started(self):
        self.fake('ninja', 'sleep 1000 & echo $$ $! > "$0.new"; mv "$0.new" "$0.pids"; wait')
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            script = subprocess.Popen([self.script, 'build'], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                      env={**os.environ, **self.environment()},
                                      preexec_fn=lambda: [signal.signal(s, signal.SIG_DFL) for s in (1, 2, 15)])
            pids = self.folder / 'bin' / 'ninja.pids'
            while not pids.exists():
                self.assertIsNone(script.poll())
            script.send_signal(number)
            self.assertEqual(script.wait(30), 128 + number)
            until = time.monotonic() + 10
            while any(Path(f'/proc/{pid}').exists() for pid in pids.read_text().split()):
                self.assertLess(time.monotonic(), until)
            pids.unlink()


if __name__ == '__main__':
    unittest.main()

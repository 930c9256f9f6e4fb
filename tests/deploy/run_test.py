#!/usr/bin/env python3
"""./run itself: its help, its refusals, and what it says where it may not install packages."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ('demo', 'up', 'build', 'test', 'sim', 'lint', 'fmt')  # e2e and bench hand --help on


def run(*args, **environment):
    return subprocess.run([ROOT / 'run', *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})


class Run(unittest.TestCase):
    def test_help_names_every_command_with_examples(self):
        general = run('--help')
        self.assertEqual(general.returncode, 0)
        for command in COMMANDS:
            self.assertIn(f'./run {command}', general.stdout)
            own = run(command, '--help')
            self.assertEqual(own.returncode, 0)
            self.assertIn(f'  ./run {command}', own.stdout)

    def test_unknown_commands_and_flags_are_refused(self):
        self.assertEqual(run('dmeo').returncode, 2)
        self.assertEqual(run().returncode, 2)

    def test_without_root_it_prints_the_apt_line_and_exits_3(self):
        with tempfile.TemporaryDirectory() as folder:
            fakes = {'dpkg-query': 'echo "installed g++"', 'id': 'echo 1000', 'sudo': 'exit 1', 'apt-get': 'exit 99'}
            for name, body in fakes.items():
                path = Path(folder, name)
                path.write_text(f'#!/bin/sh\n{body}\n')
                path.chmod(0o755)
            refused = run('build', PATH=f'{folder}:{os.environ["PATH"]}')
        self.assertEqual(refused.returncode, 3)
        self.assertRegex(refused.stderr, r'apt-get install --no-install-recommends (?!.*g\+\+).*\bcmake\b.*libboost')
        self.assertEqual(refused.stdout, '')


if __name__ == '__main__':
    unittest.main()

#!/usr/bin/env python3
"""Power cuts on the real stores of broker and agent, and what each of their syncs is for.

  power_cuts.py --bin DIR      DIR: where the programs are; the tests are in DIR/../tests

At every effect of a run on a disk in memory (broker), at every acknowledgement and at moments between (agent's SQLite
VFS), what was not synced is dropped, and nothing acknowledged may be missing. Then each sync call is left out, one
after the other: that must be noticed, or the call is listed as redundant, with what stands in for it. Prints a table
in Markdown: whose, which call, and what happens without it. Exit code 0: all as listed; 1: not.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

TESTS = ['test_power_cuts', 'test_edge-agent_adapters']


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    args = parser.parse_args()
    good = True
    print('| whose | sync of | left out |\n| --- | --- | --- |')
    for test in TESTS:
        program = Path(args.bin).absolute().parent / 'tests' / test
        run = subprocess.run([str(program), '--gtest_filter=PowerCut.*'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, cwd=Path(__file__).resolve().parent.parent,
                             env={**os.environ, 'EDGELOG_POWER_CUTS_WHOLE': '1'}, errors='replace')
        rows = [line for line in run.stdout.splitlines() if line.startswith('| ')]
        print('\n'.join(rows), flush=True)
        if run.returncode != 0 or not rows:
            good = False
            print(f'{program.name} failed:\n{run.stdout}', file=sys.stderr)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())

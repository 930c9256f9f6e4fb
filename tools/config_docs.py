#!/usr/bin/env python3
"""config_docs.py --bin DIR [--check]: docs/CONFIG.md, made from what the programs say of their own settings. With
--check nothing is written: it is an error if the page is not what they say, or if a sample file that a program prints
is not one that it accepts."""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ('edgelog-agent', 'edgelog-gateway', 'edgelog-broker', 'edgelog-firmware-sim')
HEAD = '''# Settings

Made by `tools/config_docs.py` from the programs' own tables; `PROGRAM --print-config` writes the same as a file to
start from, `PROGRAM --check-config --config FILE` says what is wrong with one (exit code 2: file, line, key, what was
expected). A flag beats the file, the file beats the default. Durations: "20ms", "1s", "90d"; sizes: 65536, "64KiB".

'''


def printed(program, *flags):
    return subprocess.run([program, *flags], check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bin', type=Path, required=True)
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args()
    programs = [args.bin / name for name in PROGRAMS if (args.bin / name).exists()]
    if len(programs) < len(PROGRAMS):
        print('SKIPPED: not all programs are built')
        return 77
    page = HEAD + '\n'.join(printed(program, '--print-docs') for program in programs)
    path = ROOT / 'docs/CONFIG.md'
    if not args.check:
        path.write_text(page)
        return 0
    bad = 0
    if not path.exists() or path.read_text() != page:
        print(f'docs/CONFIG.md:1: is not what the programs say; run tools/config_docs.py --bin {args.bin}')
        bad = 1
    for program in programs:
        if not printed(program, '--help') or not printed(program, '--version'):
            bad = 1
        with tempfile.NamedTemporaryFile('w', suffix='.toml') as file:
            file.write('no_such_key = 1\n')
            file.flush()
            run = subprocess.run([program, '--check-config', '--config', file.name], capture_output=True, text=True)
            if run.returncode != 2 or f'{file.name}:1: no_such_key: expected' not in run.stderr:
                print(f'{program.name}: an unknown key gave {run.returncode}: {run.stderr}')
                bad = 1
    return bad


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
"""run.py [--seeds N] [--jobs N] [--keep DIR] [NAME...]: are deliberately wrong variants caught?

Copies the tree, builds the simulator there, and for each tests/sim/mutants/*.patch: applies it, builds, runs seeds
of its kind until one fails, takes it back. Exit code 1 if one survives all seeds, or does not apply or build.
A patch named KIND.NAME.patch is for the simulator KIND; without a KIND for the edge."""
import argparse, os, pathlib, shutil, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHUNK = 40


def run(command, cwd, **more):
    return subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def copy_tree(to):
    listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT,
                            capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split('\0')):
        source = ROOT / name
        if not source.is_file():
            continue
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy2(source, target)


def build(tree, jobs):
    return run(['cmake', '--build', 'build/sim', '-j', str(jobs), '--target', 'edgelog-sim'], tree)


def hunt(tree, kind, seeds, jobs):
    """The first chunk of seeds in which one fails: (seed, why), or nothing."""
    for first in range(1, seeds + 1, CHUNK):
        last = min(first + CHUNK - 1, seeds)
        done = run(['build/sim/bin/edgelog-sim', kind, '--seeds', f'{first}..{last}', '--jobs', str(jobs)], tree)
        failed = [line for line in done.stdout.splitlines() if line.startswith('seed ') and ('FAILED' in line or 'DIED' in line)]
        if failed:
            words = min(failed, key=lambda line: int(line.split()[1]))
            return int(words.split()[1]), words.split(' ', 2)[2]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*')
    parser.add_argument('--seeds', type=int, default=1000)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--keep', help='use this directory for the copy and leave it')
    options = parser.parse_args()
    patches = sorted(pathlib.Path(__file__).parent.glob('*.patch'))
    if options.names:
        patches = [p for p in patches if p.stem in options.names or p.stem.split('.')[-1] in options.names]
    if not patches:
        print('no such mutant')
        return 2
    tree = pathlib.Path(options.keep or tempfile.mkdtemp(prefix='edgelog-mutants-'))
    tree.mkdir(parents=True, exist_ok=True)
    bad = []
    try:
        copy_tree(tree)
        configured = run(['cmake', '--preset', 'sim'], tree)
        if configured.returncode or build(tree, options.jobs).returncode:
            print('the tree itself does not build\n' + configured.stdout[-2000:])
            return 1
        for patch in patches:
            kind = patch.stem.split('.')[0] if '.' in patch.stem else 'edge'
            began = time.monotonic()
            applied = run(['patch', '-p1', '--forward', '--no-backup-if-mismatch', '-i', str(patch)], tree)
            if applied.returncode:
                print(f'{patch.stem}: does not apply\n{applied.stdout}')
                bad.append(patch.stem)
                copy_tree(tree)
                continue
            built = build(tree, options.jobs)
            found = None if built.returncode else hunt(tree, kind, options.seeds, options.jobs)
            run(['patch', '-p1', '-R', '--no-backup-if-mismatch', '-i', str(patch)], tree)
            took = time.monotonic() - began
            if built.returncode:
                print(f'{patch.stem}: does not build\n{built.stdout[-3000:]}')
                bad.append(patch.stem)
            elif found is None:
                print(f'{patch.stem}: SURVIVED {options.seeds} seeds ({took:.0f} s)')
                bad.append(patch.stem)
            else:
                print(f'{patch.stem}: caught by seed {found[0]} ({took:.0f} s): {found[1]}', flush=True)
            sys.stdout.flush()
    finally:
        if not options.keep:
            shutil.rmtree(tree, ignore_errors=True)
    print(f'{len(patches) - len(bad)} of {len(patches)} caught' + (': not ' + ', '.join(bad) if bad else ''))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

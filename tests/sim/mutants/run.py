#!/usr/bin/env python3
"""run.py [--kind edge|broker] [--seeds N] [--jobs N] [--tree DIR] [NAME...]: are deliberately wrong variants caught?

Keeps a copy of the tree (build/mutants) with the simulator built in it, and for each tests/sim/mutants/*.patch:
applies it, builds what changed, runs seeds of its kind until one fails, takes it back. A patch named
KIND.NAME.patch is for the simulator KIND; without a KIND for the edge. Exit code 1 if one survives all seeds, or
does not apply or build."""
import argparse, os, pathlib, shutil, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONFIGURE = ['cmake', '--preset', 'sim', '-DCMAKE_CXX_FLAGS_SIM=-O1']  # builds weigh more than seeds

END = 600  # seconds for a chunk of seeds: a decision that never ends


def run(command, cwd, **more):
    env = dict(os.environ, CCACHE_BASEDIR=str(cwd), CCACHE_NOHASHDIR='1')
    return subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, **more)


def copy_tree(to):
    """Makes `to` equal to the tree but for what is built there. What is written gets the time of now: an object of a
    variant must not look newer than the source that is put back."""
    listed = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT,
                            capture_output=True, check=True).stdout
    wanted = {name for name in listed.decode().split('\0') if name and (ROOT / name).is_file()}
    for name in wanted:
        target, content = to / name, (ROOT / name).read_bytes()
        if target.is_file() and target.read_bytes() == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        shutil.copymode(ROOT / name, target)
    for path in [p for p in to.rglob('*') if p.is_file()]:
        name = path.relative_to(to)
        if name.parts[0] != 'build' and str(name) not in wanted:
            path.unlink()


def build(tree, jobs):
    return run(['cmake', '--build', 'build/sim', '-j', str(jobs), '--target', 'edgelog-sim'], tree)


def failures(text):
    lines = [line for line in text.splitlines() if line.startswith('seed ') and ('FAILED' in line or 'DIED' in line)]
    return sorted(lines, key=lambda line: int(line.split()[1]))


def hunt(tree, kind, seeds, jobs):
    """The first chunk of seeds in which one fails: (seed, why), or nothing. Chunks grow: most fall early."""
    first, chunk = 1, 20
    while first <= seeds:
        last = min(first + chunk - 1, seeds)
        seeds_of = ['build/sim/bin/edgelog-sim', kind, '--seeds', f'{first}..{last}', '--jobs', str(jobs)]
        try:
            done = run(seeds_of, tree, timeout=END)
        except subprocess.TimeoutExpired:
            return first, f'one of {first}..{last} does not end'
        failed = failures(done.stdout)
        if failed:
            return int(failed[0].split()[1]), failed[0].split(' ', 2)[2]
        first, chunk = last + 1, min(2 * chunk, 300)
    return None


def judge(tree, patch, kind, options):
    """(caught, what to say) of one variant. The tree is as it was afterwards."""
    applied = run(['patch', '-p1', '--forward', '--no-backup-if-mismatch', '-r', '-', '-i', str(patch)], tree)
    try:
        if applied.returncode:
            return False, 'DOES NOT APPLY: ' + applied.stdout.strip().replace('\n', '; ')
        built = build(tree, options.jobs)
        if built.returncode:
            return False, 'DOES NOT BUILD\n' + built.stdout[-3000:]
        found = hunt(tree, kind, options.seeds, options.jobs)
        return (True, f'seed {found[0]}: {found[1]}') if found else (False, f'SURVIVED {options.seeds} seeds')
    finally:
        copy_tree(tree)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', help='only these')
    parser.add_argument('--kind', help='only patches of this simulator')
    parser.add_argument('--seeds', type=int, default=1000)
    parser.add_argument('--jobs', type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument('--tree', type=pathlib.Path, default=ROOT / 'build' / 'mutants', help='where the copy is')
    options = parser.parse_args()
    patches = []
    for patch in sorted(pathlib.Path(__file__).parent.glob('*.patch')):
        kind = patch.stem.split('.')[0] if '.' in patch.stem else 'edge'
        named = not options.names or patch.stem in options.names or patch.stem.split('.')[-1] in options.names
        if named and options.kind in (None, kind):
            patches.append((patch, kind))
    return options, patches


def main():
    options, patches = arguments()
    if not patches:
        print('no such mutant')
        return 2
    tree = options.tree.resolve()
    tree.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    copy_tree(tree)
    ready = run(CONFIGURE, tree)
    if ready.returncode == 0:
        ready = build(tree, options.jobs)
    if ready.returncode:
        print('the tree itself does not build\n' + ready.stdout[-3000:])
        return 1
    print(f'{len(patches)} variants; the tree built in {time.monotonic() - began:.0f} s', flush=True)
    rows = []
    for at, (patch, kind) in enumerate(patches, 1):
        since = time.monotonic()
        caught, said = judge(tree, patch, kind, options)
        rows.append((kind, patch.stem, caught, said.splitlines()[0]))
        print(f'[{at}/{len(patches)}] {patch.stem} ({time.monotonic() - since:.0f} s): {said}', flush=True)
    width = max(len(name) for _, name, _, _ in rows)
    print()
    for kind, name, caught, said in rows:
        print(f'{kind:<7} {name:<{width}}  {"caught" if caught else "NOT   "}  {said[:100]}')
    bad = [name for _, name, caught, _ in rows if not caught]
    print(f'{len(rows) - len(bad)} of {len(rows)} caught in {time.monotonic() - began:.0f} s'
          + (': not ' + ', '.join(bad) if bad else ''))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

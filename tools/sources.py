"""What the checkers share: which files are ours, C++ text without comments and literals, and how to report."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = 77  # ctest's and ./run's code for "could not be tried here"
OURS = ('common', 'cloud-broker', 'edge-agent', 'gateway', 'firmware-sim', 'examples', 'tests', 'streams', 'connect', 'cli')


def cpp_files(root=ROOT, folders=OURS, endings=('.h', '.cc')):
    """Paths relative to root, sorted; hidden and build folders left out."""
    found = []
    for folder in folders:
        for at, below, names in os.walk(root / folder):
            below[:] = [name for name in below if not name.startswith('.') and name != 'build']
            found += [Path(at, name).relative_to(root) for name in names if name.endswith(endings)]
    return sorted(found)


LITERAL = re.compile(r'R"(\w*)\((?:.|\n)*?\)\1"|//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"'
                     r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'")


def code_only(text):
    """Comments and literals become spaces; every line keeps its number."""
    return LITERAL.sub(lambda match: re.sub(r'[^\n]', ' ', match[0]), text)


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def main(check, examples):
    """check(root) -> list of complaints. `examples`: list of (files: {path: text}, part of the expected complaint,
    or None for a clean tree); --self-test tries them all, so that a checker which finds nothing is found."""
    parser = argparse.ArgumentParser(description=sys.modules['__main__'].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', type=Path, default=ROOT)
    parser.add_argument('--self-test', action='store_true', help='show that it can fail, and does not when it should not')
    args = parser.parse_args()
    if args.self_test:
        sys.exit(_self_test(check, examples))
    complaints = check(args.root)
    for complaint in complaints:
        print(complaint)
    print(f'{len(complaints)} complaints')
    sys.exit(bool(complaints))


def _self_test(check, examples):
    failed = 0
    for files, expected in examples:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            found = check(Path(folder))
            good = any(expected in complaint for complaint in found) if expected else not found
            if not good:
                failed += 1
                print(f'expected {expected or "no complaint"}, got {found} for {files}')
    print(f'{len(examples)} examples, {failed} failed')
    return bool(failed)


def tool(*names):
    """The first of these programs that is installed; exits as skipped if none is."""
    for name in names:
        if subprocess.run(['sh', '-c', 'command -v "$0"', name], stdout=subprocess.DEVNULL).returncode == 0:
            return name
    print(f'SKIPPED: none of {", ".join(names)} is installed')
    sys.exit(SKIPPED)


def parallel(function, items):
    """function over items on all processors (it waits for a subprocess each); results in order."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(function, items))

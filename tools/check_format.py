#!/usr/bin/env python3
"""Every C++ file is as clang-format 19 writes it with .clang-format. --fix (./run fmt) writes it so."""
import shutil
import subprocess
import sys

import sources


def clang_format(root, files, *more):
    program = sources.tool('clang-format-19')
    size = 16
    chunks = [list(map(str, files[i:i + size])) for i in range(0, len(files), size)]
    return sources.parallel(lambda chunk: subprocess.run([program, *more, *chunk], cwd=root, capture_output=True, text=True),
                            chunks)


def check(root):
    if not (root / '.clang-format').exists():
        shutil.copy(sources.ROOT / '.clang-format', root / '.clang-format')  # the examples' folder
    bad = []
    for run in clang_format(root, sources.cpp_files(root), '--dry-run', '-Werror'):
        bad += [line.replace('error: ', '') for line in run.stderr.splitlines() if 'error:' in line]
    seen = {line.split(':')[0]: line for line in reversed(bad)}  # the first place of each file will do
    return sorted(seen.values())


EXAMPLES = [
    ({'common/base/a.h': '#pragma once\nint f();\n'}, None),
    ({'common/base/a.h': '#pragma once\nint   f( );\n'}, 'common/base/a.h:2'),
]

if __name__ == '__main__':
    if '--fix' in sys.argv:
        clang_format(sources.ROOT, sources.cpp_files(), '-i')
        sys.exit(0)
    sources.main(check, EXAMPLES)

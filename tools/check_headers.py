#!/usr/bin/env python3
"""Each header of ours compiles alone, and twice in a row. $CXX (g++) with ccache, if that is installed."""
import os
import shutil
import subprocess
from pathlib import Path

import sources

FLAGS = ['-std=c++20', '-O0', '-Wall', '-Wextra', '-Werror', '-Wno-unused-const-variable', '-I.']


def check(root):
    compiler = ([] if not shutil.which('ccache') else ['ccache']) + [sources.tool(os.environ.get('CXX', 'g++'))]
    out = root / 'build/headers'

    def compile_alone(header):
        unit = out / (str(header) + '.cc')
        unit.parent.mkdir(parents=True, exist_ok=True)
        text = f'#include "{header}"\n#include "{header}"\n'
        if not unit.exists() or unit.read_text() != text:
            unit.write_text(text)
        run = subprocess.run([*compiler, *FLAGS, '-c', str(unit.relative_to(root)), '-o', str(unit) + '.o'], cwd=root,
                             capture_output=True, text=True)
        Path(str(unit) + '.o').unlink(missing_ok=True)
        if run.returncode == 0:
            return None
        lines = run.stderr.splitlines()
        return f'{header}:1: does not compile alone: ' + next((line for line in lines if 'error' in line), run.stderr[:200])

    return [bad for bad in sources.parallel(compile_alone, sources.cpp_files(root, endings=('.h',))) if bad]


EXAMPLES = [
    ({'common/base/a.h': '#pragma once\n#include <string>\nstruct A { std::string s; };\n'}, None),
    ({'common/base/a.h': '#pragma once\nstruct A { std::string s; };\n'}, 'does not compile alone'),
    ({'common/base/a.h': 'struct A {};\n'}, 'does not compile alone'),
]

if __name__ == '__main__':
    sources.main(check, EXAMPLES)

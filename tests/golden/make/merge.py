#!/usr/bin/env python3
"""merge.py WIRE_DIR OUT IN...: the golden lines of the versions that WIRE_DIR's headers serve; later files win."""
import glob, re, sys
wire, out_path, *inputs = sys.argv[1:]
served, lines = {}, {}
for path in glob.glob(wire + '/*.h'):
    text = re.sub(r'\s+', ' ', open(path).read())
    for key, first, last in re.findall(r'\.key = (\d+), \.name = "\w+", \.first = (\d+), \.last = (\d+)', text):
        served[int(key)] = range(int(first), int(last) + 1)
for path in inputs:
    for line in open(path):
        key, kind, version, data, values = line.rstrip('\n').split(' ', 4)
        if int(key) in served and int(version) in served[int(key)]:
            lines[int(key), int(version), kind] = data or '-', values
with open(out_path, 'w') as out:
    out.write('# api key, q(uestion) or r(eply), u: with an unknown tag; version; bytes; values. See make/run.sh.\n')
    for (key, version, kind), (data, values) in sorted(lines.items()):
        if kind.endswith('u') and lines[key, version, kind[0]][0] == data: continue
        out.write(f'{key} {kind} {version} {data} {values}\n')
for key, versions in sorted(served.items()):
    for version in versions:
        for kind in 'qr':
            if (key, version, kind) not in lines: sys.exit(f'nothing for key {key} {kind} version {version}')

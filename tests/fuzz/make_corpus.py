#!/usr/bin/env python3
"""Seeds of the fuzzers from tests/golden: make_corpus.py, run in the root of the tree. What a fuzzer has
found once is a file regression-* beside them, and stays."""
import glob, os, re, subprocess, zlib
root = 'tests/fuzz/corpus'

def put(fuzzer, name, data):
    os.makedirs(f'{root}/{fuzzer}', exist_ok=True)
    with open(f'{root}/{fuzzer}/{name}', 'wb') as f: f.write(data)

flexible = {}
for path in glob.glob('common/wire/*.h'):
    text = re.sub(r'\s+', ' ', open(path).read())
    for key, version in re.findall(r'\.key = (\d+), [^}]*?\.flexible = (\d+)', text): flexible[int(key)] = int(version)

messages, served = {}, {}
for line in open('tests/golden/wire/messages.txt'):
    if line.startswith('#'): continue
    key, kind, version, data = line.split(' ')[:4]
    messages.setdefault((int(key), kind), {})[int(version)] = b'' if data == '-' else bytes.fromhex(data)
for (key, kind), versions in messages.items():
    for version in {max(versions)} if kind in 'qr' else ():
        tags = b'\0' if version >= flexible.get(key, 1 << 15) else b''
        if kind[0] == 'q':
            header = key.to_bytes(2, 'big') + version.to_bytes(2, 'big') + b'\0\0\0\7' + b'\0\4kcat' + tags
            put('request', f'{key}-v{version}', header + versions[version])
            served[key] = len(header + versions[version]).to_bytes(2, 'big') + header + versions[version]
            put('served', f'{key}', served[key])
        else:
            put('response', f'{key}-v{version}',
                bytes([key, version]) + b'\0\0\0\7' + (b'' if key == 18 else tags) + versions[version])
put('served', 'a-life', b''.join(served[key] for key in
    (18, 19, 3, 0, 1, 2, 10, 11, 14, 12, 8, 9, 15, 16, 13, 32, 44, 37, 20, 42) if key in served))
for line in open('tests/golden/record/batches.txt'):
    name, data = line.split(' ')[:2]
    data = bytes.fromhex(data)
    put('batch', name, data)
    put('decompress', name, bytes([data[22] & 7]) + data[61:])
def i(value, size): return value.to_bytes(size, 'big', signed=True)
def s(text): return i(len(text), 2) + text.encode()
name = s('door') + i(1 << 62, 8) + i(0, 2) + i(5, 4) + i(9, 4)
answer = name + i(3, 4) + i(0, 2) + i(1000, 8) + i(1, 4)
put('uplink', 'look', b'\0\1' + i(7, 8) + i(3, 4) + i(900, 8) + b'\0' + b'\1' + answer)
put('uplink', 'look-nothing-expected', b'\0\1' + i(7, 8) + i(3, 4) + i(900, 8) + b'\1' + b'\xff')
sighting = i(1 << 62, 8) * 2 + i(0, 8) + i(9, 8) + i(1000, 8) + b'\0'
look = i(7, 8) + s('door') + i(3, 4) + i(0, 2) + i(900, 8) + i(1010, 8) + i(0, 8) + i(1, 4) + b'\1' + i(1, 4) + i(1, 4) + sighting
put('uplink', 'answers', b'\1\1' + i(1700000000000, 8) + i(1, 4) + answer + i(1, 4) + look)
put('uplink', 'topics', b'\2\1' + i(1700000000000, 8) + i(86400000, 8) + i(1, 4) + s('door') + i(1048588, 4) + i(1, 4) + i(10, 8) + i(1, 4))
stream = s('door') + i(0, 8) + i(9, 8) + i(3, 8) + i(4096, 8) + i(-1, 8) + b'\0'
put('uplink', 'heartbeat', b'\3\1' + s('0.1.0') + i(1700000000000, 8) + b'\1' + i(1 << 30, 8) + i(1, 4) + stream)
for path in glob.glob('edge-agent/mappings/*.toml'): put('mapping_file', os.path.basename(path), open(path, 'rb').read())
for line in open('tests/golden/record/batches.txt'):
    name, data = line.split(' ')[:2]
    if not name.endswith('-30'): put('facts', name, bytes.fromhex(data))
for name, topic, payload in (
        ('plain', 'events/climate/t-1', '{"temperature": 21.50, "unit": "celsius", "n": 17, "boot": 3, "time": "2022-10-09T20:13:08Z"}'),
        ('line', 'line', '{"stream": "doors", "device": "front", "value": {"open": true}, "time": 1665346388}'),
        ('nested', 'zigbee2mqtt/kitchen/door', '{"contact": false, "battery": 97, "update": {"state": "idle", "a": [1, {"b": null}]}}'),
        ('availability', 'zigbee2mqtt/kitchen/availability', '{"state": "online"}'),
        ('escapes', 'events/x/y', '{"a\\"b": "\\u00e4\\n", "n": -1.5e+300, "t": true, "z": null}'),
        ('nordwijk', 'nordwijk/hall', '{"name": "hall", "capability": "contact", "attribute": "open", "value": "1", "number": 4, "boot": 1}'),
        ('calit2', 'calit2/door', '{"date": "07/24/05", "time": "00:30:00", "flow": 7, "count": 3, "number": 4, "boot": 1}'),
        ('notice', 'nordwijk/hall', '{"boot": 1, "confirmed": 3, "lost": 4}')):
    put('payload', name, (topic + '\n' + payload).encode())

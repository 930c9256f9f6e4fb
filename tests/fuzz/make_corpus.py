#!/usr/bin/env python3
"""Seeds of the fuzzers from tests/golden: make_corpus.py, run in the root of the tree. What a fuzzer has
found once is a file regression-* beside them, and stays."""
import glob, os, random, re, subprocess
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
    first = flexible.get(key, max(versions))  # the first version of the newer encoding, and the last of the older one
    for version in {min(versions), first - 1, first, max(versions)} & set(versions) if kind in 'qr' else ():
        tags = b'\0' if version >= flexible.get(key, 1 << 15) else b''
        if kind[0] == 'q':
            header = key.to_bytes(2, 'big') + version.to_bytes(2, 'big') + b'\0\0\0\7' + b'\0\4kcat' + tags
            put('request', f'{key}-v{version}', header + versions[version])
            if version == max(versions): served[key] = b'\0' + len(header + versions[version]).to_bytes(2, 'big') + header + versions[version]
        else:
            put('response', f'{key}-v{version}',
                bytes([key, version]) + b'\0\0\0\7' + (b'' if key == 18 else tags) + versions[version])
for key, frame in served.items(): put('served', f'raw-{key}', frame)
put('served', 'raw-all', b''.join(served.values()))
# Requests whose fields the following bytes choose (plausible.h): a topic first, then one API in all its versions.
seeded = random.Random(1)
def asked(api, version): return bytes([1, api, version]) + bytes(seeded.randrange(256) for _ in range(48))
topic = bytes([1, 18, 3, 0, 0, 2, 1, 192, 192, 6, 0])
for api in range(28): put('served', f'chosen-{api}', topic + b''.join(asked(api, version) for version in range(18)))
for life in range(16):
    steps = [asked(seeded.randrange(28), seeded.randrange(18)) for _ in range(30)]
    put('served', f'life-{life}', topic + b''.join(steps[:20]) + b'\x0f' + b''.join(steps[20:]) + b'\x0b')
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
# What --print-config shows is a whole configuration with every default, commented out.
if os.path.exists(agent := os.environ.get('EDGELOG_AGENT', 'build/sim/bin/edgelog-agent')):
    sample = subprocess.run([agent, '--print-config'], stdout=subprocess.PIPE, check=True).stdout
    put('config', 'sample', sample)
    put('config', 'set', sample.replace(b'\nid = ""', b'\nid = "edge-1"'))
put('config', 'flags', b'#--id edge-1 --uplink.port 1884 --stdin plain-json --uplink.tls true\nsite = "hall"\n')

# Words that decide: libFuzzer finds single characters quickly, whole words less so.
def dictionary(fuzzer, texts, extra=()):
    words = set(extra)
    for text in texts: words |= set(re.findall(r'[A-Za-z_$][A-Za-z0-9_.$-]+', text))
    os.makedirs('tests/fuzz/dict', exist_ok=True)
    with open(f'tests/fuzz/dict/{fuzzer}.dict', 'w') as f:
        for word in sorted(words): f.write('"' + word.replace('\\', '\\\\').replace('"', '\\"') + '"\n')
def lines(path, comments=False): return ''.join(line for line in open(path) if comments or not line.startswith('#'))
tokens = ('[[', ']]', '[', ']', ' = ', '\'\'\'', '"""', '{', '}', '1979-05-27T07:32:00Z', '0x', '1e9', 'inf', '20ms', '64KiB')
mappings = [lines(path) for path in glob.glob('edge-agent/mappings/*.toml')]
dictionary('mapping_file', mappings, tokens)
dictionary('payload', mappings, ('{"', '":', 'true', 'null', '\\u0000', '-1e308', '2022-10-09T20:13:08Z', '07/24/05'))
dictionary('config', [open(path).read() for path in ('tests/fuzz/corpus/config/set',) if os.path.exists(path)], tokens)

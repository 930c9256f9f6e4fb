"""What an agent does with bad messages, over MQTT and over its socket; a scene of faults.py.

Every bad message is counted, dead-lettered with its reason, and logged (with a limit on repeats); the good messages of
another device, sent in between, all get through, in order.
"""
import base64
import json
import socket
import subprocess
import time

from procs import Stack, Trouble, metrics, ready, say, wait_until
from sites import Site
from verify import parse, read_topic

AGENT = 'fault-1'
TOPIC = 'doors'
LIMIT = 8192  # message_bytes_max of this agent
REPEATS = 2000
LOG_LINES_MAX = 60

# name -> (MQTT topic, payload, part of the dead letter's reason)
BAD = {
    'cut off': ('events/doors/bad', b'{"a": 1, "b":', 'JSON'),
    'no JSON': ('events/doors/bad', b'hello', 'JSON'),
    'empty': ('events/doors/bad', b'', ''),
    'only zeros': ('events/doors/bad', bytes(100), 'JSON'),
    'two documents': ('events/doors/bad', b'{"a":1}{"a":2}', 'JSON'),
    'no object': ('events/doors/bad', b'[1, 2, 3]', 'object'),
    'a text': ('events/doors/bad', b'"21.5"', 'object'),
    'invalid UTF-8': ('events/doors/bad', b'{"a": "\xff\xfe\x80"}', 'UTF-8'),
    'cut UTF-8': ('events/doors/bad', b'{"a": "\xe2\x82', ''),
    'lone surrogate': ('events/doors/bad', b'{"a": "\\ud800"}', ''),
    'deep': ('events/doors/bad', b'{"a":' + b'[' * 3000 + b']' * 3000 + b'}', ''),
    'number is a text': ('events/doors/bad', b'{"boot": 1, "n": "one"}', ''),
    'number is negative': ('events/doors/bad', b'{"boot": 1, "n": -5}', ''),
    'number is a fraction': ('events/doors/bad', b'{"boot": 1, "n": 1.5}', ''),
    'number is huge': ('events/doors/bad', b'{"boot": 1, "n": 123456789012345678901234567890}', ''),
    'number is an object': ('events/doors/bad', b'{"boot": 1, "n": {}}', ''),
    'boot is a list': ('events/doors/bad', b'{"boot": [], "n": 5}', ''),
    'too large': ('events/doors/bad', b'{"a": "' + b'x' * LIMIT + b'"}', 'large'),
    'unknown topic': ('events/nowhere', b'{"a": 1}', 'rule'),
    'stream of gaps': ('events/edgelog.gaps/bad', b'{"a": 1}', 'stream'),
}
# Taken, with a header that says how far the device's time is to be trusted.
TIMES = {
    'far ahead': (b'{"time": 99999999999999, "v": 1}', 'ahead'),
    'beyond all calendars': (b'{"time": 99999999999999999999, "v": 1}', 'unreadable'),
    'negative': (b'{"time": -5, "v": 1}', 'unset'),
    'of 1970': (b'{"time": 12, "v": 1}', 'unset'),
    'a word': (b'{"time": "yesterday", "v": 1}', 'unreadable'),
    'an object': (b'{"time": {"h": 12}, "v": 1}', 'unreadable'),
    'no day of the calendar': (b'{"time": "2024-13-45T99:99:99Z", "v": 1}', 'unreadable'),
}
LINES = {
    'cut off': b'{"stream": "doors", "device": "x", "a":',
    'no object': b'[]',
    'invalid UTF-8': b'{"stream": "doors", "device": "x", "a": "\xff"}',
    'no stream': b'{"device": "x"}',
    'stream of gaps': b'{"stream": "edgelog.gaps", "device": "x"}',
    'no device': b'{"stream": "doors"}',
    'stream is a number': b'{"stream": {}, "device": "x"}',
    'stream is no topic': b'{"stream": "a b/c", "device": "x"}',
    'too long': b'{"stream": "doors", "device": "x", "a": "' + b'y' * LIMIT + b'"}',
    'binary': bytes(byte for byte in range(256) if byte not in b'\r\n'),
}


def check(holds, what):
    if not holds:
        raise Trouble(f'does not hold: {what}')


def publish(site, topic, payload, lines=False):
    command = ['mosquitto_pub', '-h', '127.0.0.1', '-p', str(site.mqtt_port), '-q', '1', '-t', topic]
    done = subprocess.run([*command, '-l' if lines else '-s' if payload else '-n'], input=payload, capture_output=True, timeout=60)
    check(done.returncode == 0, f'mosquitto_pub {topic}: {done.stderr!r}')


def read_letters(stack):
    letters = []
    for *_, value, headers in read_topic(stack.brokers, 'edgelog.dead-letters'):
        if 'edgelog.fence' not in headers:
            letter = parse(value)
            raw = letter['payload'].encode() if 'payload' in letter else base64.b64decode(letter['payload_base64'])
            letters.append((letter, raw))
    return letters


def over_mqtt(site):
    for i, (topic, payload, _) in enumerate(BAD.values()):
        publish(site, topic, payload)
        publish(site, 'events/doors/good', json.dumps({'boot': 1, 'n': i + 1, 'i': i}).encode())
    for payload, _ in TIMES.values():
        publish(site, 'events/doors/clock', payload)
    publish(site, 'events/doors/bad', b'{"again\n' * REPEATS, lines=True)


def over_socket(path):
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))
        wire.settimeout(30)
        for i, line in enumerate(LINES.values()):
            wire.sendall(line + b'\n' + json.dumps({'stream': TOPIC, 'device': 'lines', 'i': i}).encode() + b'\n')
        answers, wanted = wire.makefile('r'), 2 * len(LINES)
        while json.loads(answers.readline())['durable'] < wanted:
            pass
        wire.sendall(b'{"stream": "doors", "device": "x"')  # and gone, in the middle of a line


def judge_letters(stack):
    letters = read_letters(stack)
    for name, (topic, payload, reason) in BAD.items():
        found = [letter for letter, raw in letters if raw == payload[:16 << 10] and letter.get('topic') == topic]
        check(len(found) == 1, f'one dead letter of "{name}", not {len(found)}')
        check(reason.lower() in f'{found[0]["reason"]} {found[0].get("detail")}'.lower(), f'"{name}" says why: {found[0]}')
        check(found[0]['bytes'] == str(len(payload)), f'"{name}": its size')
    for name, line in LINES.items():
        found = [letter for letter, raw in letters if raw[:4000] == line[:4000] and letter['input'] == 'lines']
        check(len(found) == 1, f'one dead letter of the line "{name}", not {len(found)}')
    return letters


def bad_input(faults):
    socket_path = faults.dir / 'agent.sock'
    lines = f'[[input]]\nname = "lines"\nkind = "socket"\nmapping = "plain-json"\npath = "{socket_path}"\n'
    with Stack(faults.bin, faults.dir / 'stack', faults.args.base_port, [AGENT], [f'{TOPIC}:1']) as stack:
        stack.start()
        site = Site(stack, 0, AGENT, 'plain-json', 'site', lines, f'message_bytes_max = {LIMIT}')
        try:
            site.start()
            wait_until(lambda: 'connected' in site.agent.tail(50) and ready(site.admin), 'the agent listens', 20, [site.agent])
            over_mqtt(site)
            over_socket(socket_path)
            wanted = len(BAD) + REPEATS
            count = 'edgelog_agent_input_refused_total{input="%s"}'
            wait_until(lambda: metrics(site.admin).get(count % 'site', 0) >= wanted and
                       metrics(site.admin).get(count % 'lines', 0) >= len(LINES), 'all is counted', 60, [site.agent])
            letters_wanted = wanted + len(LINES) + 1  # and the half line
            wait_until(lambda: metrics(site.admin).get('edgelog_agent_backlog_events') == 0, 'all is in the log', 60, [site.agent])
            judge(stack, site, count, wanted, letters_wanted)
        finally:
            site.stop()


def judge(stack, site, count, wanted, letters_wanted):
    time.sleep(1.1)  # the figures are of up to a second ago
    wait_until(lambda: metrics(site.admin).get('edgelog_agent_backlog_events') == 0, 'all is in the log', 60, [site.agent])
    letters = judge_letters(stack)
    check(len(letters) == letters_wanted, f'{letters_wanted} dead letters, not {len(letters)}')
    check(metrics(site.admin)[count % 'site'] == wanted, 'each is counted once')
    events = [(key.decode(), parse(value), headers) for *_, key, value, headers in read_topic(stack.brokers, TOPIC)
              if 'edgelog.fence' not in headers]
    for device, source in (('good', BAD), ('lines', LINES)):
        numbers = [int(value['i']) for key, value, _ in events if key == f'site/{device}']
        check(numbers == list(range(len(source))), f'all events of device {device}, in order: {numbers}')
    clocks = [headers.get('edgelog.clock', b'').decode() for key, _, headers in events if key == 'site/clock']
    check(clocks == [clock for _, clock in TIMES.values()], f'what is said of absurd times: {clocks}')
    check(len(events) == len(BAD) + len(LINES) + len(TIMES), f'nothing else is an event: {len(events)}')
    check(site.agent.running() and ready(site.admin), 'the agent goes on, and is ready')
    logged = sum(' W ' in line for line in open(site.agent.log, errors='replace'))
    check(0 < logged <= LOG_LINES_MAX, f'{logged} warnings for {letters_wanted} bad messages')
    say(f'    {letters_wanted} bad messages: as many dead letters, {logged} lines in the log; {len(events)} good ones arrived')

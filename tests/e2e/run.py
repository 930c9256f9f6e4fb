#!/usr/bin/env python3
"""Real processes, recorded houses, kill -9: what comes out of the log is compared with the files row by row.

  ./run e2e                 all scenarios, with the recordings of --recordings
  ./run e2e --short         one scenario of 3 minutes, for CI; without recordings the devices' model is played
  ./run e2e house door      these scenarios
  ./run e2e --log apache-kafka house

  house        the recorded house by devices with rings, three agents, three topics; agents, gateway, both
               Mosquittos and the broker are killed with -9 again and again, each time with a batch in flight; links
               are cut. Nothing may be lost, repeated or out of order
  bounds       rings of 64 that forget, and agents with a small bound, behind links that stay cut: every missing
               row must be named by a gap
  thermostats  the thermostats of a flat, without kills
  door         people through a door, through the Python service: 19,597 in, 18,837 out
  model        modelled devices instead of recordings, killed as in `house`

Ports are --base-port + 0..699. Exit code 0: all held; 1: not; 77: nothing could be run here.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent
ROOT = DIRECTORY.parent.parent
sys.path[:0] = [str(ROOT / 'deploy'), str(DIRECTORY)]
from procs import (Process, Stopped, Trouble, has_librdkafka, port_is_free, programs, raise_when_stopped,  # noqa: E402
                   say)
from scene import Scene  # noqa: E402

HOUSE_TOPICS = ['door-motion', 'climate', 'house']
SKIPPED = 77


def enough(scene, least):
    """Each kind at least so often, each time with a batch in flight."""
    missing = [f'{kind} {scene.in_flight[kind]} of {least}' for kind in
               ('agent', 'gateway', 'mosquitto', 'site mosquitto', 'link', *(['broker'] if scene.broker else []))
               if scene.in_flight[kind] < least]
    return {'disturbed': dict(scene.done), 'with_a_batch_in_flight': dict(scene.in_flight),
            'too_few': ', '.join(missing)}


def house(args, limit=0, rounds=5, least=4):
    files = house_files(args)
    with Scene(args, 'house', HOUSE_TOPICS, 'nordwijk', 'nordwijk') as scene:
        rate = args.rate or (limit or 380_768) // (40 * rounds) // 3
        for site in scene.sites:
            flags = [part for file in files for part in ('--input', file)]
            site.play('nordwijk', '--part', f'{site.k}/3', '--rate', str(rate), '--resend', '1s', '--resend-most', '4s',
                      *(['--rows', str(limit)] if limit else []), *flags)
        scene.disturb(rounds)
        scene.finish(300)
        result = scene.verify(HOUSE_TOPICS, 'nordwijk', '--limit', str(limit), '--house', *files)
        result.update(enough(scene, least))
        result['good'] = result['good'] and not result['too_few']
        return result


def bounds(args):
    files = house_files(args)
    streams = ''.join(f'[stream.{topic}]\nbytes = "128KiB"\n' for topic in HOUSE_TOPICS)
    with Scene(args, 'bounds', HOUSE_TOPICS, 'nordwijk', 'nordwijk', streams) as scene:
        for site in scene.sites:
            flags = [part for file in files for part in ('--input', file)]
            site.play('nordwijk', '--part', f'{site.k}/3', '--rate', '3000', '--ring', '64', '--when-full', 'lose',
                      '--resend', '1s', '--resend-most', '4s', *flags)
        for site in scene.sites:  # overflow of the agents' bounds: no way up for a while
            site.link.cut()
        time.sleep(12)
        for site in scene.sites:
            site.link.restore()
        for site in scene.sites:  # overflow of the rings: nobody listens
            site.agent.kill()
            time.sleep(3)
            site.agent.start()
            site.mosquitto.kill()
            time.sleep(1)
            site.mosquitto.start()
        scene.finish(300)
        result = scene.verify(HOUSE_TOPICS, 'nordwijk', '--with-gaps', '--house', *files)
        if not {'ring_lost', 'overflow'} <= set(result.get('gaps', {})):
            result.update(good=False, why='a bound was not reached: neither rings nor agents may keep all')
        return result


def thermostats(args):
    archive = recordings(args) / 'opensmarthome' / 'measurements.tar.zst'
    with Scene(args, 'thermostats', ['thermostats'], 'opensmarthome', 'flat') as scene:
        for site in scene.sites:
            site.play('opensmarthome', '--part', f'{site.k}/3', '--input', archive)
        scene.finish(300)
        return scene.verify(['thermostats'], 'flat', '--series', archive)


def door(args):
    """The service is killed with -9 on its way; what it says at the end is as if nothing had been."""
    recording = recordings(args) / 'calit2' / 'CalIt2.data'
    with Scene(args, 'door', ['door-flow'], 'calit2', 'calit2') as scene:
        make_topic(scene.stack.brokers, 'building')
        scene.sites[0].play('calit2', '--input', recording, '--rate', '2000')
        command = [sys.executable, ROOT / 'examples' / 'who_is_in.py', '--kafka', scene.stack.brokers,
                   '--from', 'door-flow', '--to', 'building']
        for _ in range(2):
            service = Process('who-is-in', command, scene.stack.logs / 'who-is-in.log').start()
            time.sleep(2)
            service.must_run()
            service.kill()
        scene.finish(120)
        answer = subprocess.run([str(part) for part in (*command, '--until-idle', '5')], stdout=subprocess.PIPE,
                                text=True, timeout=120)
        line = (answer.stdout.strip().splitlines() or ['{}'])[-1]
        result = json.loads(line)
        result['good'] = answer.returncode == 0 and (result.get('in'), result.get('out')) == (19_597, 18_837)
        return result


def make_topic(kafka, name):
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({'bootstrap.servers': kafka})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)


def alarms(scene):
    """What the service over climate must have said, worked out again from the same topic."""
    from verify import parse, read_topic  # once main() knows that this Python has librdkafka
    hot, expected = {}, set()
    for _, _, key, value, headers in read_topic(scene.stack.brokers, 'climate'):
        if 'edgelog.fence' in headers:
            continue
        reading = parse(value)
        over = float(reading['temperature_c']) - float(reading['setpoint_c'])
        if over > 1 if key in hot else over < 3:
            continue
        expected.add((key.decode(), key not in hot, str(reading['temperature_c'])))
        hot.pop(key) if key in hot else hot.update({key: True})
    said = set()
    for _, _, _, value, _ in read_topic(scene.stack.brokers, 'alarms'):
        alarm = parse(value)
        said.add((alarm['room'], alarm['hot'], str(float(alarm['temperature_c']))))
    expected = {(room, is_hot, str(float(temperature))) for room, is_hot, temperature in expected}
    return {'alarms': len(said), 'alarms_wrong': len(said ^ expected)}


def model(args, seconds=60, rounds=2, least=1):
    with Scene(args, 'model', ['doors', 'climate'], 'edgelog-devices', 'office') as scene:
        ledgers = []
        make_topic(scene.stack.brokers, 'alarms')
        service = Process('overheating', [Path(args.bin) / 'overheating', scene.stack.brokers, 'climate', 'alarms'],
                          scene.stack.logs / 'overheating.log').start()
        for site in scene.sites:
            ledgers.append(scene.data / f'{site.agent_id}.ledger')
            site.play('office', '--model-prefix', f's{site.k}-', '--seed', str(site.k + 1), '--duration',
                      f'{seconds}s', '--ledger', ledgers[-1], '--resend', '1s', '--resend-most', '4s')
        scene.disturb(rounds)
        scene.finish(120)
        result = scene.verify(['doors', 'climate'], 'office', '--ledger', *ledgers)
        service.must_run()
        service.stop()
        result.update(alarms(scene))
        result.update(enough(scene, least))
        result['good'] = result['good'] and not result['too_few'] and result['alarms_wrong'] == 0
        return result


def recordings(args):
    return Path(args.recordings)


def house_files(args):
    return sorted((recordings(args) / 'nordwijk').glob('smartthings.*.tsv.gz'))


def short(args):
    if house_files(args):
        return 'house', lambda a: house(a, limit=40_000, rounds=2, least=1)
    say(f'no recordings in {args.recordings}: the devices\' model is played instead')
    return 'model', lambda a: model(a, seconds=90)


SCENARIOS = {'house': house, 'bounds': bounds, 'thermostats': thermostats, 'door': door, 'model': model}


def arguments():
    parser = argparse.ArgumentParser(prog='./run e2e', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('scenarios', nargs='*', help='default: all')
    parser.add_argument('--bin', help='directory of the programs; without it they are built')
    parser.add_argument('--short', action='store_true')
    parser.add_argument('--log', choices=['cloud-broker', 'apache-kafka'], default='cloud-broker',
                        help='apache-kafka: an Apache Kafka 4.3.0 of its own, killed as the other is')
    parser.add_argument('--brokers', help='HOST:PORT of a log that is there; it is not killed')
    parser.add_argument('--base-port', type=int, default=0, help='default: free ones')
    parser.add_argument('--recordings', default=str(ROOT.parent / 'shared' / 'data'))
    parser.add_argument('--rate', type=int, default=0, help='events per second of each agent\'s devices in `house`')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', help='directory for data and logs, which then stay')
    args = parser.parse_args()
    if unknown := [name for name in args.scenarios if name not in SCENARIOS]:
        parser.error(f'{unknown[0]}: expected one of {", ".join(SCENARIOS)}')
    if not args.base_port:
        args.base_port = next((base for base in range(20_000, 30_000, 700) if port_is_free(base) and
                               port_is_free(base + 100) and port_is_free(base + 400)), 20_000)
    return args


def main():
    args = arguments()
    raise_when_stopped()
    args.bin = programs(args.bin)
    wanted = ['edgelog-agent', 'edgelog-gateway', 'edgelog-firmware-sim', 'overheating',
              *([] if args.brokers or args.log != 'cloud-broker' else ['edgelog-broker'])]
    lacking = [name for name in wanted if not (args.bin / name).exists()]
    if lacking:
        print(f'skipped: {args.bin} lacks {", ".join(lacking)}')
        return SKIPPED
    if not has_librdkafka():
        print(f'skipped: {sys.executable} has no confluent_kafka (Debian: python3-confluent-kafka)')
        return SKIPPED
    plan = dict([short(args)]) if args.short else {name: SCENARIOS[name] for name in args.scenarios or SCENARIOS}
    bad = ran = 0
    for name, scenario in plan.items():
        if name in ('house', 'bounds', 'thermostats', 'door') and not house_files(args):
            say(f'{name}: skipped, no recordings in {args.recordings}')
            continue
        begin = time.monotonic()
        try:
            result = scenario(args)
        except Trouble as trouble:
            result = {'good': False, 'trouble': str(trouble)}
        ran += 1
        bad += not result['good']
        print(f'{name}: {"good" if result["good"] else "BAD"} in {time.monotonic() - begin:.0f} s: '
              f'{json.dumps({k: v for k, v in result.items() if k != "good"})}', flush=True)
    if not ran:
        print(f'skipped: no recordings in {args.recordings}')
        return SKIPPED
    return 1 if bad else 0


if __name__ == '__main__':
    os.environ.setdefault('PYTHONUNBUFFERED', '1')
    try:
        sys.exit(main())
    except Stopped as stopped:
        say(f'{stopped}: stopped')
        sys.exit(130)

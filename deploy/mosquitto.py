#!/usr/bin/env python3
"""Writes what a Mosquitto of edgelog needs: mosquitto.conf, passwords and ACLs.

  deploy/mosquitto.py cloud --dir DIR --port 9192 --agents house-1,house-2
  deploy/mosquitto.py site  --dir DIR --port 9492

Cloud: between agents and gateways. Everybody has a password; an agent's user name is its id, and the ACL
patterns let it write and read its own topics only. Site: between devices and their agent, anonymous on
loopback, or with --users by password. Both keep nothing on disk: MQTT is transport here, the agents' logs
are the only queues.

Passwords are made once and kept in DIR/NAME.password (mode 600); running it again keeps them and adds the
new names. Prints one line of JSON: {"conf": ..., "passwords": {name: file}}. Start it with
`mosquitto -c DIR/mosquitto.conf`. Works with Mosquitto 2.0.11 and 2.0.21.
"""
import argparse
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

AGENT = re.compile(r'[a-z0-9._-]{1,64}')  # as common/uplink/names.h has it

# %u is the user name. Agents: own batches, looks, heartbeats and state out; own answers, own commands and the
# list of topics in. Nothing else is allowed to anybody but the gateways.
ACL = """\
pattern write edgelog/1/up/+/%u/#
pattern write edgelog/1/look/+/%u/#
pattern write edgelog/1/hb/%u
pattern write edgelog/1/state/%u
pattern read edgelog/1/ack/%u
pattern read edgelog/1/cmd/%u

user gateway
topic readwrite edgelog/1/#

user monitor
topic read $SYS/#
"""

# persistence false: a Mosquitto that is killed forgets in any case what it acknowledged, and nobody relies on it.
# max_queued_*: a full queue drops the newest message in silence; the sender's own log sends it again.
# max_packet_size: above the agent's largest batch (512 KiB of event, plus headers and topic).
COMMON = """\
per_listener_settings false
persistence false
max_inflight_messages 1000
max_queued_messages {queued}
max_queued_bytes 67108864
max_packet_size 1048576
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
connection_messages false
"""


def _write(path, text, mode=0o600):
    """Replaces a file in one step, so that a Mosquitto that reads it meanwhile sees the old or the new one."""
    new = path.with_name(path.name + '.new')
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w') as file:
        file.write(text)
    new.replace(path)


def _passwords(directory, users):
    """One file per user with its password, kept if it is there; and the hashed file that Mosquitto reads."""
    files = {}
    for user in users:
        files[user] = directory / f'{user}.password'
        if not files[user].exists():
            _write(files[user], secrets.token_urlsafe(18) + '\n')
    plain = ''.join(f'{user}:{file.read_text().strip()}\n' for user, file in files.items())
    hashed = directory / 'passwd.plain'
    _write(hashed, plain)
    subprocess.run(['mosquitto_passwd', '-U', str(hashed)], check=True, stdout=subprocess.DEVNULL)
    hashed.replace(directory / 'passwd')
    return {user: str(file) for user, file in files.items()}


def _conf(queued, access, host, port, extra):
    # Started by root it stays root: it could not read files that only root may, and the kernel would forget that it
    # has to end with its parent. Whoever else starts it has no choice.
    root = 'user root\n' if os.geteuid() == 0 else ''
    return f'{root}{COMMON.format(queued=queued)}{access}listener {port} {host}\n{extra}'


def write_cloud(directory, port, agents, host='127.0.0.1', extra=''):
    """Gives {"conf": path, "passwords": {user: file}} for agents, "gateway" and "monitor"."""
    directory = Path(directory).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    for agent in agents:
        if not AGENT.fullmatch(agent) or agent in ('gateway', 'monitor'):
            raise ValueError(f'agent id "{agent}": expected [a-z0-9._-]{{1,64}}, not "gateway" or "monitor"')
    passwords = _passwords(directory, ['gateway', 'monitor', *agents])
    lists = ''.join(f'\nuser {agent}\ntopic read edgelog/1/topics\n' for agent in agents)
    _write(directory / 'acl', ACL + lists)  # a pattern without %u would work too, with a warning at each start
    conf = directory / 'mosquitto.conf'
    access = f'allow_anonymous false\npassword_file {directory}/passwd\nacl_file {directory}/acl\n'
    _write(conf, _conf(4000, access, host, port, extra))
    return {'conf': str(conf), 'passwords': passwords}


def write_site(directory, port, host='127.0.0.1', users=(), extra=''):
    """A site's own. Without users it is anonymous, and then only on loopback."""
    directory = Path(directory).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    if not users and host not in ('127.0.0.1', '::1', 'localhost'):
        raise ValueError(f'host {host}: expected loopback, or users with passwords')
    access = 'allow_anonymous true\n'
    passwords = {}
    if users:
        passwords = _passwords(directory, list(users))
        access = f'allow_anonymous false\npassword_file {directory}/passwd\n'
    conf = directory / 'mosquitto.conf'
    _write(conf, _conf(100000, access, host, port, extra))
    return {'conf': str(conf), 'passwords': passwords}


def main():
    names = lambda text: [name for name in text.split(',') if name]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest='kind', required=True)
    for kind in ('cloud', 'site'):
        sub = kinds.add_parser(kind)
        sub.add_argument('--dir', required=True, help='where to write; made if absent')
        sub.add_argument('--port', type=int, required=True)
        sub.add_argument('--host', default='127.0.0.1', help='address to listen on')
        if kind == 'cloud':
            sub.add_argument('--agents', type=names, default=[], help='ids, separated by commas')
        else:
            sub.add_argument('--users', type=names, default=[], help='user names, separated by commas')
    args = parser.parse_args()
    try:
        if args.kind == 'cloud':
            made = write_cloud(args.dir, args.port, args.agents, args.host)
        else:
            made = write_site(args.dir, args.port, args.host, args.users)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        print(f'mosquitto.py: {error}', file=sys.stderr)
        return 2
    print(json.dumps(made))
    return 0


if __name__ == '__main__':
    sys.exit(main())

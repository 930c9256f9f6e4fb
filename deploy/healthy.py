#!/usr/bin/env python3
"""healthy.py URL...: exit 0 if each answers, for the containers' health checks, whose image has no curl.

  http://HOST:PORT/PATH   with status 200
  tcp://HOST:PORT         with a connection
  group://HOST:PORT/NAME  the log there has a consumer group of this name, stable and with a member: for services whose
                          only door is the log
"""
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

SECONDS = 3


def group_trouble(brokers, name):
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient
    try:
        groups = AdminClient({'bootstrap.servers': brokers, 'log_level': 0}).list_groups(name, timeout=SECONDS)
    except KafkaException as error:
        return str(error)
    states = [f'{group.state} with {len(group.members)} members' for group in groups if group.id == name]
    good = any(group.id == name and group.state == 'Stable' and group.members for group in groups)
    return None if good else f'group {name}: {states or "unknown"}'


def trouble(url):
    parts = urllib.parse.urlsplit(url)
    try:
        if parts.scheme == 'group':
            return group_trouble(parts.netloc, parts.path[1:])
        if parts.scheme == 'tcp':
            socket.create_connection((parts.hostname, parts.port), SECONDS).close()
        else:
            urllib.request.urlopen(url, timeout=SECONDS).read()
        return None
    except urllib.error.HTTPError as error:
        return f'{error} {error.read().decode(errors="replace").strip()}'
    except (OSError, ValueError) as error:
        return str(error)


if __name__ == '__main__':
    bad = [f'{url}: {why}' for url in sys.argv[1:] if (why := trouble(url))]
    print('\n'.join(bad) or 'healthy')
    sys.exit(bool(bad))

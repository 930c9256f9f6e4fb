#!/usr/bin/env python3
"""healthy.py URL...: exit 0 if each answers: http://HOST:PORT/PATH with status 200, tcp://HOST:PORT with a connection.
For the containers' health checks, whose image has no curl."""
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request


def answers(url):
    parts = urllib.parse.urlsplit(url)
    try:
        if parts.scheme == 'tcp':
            socket.create_connection((parts.hostname, parts.port), 3).close()
        else:
            urllib.request.urlopen(url, timeout=3).read()
        return None
    except urllib.error.HTTPError as error:
        return f'{error} {error.read().decode(errors="replace").strip()}'
    except (OSError, ValueError) as error:
        return str(error)


if __name__ == '__main__':
    bad = [f'{url}: {why}' for url in sys.argv[1:] if (why := answers(url))]
    print('\n'.join(bad) or 'healthy')
    sys.exit(bool(bad))

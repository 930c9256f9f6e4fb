#!/bin/sh
# runtime_packages.sh BIN...: the Debian packages whose shared libraries these programs load. The names differ from
# release to release, so they are asked for instead of listed.
set -eu
ldd "$@" | awk '/=> \//{print $3}' | sort -u | while read -r library; do
  dpkg-query -S "*/$(basename "$(readlink -f "$library")")" | head -n 1 | cut -d: -f1
done | sort -u

#!/bin/bash
# Proves that a bare Debian is enough: makes a minbase system with debootstrap, copies the tree into it, and runs
# ./run commands there. Needs root, debootstrap and a Debian mirror.
#
#   tests/debian/run.sh bookworm trixie                      # build, test, demo in both
#   tests/debian/run.sh --commands "build;test" trixie
#   tests/debian/run.sh --keep --cache /var/tmp/ccache --dir /var/tmp/debians bookworm
#
#   --commands LIST  what to run, separated by ; (default: build;test;demo)
#   --dir DIR        where the systems go (default: a new folder under /var/tmp); the bare system is kept there as a
#                    tar file, so that a second run does not fetch it again
#   --keep           go on in the system that the last run left, instead of a bare one
#   --cache DIR      a ccache folder shared by runs
#   --mirror URL     (default: http://deb.debian.org/debian)
# Prints one line per command with its time and exit code; all output lies in DIR/RELEASE.log.
set -euo pipefail
tree=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
commands="build;test;demo" dir="" keep=0 cache="" mirror=http://deb.debian.org/debian releases=()
while [ $# -gt 0 ]; do
  case "$1" in
    --commands) commands=$2; shift ;;
    --dir) dir=$2; shift ;;
    --keep) keep=1 ;;
    --cache) cache=$2; shift ;;
    --mirror) mirror=$2; shift ;;
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    -*) echo "no option $1" >&2; exit 2 ;;
    *) releases+=("$1") ;;
  esac
  shift
done
[ ${#releases[@]} -gt 0 ] || releases=(bookworm trixie)
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || { echo "SKIPPED: needs root and debootstrap"; exit 77; }
dir=${dir:-$(mktemp -d /var/tmp/edgelog-debian.XXXXXX)}
mkdir -p "$dir"

mounts=()
clean() {
  local i
  for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount -l "${mounts[i]}" || true; done
  mounts=()
}
trap clean EXIT

mount_at() { mount "$@" && mounts+=("${*: -1}"); }

bare() {  # a fresh minbase system at $dir/$1
  local release=$1 root="$dir/$1"
  if [ ! -f "$dir/$release.tar" ]; then
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase "$release" "$root" "$mirror" >"$dir/$release.debootstrap.log" 2>&1
    tar -C "$root" --one-file-system -cf "$dir/$release.tar.new" .
    mv "$dir/$release.tar.new" "$dir/$release.tar"
  else
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    tar -C "$root" -xf "$dir/$release.tar"
  fi
}

main() {
  bad=0
  for release in "${releases[@]}"; do
    root="$dir/$release"
    [ $keep = 1 ] && [ -d "$root/etc" ] || bare "$release"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mount_at -t proc proc "$root/proc"
    mount_at --bind /dev "$root/dev"
    mount_at --bind /dev/pts "$root/dev/pts"
    mount_at --bind /dev/shm "$root/dev/shm"
    if [ -n "$cache" ]; then
      mkdir -p "$cache" "$root/root/.cache/ccache"
      mount_at --bind "$cache" "$root/root/.cache/ccache"
    fi
    mkdir -p "$root/src"
    find "$root/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    tar -C "$tree" --exclude=./build --exclude=./.git -cf - . | tar -C "$root/src" -xmf -  # new times: a kept build is of an older tree
    : >"$dir/$release.log"
    IFS=';' read -ra list <<<"$commands"
    for command in "${list[@]}"; do
      begin=$SECONDS code=0
      echo "### ./run $command" >>"$dir/$release.log"
      chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin CI="${CI:-}" EDGELOG_JOBS="${EDGELOG_JOBS:-$(nproc)}" TERM=dumb \
        /src/run $command >>"$dir/$release.log" 2>&1 </dev/null || code=$?
      echo "$release: ./run $command: exit $code after $((SECONDS - begin)) s: $(tail -n 1 "$dir/$release.log")"
      [ $code = 0 ] || bad=1
    done
    clean
  done
  return $bad
}
main  # one function: bash reads a script as it goes, and this one may change meanwhile

#!/bin/sh
# fuzz.sh PROGRAM CORPUS: one fuzzer for $EDGELOG_FUZZ_SECONDS. New inputs go to a folder beside the program, kept
# from run to run; the tree's own corpus is only read. A crash leaves its input there too.
set -eu
found="$1.found"
mkdir -p "$found"
words="$(dirname "$0")/dict/$(basename "$2").dict"
exec "$1" $([ ! -f "$words" ] || echo "-dict=$words") -max_total_time="${EDGELOG_FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
  -print_final_stats=1 -verbosity=0 -artifact_prefix="$found/" "$found" $([ -d "$2" ] && echo "$2")

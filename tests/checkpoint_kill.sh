#!/bin/sh
# Kill the writer of checkpoints at every system call that touches files, then resume: the newest
# valid checkpoint must be at least the last one announced durable. SPDX-License-Identifier: MIT
#
# Run by `make check` from the build folder; $WRITE_CHECKPOINT names the program elsewhere. Exits 77
# (skipped) without a working strace.
set -u
program=${WRITE_CHECKPOINT:-./write_checkpoint}
steps=3
work=$(mktemp -d "${TMPDIR:-/tmp}/numann-kill-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

skip() {
  echo "skipped: $1"
  exit 77
}
fail() {
  echo "FAILED: $1" >&2
  exit 1
}

command -v strace >/dev/null 2>&1 || skip "strace is not installed"
# Sanitizers find leaks by tracing, which a traced program cannot do.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

# run CALL K FOLDER: write checkpoints, killed on entering the K-th CALL
run() {
  strace -f -qq -o "$work/trace" -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
    "$program" "$3" "$steps" >"$work/out" 2>"$work/err"
}

strace -f -qq -o "$work/trace" -e trace=fsync -e "inject=fsync:signal=KILL:when=1000" true \
  2>"$work/err" || skip "strace cannot trace here: $(cat "$work/err")"
"$program" "$work/whole" "$steps" >"$work/out" || fail "the writer fails without being killed"
[ "$("$program" "$work/whole")" = "newest $steps" ] || fail "no checkpoint without being killed"

kills=0
# check CALL K FOLDER: the promise after a kill, and that the next run goes on over what is left
check() {
  durable=$(sed -n 's/^durable //p' "$work/out" | tail -n 1)
  newest=$("$program" "$3" 2>"$work/err") || fail "$1 $2: $(cat "$work/err")"
  newest=${newest#newest }
  [ "$newest" = none ] && newest=0
  [ "$newest" -ge "${durable:-0}" ] || fail "$1 $2: durable ${durable:-0}, found $newest"
  "$program" "$3" "$steps" >"$work/out" 2>"$work/err" || fail "$1 $2: again: $(cat "$work/err")"
  [ "$("$program" "$3")" = "newest $steps" ] || fail "$1 $2: the second run left no checkpoint"
  left=$(find "$3" -name '*.tmp')
  [ -z "$left" ] || fail "$1 $2: $left is left"
}

for call in openat fallocate pwrite64 fsync close rename renameat unlink unlinkat mkdir fcntl; do
  k=1
  # A call that this machine does not have under this name: strace refuses, nothing to kill.
  strace -o "$work/trace" -e "trace=$call" true 2>"$work/err" || continue
  while ! run "$call" "$k" "$work/$call-$k"; do
    [ "$k" -lt 200 ] || fail "$call: no end of failures: $(cat "$work/err")"
    check "$call" "$k" "$work/$call-$k"
    rm -rf "$work/$call-$k"
    kills=$((kills + 1))
    k=$((k + 1))
  done
done
# Three checkpoints make 3 reservations, 3 renames and at least 6 synchronisations.
[ "$kills" -ge 12 ] || fail "only $kills kills: strace did not inject"
echo "$kills kills, every durable checkpoint found"

#!/bin/sh
# Signals and streams that go away: what ends a training, with which exit code, what is saved, and that any
# mixture of them gives one hash. NUMANN_KILLS: how many signals, 20; the long form is 500.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2154 # functions are called through check; variables of kills.sh
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/kills.sh
. "$srcdir/tests/kills.sh"
cd "$work" || exit 99
digits=$srcdir/configs/digits.yaml
has() { grep -q -e "$2" "$1" || { sed 's/^/  | /' "$1" | head -n 5; return 1; }; }
saved() { find "$1" -name 'ck-*.safetensors' | grep -q .; }

# ---- each signal in the middle of a training: code 75, a checkpoint, a line
for signal in $signals; do
  case $signal in KILL | PIPE) continue ;; esac
  begun=run/metrics.jsonl
  run_signalled "$signal" 0.1 train "$digits" --out run --set train.epochs=100000 --threads 1
  check "SIG$signal: code" exited 75 "$code" "numann train"
  check "SIG$signal: saved" saved run
  check "SIG$signal: told" has err "stopped by SIG$signal at step [0-9]*, the checkpoint is safe"
  rm -rf run
  begun=
done

# ---- and while the data are still being read, from a pipe whose writer takes its time
mkfifo rows.csv
cat >slow.yaml <<'END'
data: {train: {path: rows.csv, target: y}}
network: {layers: [{neurons: 2, activation: softmax}]}
train: {loss: cross_entropy, epochs: 1}
END
early() { # SIGNAL ARGUMENT...
  early_signal=$1
  shift
  sh -c 'exec 3>rows.csv; echo a,b,y >&3; exec sleep 60' &
  writer=$!
  run_signalled "$early_signal" 0.1 train slow.yaml --out early "$@"
  kill "$writer" && wait "$writer"
} 2>"$work/early.err"
for signal in $signals; do
  case $signal in KILL | PIPE) continue ;; esac
  early "$signal"
  check "early SIG$signal: code" exited 75 "$code" "numann train"
  check "early SIG$signal: told" has err "stopped by SIG$signal before the first step.*run again with --resume"
  check "early SIG$signal: no folder" test ! -e early
done
early TERM --overwrite
check "early, with --overwrite: told" has err "run the same command again"
early TERM --quiet
check "early, with --quiet: silent" test ! -s err

# ---- what the caller ignores stays ignored
short="--set train.epochs=5 --out short --overwrite"
for signal in TERM HUP USR1 XCPU; do
  (
    trap '' "$signal"
    # shellcheck disable=SC2086 # words
    run_signalled "$signal" 0 train "$digits" $short
    echo "$code" >code
  )
  check "SIG$signal ignored by the caller: trains" exited 0 "$(cat code)" "numann train"
done

# ---- streams that are closed, full, or that nobody reads: the training goes on
whole() { run 0 train "$digits" --set train.epochs=5 --out whole --overwrite --quiet --json && json weights_sha256; }
whole >sha
through() { # NAME: the code lies in the file code
  check "$1: code" exited 0 "$(cat code)" "numann train"
  check "$1: the same weights" cmp -s short/model.safetensors whole/model.safetensors
  check "$1: clean curves" same "$(losses short/metrics.csv)" "$(losses whole/metrics.csv)"
  check "$1: clean lock" test ! -s short/lock
  check "$1: a report" test -s short/report.html
  rm -rf short
}
: >err
# shellcheck disable=SC2086 # words
train_short() { rm -f code; "$NUMANN" train "$digits" $short "$@"; echo $? >code; }
{ train_short 3>&- 2>&1; } | sh -c 'read -r line'
while [ ! -s code ]; do sleep 0.05; done
through "a reader that goes after a line"
train_short >out 2>&-
through "stderr closed"
train_short 2>err >&-
check "stdout closed: told" has err "warning: standard output: .*report.html"
through "stdout closed"
train_short <&- >&- 2>&-
through "all streams closed"
if [ -w /dev/full ]; then
  train_short >/dev/full 2>/dev/full
  through "full streams"
  train_short --json >/dev/full 2>err
  check "a result that was asked for and is lost" exited 5 "$(cat code)" "numann train --json >/dev/full"
  check "the model is there all the same" cmp -s short/model.safetensors whole/model.safetensors
fi
begun=lost/metrics.jsonl
run_signalled TERM 0.1 train "$digits" --out lost --set train.epochs=100000 --quiet --json
check "a stop with --json" exited 75 "$code" "numann train --json"
check "says so" has out '"stopped": *true'
begun=

# ---- a limit on the size of files is an error of the write
gzip -dc "$srcdir/configs/data/digits.csv.gz" >digits.csv
# LLVM's OpenMP ends by SIGBUS without the 1024 bytes of a shared file of its own.
limited() { (ulimit -f 2 && exec "$@"); }
limited "$NUMANN" predict whole digits.csv --output answers.csv >out 2>err
check "predict above the limit" exited 5 $? "numann predict"
check "above the limit: told" has err "File too large"
check "above the limit: nothing is left" same "$(find . -name '*answers*')" ""
limited "$NUMANN" predict whole digits.csv >out 2>err
check "predict to a limited file" exited 5 $? "numann predict >out"

# ---- any mixture, at any moment
if [ -n "${NUMANN_LONG-}" ]; then long=500; else long=20; fi
killed digits "${NUMANN_KILLS:-$long}" 10 "$digits" --set train.epochs=10
finish

#!/bin/sh
# The promise: one weights_sha256, and one model file byte for byte, for every number of threads, both
# strategies, every instruction set and any interruption. NUMANN_LONG=1 runs the whole matrix and 20
# kills; otherwise a part of it. MNIST is looked for in NUMANN_DATA/mnist and configs/data/mnist.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
digits=$srcdir/configs/digits.yaml
if [ -n "${NUMANN_LONG-}" ]; then
  kills=20
  some_threads="1 2 3 5 8 16"
else
  kills=3
  some_threads="2 5 16"
fi

# one NAME CONFIG THREADS STRATEGY ISA SET...: train, and compare with the first run of this NAME.
one() {
  name=$1 config=$2 threads=$3 strategy=$4 isa=$5
  shift 5
  NUMANN_ISA=$isa
  export NUMANN_ISA
  what="$name: $threads threads, $strategy, ${isa:-default}"
  check "$what: trains" run 0 train "$config" --threads "$threads" --set "parallel.strategy=$strategy" \
    --out run --overwrite --quiet --json "$@" || return
  check "$what: threads that ran" same "$(json threads)" "$threads"
  check "$what: strategy that ran" same "$(json strategy)" "$strategy"
  [ -z "$isa" ] || check "$what: instruction set that ran" same "$(json isa)" "$isa"
  [ -f "$name.sha256" ] || { json weights_sha256 >"$name.sha256"; cp run/model.safetensors "$name.model"; }
  check "$what: the same weights" same "$(json weights_sha256)" "$(cat "$name.sha256")"
  check "$what: the same file" cmp -s run/model.safetensors "$name.model"
  unset NUMANN_ISA
}

matrix() { # THREADS NAME CONFIG SET...
  list=$1
  shift
  for t in $list; do
    for s in neurons samples; do
      matrix_one "$t" "$s" "" "$@"
    done
  done
}
matrix_one() { mt=$1 ms=$2 mi=$3 mn=$4 mc=$5; shift 5; one "$mn" "$mc" "$mt" "$ms" "$mi" "$@"; }

matrix "1 2 3 5 8 16" digits "$digits" --set train.epochs=2
check "the hash is one" test "$(wc -c <digits.sha256)" -eq 65
sets=$("$NUMANN" --version -v | sed -n 's/^kernels *\(.*\) (used.*/\1/p')
check "there are instruction sets" test -n "$sets"
for t in $some_threads; do
  for isa in $sets; do
    one digits "$digits" "$t" neurons "$isa" --set train.epochs=2
    one digits "$digits" "$t" samples "$isa" --set train.epochs=2
  done
done

# bf16, emulated and in hardware
for isa in $sets; do
  one bf16 "$digits" 1 neurons "$isa" --set train.epochs=2 --set train.precision=bf16
  one bf16 "$digits" 3 samples "$isa" --set train.epochs=2 --set train.precision=bf16
done
matrix "$some_threads" bf16 "$digits" --set train.epochs=2 --set train.precision=bf16

# The test of the test: another seed, another grain and another order give other weights.
differs() {
  check "trains with $1" run 0 train "$digits" --out other --overwrite --quiet --json --set train.epochs=2 --set "$1"
  check "$1 gives other weights" refute same "$(json weights_sha256)" "$(cat digits.sha256)" >differs.out
}
differs train.seed=2
differs train.grain=16
differs train.shuffle=false
differs train.batch=33
differs train.precision=bf16

# ---- MNIST: 10 steps of 784-512-512-10 on the first 1,000 rows of the smaller file
first_rows() { # IMAGES LABELS: IDX files of 1,000 (0x3e8) rows, from gzipped ones
  { printf '\0\0\010\003\0\0\003\350\0\0\0\034\0\0\0\034'; gzip -dc "$1" | tail -c +17 | head -c $((1000 * 784)); } >images
  { printf '\0\0\010\001\0\0\003\350'; gzip -dc "$2" | tail -c +9 | head -c 1000; } >labels
}
for mnist in "${NUMANN_DATA:+$NUMANN_DATA/mnist}" "$srcdir/configs/data/mnist" "$srcdir/../shared/data/mnist"; do
  [ -n "$mnist" ] && [ -f "$mnist/t10k-images-idx3-ubyte.gz" ] && break
  mnist=
done
if [ -n "$mnist" ]; then
  first_rows "$mnist/t10k-images-idx3-ubyte.gz" "$mnist/t10k-labels-idx1-ubyte.gz"
  sed '/^  test:/d; s|^  train: {images.*|  train: {images: images, labels: labels}|' "$srcdir/configs/mnist.yaml" >mnist.yaml
  set -- --set train.epochs=1 --set train.batch=100
  matrix "1 $some_threads" mnist mnist.yaml "$@"
  for isa in $sets; do
    one mnist mnist.yaml 3 neurons "$isa" "$@"
    one mnist mnist.yaml 2 samples "$isa" "$@"
  done
else
  echo "SKIP: no MNIST files (NUMANN_DATA/mnist, configs/data/mnist)"
fi

# ---- kill -9 at random moments, go on with other threads and another strategy
random() { # a number from 0 to $1 - 1; kept apart from the shell's own, which POSIX lacks
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  echo $((seed / 65536 % $1))
}

# Start or go on with NAME's run, with threads and a strategy that depend on the try; kill it soon.
start_killed() { # NAME TRY CONFIG SET...
  folder=killed-$1 threads=$((1 + $2 % 3)) strategy=$([ $(($2 % 2)) = 0 ] && echo neurons || echo samples)
  shift 2
  "$NUMANN" train "$@" --out "$folder" --resume --quiet --threads "$threads" \
    --set "parallel.strategy=$strategy" --set checkpoint.every="1 steps" >out 2>err </dev/null &
  victim=$!
  random 30 >number
  sleep "0.$(printf '%02d' $((5 + $(cat number))))"
  kill -9 "$victim" 2>/dev/null
  wait "$victim" 2>/dev/null
  code=$?
}

losses() { awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) keep[i] = $i !~ /second|_s$/ } { line = ""; for (i = 1; i <= NF; i++) if (keep[i]) line = line "," $i; print line }' "$1"; }

# killed NAME KILLS EPOCHS CONFIG SET...: a run killed so often equals one that was not.
killed() {
  name=$1 want_kills=$2 epochs=$3
  shift 3
  check "$name: the uninterrupted run" run 0 train "$@" --out "whole-$name" --quiet --json
  whole=$(json weights_sha256)
  landed=0
  tries=0
  while [ "$landed" -lt "$want_kills" ] && [ "$tries" -lt 200 ]; do
    tries=$((tries + 1))
    start_killed "$name" "$tries" "$@"
    case $code in
      137) landed=$((landed + 1)) ;;
      0) rm -rf "killed-$name" ;; # it ended before the kill: begin again
      *) check "$name: a run after a kill goes on" exited 137 "$code" "numann train --resume" ;;
    esac
  done 2>killed.err
  check "$name: $want_kills kills landed ($tries tries, seed ${NUMANN_SEED:-20241})" test "$landed" -eq "$want_kills"
  check "$name: the last resume" run 0 train "$@" --out "killed-$name" --resume --quiet --json
  check "$name: after $landed kills the same weights" same "$(json weights_sha256)" "$whole"
  check "$name: the same model file" cmp -s "killed-$name/model.safetensors" "whole-$name/model.safetensors"
  check "$name: the same curves" same "$(losses "killed-$name/metrics.csv")" "$(losses "whole-$name/metrics.csv")"
  check "$name: every epoch once" test "$(wc -l <"killed-$name/metrics.csv")" -eq $((epochs + 1))
  check "$name: no temporary file is left" same "$(find "killed-$name" -name '*.tmp')" ""
}

seed=${NUMANN_SEED:-20241}
killed digits "$kills" 10 "$digits" --set train.epochs=10
[ -z "$mnist" ] || killed mnist "$kills" 6 mnist.yaml --set train.epochs=6 --set train.batch=100

# ---- SIGTERM: code 75, then the same weights
# A schedule must not depend on the number of epochs here, as that changes on the way.
constant="--set train.schedule.name=constant"
# shellcheck disable=SC2086 # two words
"$NUMANN" train "$digits" --out stopped --quiet $constant --set train.epochs=10000 >out 2>err </dev/null &
victim=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  sleep 0.5
  [ ! -s stopped/metrics.csv ] || break
done
kill -TERM "$victim"
wait "$victim"
check "SIGTERM gives 75" exited 75 $? "numann train"
check "a stopped run leaves a checkpoint" test -n "$(find stopped/checkpoints -name '*.safetensors')"
steps=$("$NUMANN" info "$(find stopped/checkpoints -name '*.safetensors' | sort | tail -n 1)" --json >info.json; json step info.json)
check "it had begun (step $steps)" test "${steps:-0}" -gt 0
epochs=$((steps / 40 + 3))
# shellcheck disable=SC2086
check "resume to epoch $epochs" run 0 train "$digits" --out stopped --resume --quiet --json $constant --set "train.epochs=$epochs"
stopped=$(json weights_sha256)
# shellcheck disable=SC2086
check "the same without a stop" run 0 train "$digits" --out unstopped --quiet --json $constant --set "train.epochs=$epochs"
check "stopped and unstopped: the same weights" same "$stopped" "$(json weights_sha256)"
finish

#!/bin/sh
# The promise: one weights_sha256, and one model file byte for byte, for every number of threads, all
# strategies, every instruction set, every compiler and any interruption. NUMANN_LONG=1 runs the whole
# matrix and 20 kills; otherwise a part of it. MNIST is looked for in NUMANN_DATA/mnist and
# configs/data/mnist. NUMANN_RENEW=1 writes the hashes of this build to same_bits.tsv and ends.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/kills.sh
. "$srcdir/tests/kills.sh"
cd "$work" || exit 99
digits=$srcdir/configs/digits.yaml
if [ -n "${NUMANN_LONG-}" ]; then
  kills=20
  some_threads="1 2 3 5 8 16"
else
  kills=3
  some_threads="2 5 16"
fi

# Groups that a strategy forms of so many threads; hybrid2 is hybrid in two groups.
groups_of() { # STRATEGY THREADS
  case $1 in
    neurons) echo 1 ;;
    samples) echo "$2" ;;
    hybrid*) [ "${1#hybrid}" -lt "$2" ] && echo "${1#hybrid}" || echo "$2" ;;
  esac
}

is_strategy() { case $1 in neurons | samples | hybrid) ;; *) echo "  found: $1"; return 1 ;; esac; }

# The run was as ordered: threads, strategy, groups, instruction set, fused or not.
ran_as_ordered() { # WHAT THREADS STRATEGY ISA FUSED
  check "$1: threads that ran" same "$(json threads)" "$2"
  if [ "$3" = auto ]; then
    check "$1: a strategy ran" is_strategy "$(json strategy)"
  else
    check "$1: strategy that ran" same "$(json strategy)" "${3%[1-9]}"
    check "$1: groups that ran" same "$(json groups)" "$(groups_of "$3" "$2")"
  fi
  [ -z "$4" ] || check "$1: instruction set that ran" same "$(json isa)" "$4"
  check "$1: fused or not" same "$(json fuse_update)" "$5"
}

# one NAME CONFIG THREADS STRATEGY ISA SET...: train, and compare with the first run of this NAME. The
# update is fused unless fused=false.
fused=true
one() {
  name=$1 config=$2 threads=$3 strategy=$4 isa=$5
  shift 5
  NUMANN_ISA=$isa
  export NUMANN_ISA
  what="$name: $threads threads, $strategy, ${isa:-default}, fused $fused"
  case $strategy in hybrid*) set -- "$@" --set "parallel.groups=${strategy#hybrid}" ;; esac
  check "$what: trains" run 0 train "$config" --threads "$threads" --set "parallel.strategy=${strategy%[1-9]}" \
    --set "parallel.fuse_update=$fused" --out run --overwrite --quiet --json "$@" || return
  ran_as_ordered "$what" "$threads" "$strategy" "$isa" "$fused"
  [ -f "$name.sha256" ] || json weights_sha256 >"$name.sha256"
  [ -f "$name.model" ] || cp run/model.safetensors "$name.model"
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

sets=$("$NUMANN" --version -v | sed -n 's/^kernels *\(.*\) (used.*/\1/p')
check "there are instruction sets" test -n "$sets"

# ---- every row of `numann bench rows`: its own network, optimiser and batch. same_bits.tsv holds their hashes,
# so that another compiler's build has to find them too.
hashes=$srcdir/tests/same_bits.tsv
numerics=$("$NUMANN" --version -v | sed -n 's/^numerics *version *//p')
all_threads="1 2 3 5 8 16 33"
all_strategies="neurons samples hybrid1 hybrid2 hybrid3 auto"
check "there are rows" sh -c "'$NUMANN' bench rows --json | awk -f '$srcdir/tests/same_bits.awk' >rows"
check "there are nine rows" test "$(wc -l <rows)" -eq 9

# The emulation takes minutes for a step of wide: one run, in the long tier.
sets_for() { [ "$1" != wide ] || [ "$sets" = base ] && echo "$sets" || echo "${sets#base }"; }
nth() { shift $(($1 % ($# - 1) + 1)); echo "$1"; } # N WORD...: word N, from 0, around and around

row_hash() { awk -v name="$1" '$1 == name { print $2 }' "$hashes"; }

# A method that needs the whole gradient is never fused.
fused_of() { case $1 in lbfgs) echo false ;; *) echo true false ;; esac; }

# A run with the Nth of all threads, strategies and sets: seven have all threads and all strategies.
# shellcheck disable=SC2046,SC2086 # lists of words
sample_row() { # N ROW SET...
  n=$1 row=$2
  shift 2
  fused=$(nth $((n / 3)) $(fused_of "$row"))
  one "$row" "$row.yaml" "$(nth "$n" $all_threads)" "$(nth "$n" $all_strategies)" \
    "$(nth "$n" $(sets_for "$row"))" "$@"
  fused=true
}

# shellcheck disable=SC2046 # a list of words
whole_row() { # ROW SET...
  row=$1
  shift
  for threads_now in $all_threads; do
    for strategy_now in $all_strategies; do
      for isa_now in $(sets_for "$row"); do
        for fused in $(fused_of "$row"); do one "$row" "$row.yaml" "$threads_now" "$strategy_now" "$isa_now" "$@"; done
      done
    done
  done
  fused=true
}

test_row() { # ROW RUNS SET...: the hash of same_bits.tsv in so many runs, or in all
  row=$1 runs=$2
  shift 2
  row_hash "$row" >"$row.sha256"
  [ "$(uname -m)" = x86_64 ] || rm "$row.sha256" # other architectures: one hash, but their own
  if [ -n "${NUMANN_LONG-}" ]; then
    whole_row "$row" "$@"
    [ "$row" != wide ] || one wide wide.yaml 3 hybrid2 base "$@"
  else
    for i in $(seq "$runs"); do sample_row $((first + i)) "$row" "$@"; done
  fi
  first=$((first + runs))
  rm -f "$row.model" "$row.csv"
}

renew() {
  {
    echo "# weights_sha256 of the rows in same_bits.sh, on x86-64. To renew: NUMANN_RENEW=1 tests/same_bits.sh"
    printf 'numerics\t%s\n' "$numerics"
    while read -r row; do
      "$NUMANN" train "$row.yaml" --out run --overwrite --quiet --json >out || exit 99
      printf '%s\t%s\n' "$row" "$(json weights_sha256)"
    done <rows
  } >"$hashes"
}

for row in mnist tabular; do
  cp "$row.csv" "$row-bf16.csv"
  sed "s/$row.csv/$row-bf16.csv/; s/^train: {/&precision: bf16, /" "$row.yaml" >"$row-bf16.yaml"
  echo "$row-bf16" >>rows
done

# ---- kinds of layers, methods and activations that no row of the bench has: NAME; the digits with these
# lines of a config. Batches end in a smaller one, grains are several.
on_digits() { # NAME LAYERS TRAIN
  cat >"$1.yaml" <<END
data: {train: {path: $srcdir/configs/data/digits.csv.gz, target: label}, test: {fraction: 0.3}, scale: 16}
network: {layers: [$2, {neurons: 10, activation: softmax}]}
train: {loss: cross_entropy, seed: 3, $3}
END
  echo "$1" >>rows
}
kinds='{kind: scale}, {neurons: 72, activation: relu}, {kind: dropout, rate: 0.3}, {kind: scale}'
kinds="$kinds, {neurons: 40, activation: tanh}, {kind: dropout, rate: 0.1}"
adam='optimizer: {name: adam, learning_rate: 3e-3, weight_decay: 1e-3}, batch: 97, grain: 8, epochs: 2'
hidden='{neurons: 48, activation: tanh}'
on_digits kinds "$kinds" "$adam"
on_digits kinds-bf16 "$kinds" "$adam, precision: bf16"
on_digits lbfgs "$hidden, {kind: scale}" 'optimizer: {name: lbfgs, weight_decay: 1e-3}, batch: full, epochs: 7'
on_digits amsgrad "$hidden" 'optimizer: {name: amsgrad, learning_rate: 0.01, beta2: 0.9}, batch: 97, grain: 8, epochs: 2'
on_digits irprop "$hidden" 'optimizer: {name: irprop, weight_decay: 1e-3}, batch: full, epochs: 7'
curves='{neurons: 40, activation: gelu}, {neurons: 24, activation: silu}, {neurons: 33, activation: mish}'
curves="$curves, {neurons: 40, activation: elu}, {neurons: 17, activation: selu}"
curves="$curves, {neurons: 24, activation: softplus}"
on_digits curves "$curves" "$adam"
on_digits curves-bf16 "$curves" "$adam, precision: bf16"

if [ -n "${NUMANN_RENEW-}" ]; then
  renew
  exit 0
fi
check "same_bits.tsv is of this numerics version; if it was raised: NUMANN_RENEW=1 tests/same_bits.sh" \
  same "$(row_hash numerics)" "$numerics"
first=0
while read -r row; do
  case $row in wide) test_row wide 2 ;; *) test_row "$row" 7 ;; esac
done <rows

# ---- digits
matrix "1 2 3 5 8 16" digits "$digits" --set train.epochs=2
check "the hash is one" test "$(wc -c <digits.sha256)" -eq 65
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
  matrix "1 $some_threads" digits-of-mnist mnist.yaml "$@"
  for isa in $sets; do
    one digits-of-mnist mnist.yaml 3 neurons "$isa" "$@"
    one digits-of-mnist mnist.yaml 2 samples "$isa" "$@"
  done
else
  echo "SKIP: no MNIST files (NUMANN_DATA/mnist, configs/data/mnist)"
fi

# ---- signals at random moments, go on with other threads and another strategy
killed digits "$kills" 10 "$digits" --set train.epochs=10
killed kinds 2 20 kinds.yaml --set train.epochs=20
killed lbfgs 2 40 lbfgs.yaml --set train.epochs=40
killed irprop 2 60 irprop.yaml --set train.epochs=60
killed amsgrad 2 20 amsgrad.yaml --set train.epochs=20
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

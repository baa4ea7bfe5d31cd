#!/bin/sh
# Ranks under MPI: one model file for any number of ranks and threads, whoever goes on with whose run; topo and plan
# of a job. Run by `make check-mpi`. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2154,SC2086,SC2046 # called through check; variables of harness.sh and ranks.sh; lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/ranks.sh
. "$srcdir/tests/ranks.sh"
cd "$work" || exit 99
configs=$srcdir/configs
echo "$library, $MPIRUN"

# ---- the matrix. 257 rows in batches of 256: the last batch of an epoch has work for one rank alone.
awk 'BEGIN { print "a,b,c,y"; for (i = 0; i < 257; i++) printf "%d,%d,%d,%s\n", i * 7 % 19, i * 5 % 23, i % 11, (i * 7 % 19 > i % 11) ? "more" : "less" }' >odd.csv
cat >odd.yaml <<'END'
data: {train: {path: odd.csv, target: y}, scale: standardize}
network: {layers: [{neurons: 33, activation: tanh}, {neurons: 2, activation: softmax}]}
train: {loss: cross_entropy, optimizer: {name: adam, learning_rate: 0.01}, batch: 256, grain: 8}
END
write_large large.yaml
constant="train.schedule.name=constant train.batch=257 train.grain=8"
cat >settings <<END
sgd|$configs/digits.yaml|$constant train.optimizer.name=sgd train.optimizer.learning_rate=0.1
momentum|$configs/digits.yaml|$constant train.optimizer.name=momentum train.optimizer.learning_rate=0.05
adam|$configs/digits.yaml|$constant
lbfgs|$configs/lbfgs.yaml|train.grain=8
dropout|$configs/dropout.yaml|$constant
clip|$configs/digits.yaml|$constant train.clip_norm=0.5
bf16|$configs/digits.yaml|$constant train.precision=bf16
large|large.yaml|
odd|odd.yaml|
END
counts="1 2 3 4 5 7 8"
sets_of() { [ $# = 0 ] || printf -- '--set %s ' "$@"; }
epochs=3

same_file() { cmp "$1/model.safetensors" "whole-$name/model.safetensors"; }
# Threads follow from the ranks, so that none is without: 1, 2 and 3 in turn.
straight() { # RANKS THREADS
  check "$name: $1 ranks of $2 threads" ranked 0 "$1" train "$config" $sets --set train.epochs=$epochs \
    --threads "$2" --out run --overwrite --quiet --json || return
  check "$name: $1 ranks said so" same "$(json ranks) $(json threads)" "$1 $2"
  check "$name: $1 ranks of $2 threads, the same weights" same "$(json weights_sha256)" "$whole"
  check "$name: $1 ranks of $2 threads, the same file" same_file run
}
# An epoch each.
relay() { # RANKS...
  rm -rf relay
  leg=0
  for ranks in "$@"; do
    leg=$((leg + 1))
    check "$name: relay $*, epoch $leg" ranked 0 "$ranks" train "$config" $sets --set train.epochs=$leg \
      --threads $((1 + (ranks + leg) % 3)) --out relay --resume --quiet --json
  done
  check "$name: relay $*, the same weights" same "$(json weights_sha256)" "$whole"
  check "$name: relay $*, the same file" same_file relay
}
pick() { # N: the N-th of the counts, round and round
  set -- $(($1 % 7)) $counts
  shift $(($1 + 1))
  echo "$1"
}
# All ranks by all threads, and every count after every other; else a part that moves on from row to row.
whole_matrix() {
  for ranks in $counts; do
    for threads in 1 2 3; do straight "$ranks" "$threads"; done
  done
  for i in 0 1 2 3 4 5 6; do
    for by in 1 2 3; do relay "$(pick $i)" "$(pick $((i + by)))" "$(pick $((i + 2 * by)))"; done
  done
}
row=0
while IFS='|' read -r name config given; do
  row=$((row + 1))
  sets=$(sets_of $given)
  check "$name: one process" run 0 train "$config" $sets --set train.epochs=$epochs --out "whole-$name" --quiet --json
  whole=$(json weights_sha256)
  if [ -n "${NUMANN_LONG-}" ]; then
    whole_matrix
  else
    straight "$(pick $row)" $((1 + row % 3))
    straight "$(pick $((row + 4)))" $((1 + (row + 1) % 3))
    relay "$(pick $((row + 2)))" "$(pick $((row + 3)))" "$(pick $((row + 5)))"
  fi
done <settings

ODD=1 ODD_DOES='NUMANN_ISA=base; export NUMANN_ISA'
export ODD ODD_DOES
name=adam
check "one rank with another instruction set" ranked 0 3 train "$configs/digits.yaml" $(sets_of $constant) \
  --set train.epochs=$epochs --out run --overwrite --quiet
check "another instruction set, the same file" same_file run

# ---- on a host the first rank alone reads the data, the others see what it has read
ODD_DOES='set -- "$@" --set data.train.path=/nowhere/rows.csv'
for ODD in 1 2; do
  check "rank $ODD has no data file" ranked 0 3 train "$configs/digits.yaml" $(sets_of $constant) \
    --set train.epochs=$epochs --out run --overwrite --quiet
  check "rank $ODD has no data file, the same model file" same_file run
  check "the data are shared" refute grep "its own copy of the data" err
done
unset ODD ODD_DOES
cat >full.sh <<'END'
mount -t tmpfs -o size=16m tmpfs /dev/shm || exit 99
exec "$@"
END
launcher=$MPIRUN
MPIRUN="unshare -m sh $work/full.sh $launcher"
if unshare -m sh full.sh true 2>unshare.err; then
  check "no shared memory" ranked 0 3 train "$configs/digits.yaml" $(sets_of $constant) \
    --set train.epochs=$epochs --out run --overwrite --quiet
  check "no shared memory, the same model file" same_file run
  check "no shared memory, told once" same "$(grep -c "^numann: warning: each rank has its own copy of the data: .* /dev/shm for [0-9]* KiB" err)" 1
else
  echo "SKIP: no small /dev/shm: $(cat unshare.err)"
fi
MPIRUN=$launcher

# ---- topo and plan: rank 0 alone speaks, of all
count() { grep -c -e "$2" "$1"; }
if command -v python3 >python; then is_json() { python3 -c 'import json, sys; json.load(open(sys.argv[1]))' out; }; else is_json() { :; }; fi
grains="$(sets_of train.batch=257 train.grain=8) --threads 1"
check "topo of 3 ranks" ranked 0 3 topo
check "topo: the machine once" same "$(count out '^machine$')" 1
check "topo: the job" has out "^job      3 ranks (${library%% *}"
check "topo: a line a host" same "$(count out '^ *ranks 0 to 2 on [^ ]*: [1-9][0-9]* threads* each, [1-9][0-9]* cores*, ')" 1
check "topo --json of 3 ranks" ranked 0 3 topo --json
check "topo --json: one object on one line" same "$(wc -l <out) $(json ranks)" "1 3"
check "topo --json: is JSON" is_json
check "topo --json: the ranks of the host" has out '"ranks": \[0, 1, 2\]'
host_cores=$(json host_cores) cores=$(json cores)
check "topo of one process" run 0 topo --json
check "topo of one process: no job" has out '^{"job": null'
check "topo of another machine" ranked 0 3 topo --topology 'core:4 pu:1'
check "topo of another machine: once, without the job" same "$(count out '^machine$') $(count out '^job')" "1 0"
check "topo of a wrong machine" ranked 2 3 topo --topology nowhere.xml
check "topo of a wrong machine: told once" one_error "topology: nowhere.xml: No such file"

check "plan of 3 ranks" ranked 0 3 plan "$configs/digits.yaml" $grains
check "plan: the job" has out "^job      3 ranks (${library%% *}"
check "plan: a line a host" same "$(count out '^ *ranks 0 to 2 on [^ ]*: 1 thread each, ')" 1
foretold() { sed -n '/^ranks/,/^bytes/p' out; }
foretold >job.ranks
check "plan --ranks 3" run 0 plan "$configs/digits.yaml" $grains --ranks 3
check "plan --ranks 3: no job" same "$(count out '^job')" 0
check "plan --ranks 3 says the same of 3 ranks" same "$(foretold)" "$(cat job.ranks)"
check "there is something to compare" has job.ranks "^ranks    3, "
check "plan --json of 3 ranks" ranked 0 3 plan "$configs/digits.yaml" $grains --json
check "plan --json: one object on one line" same "$(wc -l <out) $(json ranks)" "1 3"
check "plan --json: is JSON" is_json
check "plan --json: the job" has out '"job": {"library": '
check "plan --ranks 5 of 3 ranks" ranked 0 3 plan "$configs/digits.yaml" $grains --ranks 5
check "plan --ranks 5: wins" has out "^ranks    5, "
check "plan --ranks 5: is told, once" same "$(count err 'planned for 5 ranks (--ranks), while this job has 3')" 1
check "plan of more ranks than grains" ranked 2 3 plan "$configs/digits.yaml"
check "plan of more ranks than grains: told once" one_error "train.batch: 3 ranks, but a batch of 32 rows"

ODD=1 ODD_DOES='NUMANN_ISA=base; export NUMANN_ISA'
export ODD ODD_DOES
check "topo, one rank with another instruction set" ranked 0 3 topo
check "topo, another instruction set: two lines" same "$(count out '^ *ranks 0, 2 on ') $(count out '^ *rank 1 on .*, base$')" "1 1"
check "topo, another instruction set: told" has out '^rank 1 on .* a step takes as long as on the slowest'
ODD_DOES='set -- "$@" --set data.train.path=/nowhere/rows.csv'
check "plan, one rank without its data" ranked 3 3 plan "$configs/digits.yaml" $grains
check "plan, one rank without its data: told once" one_error "data: rank 1: /nowhere/rows.csv: cannot be opened"
ODD_DOES='set -- "$@" --sat'
for command in topo "plan $configs/digits.yaml $grains"; do
  check "${command%% *}, an unknown option of one rank" ranked 2 3 $command
  check "${command%% *}, an unknown option of one rank: told once" one_error "rank 1: command line: unknown option --sat"
done
unset ODD ODD_DOES

# Two ranks in one mask of one core: no one is bound by the launcher, and each says that it has a thread.
first=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
if command -v taskset >tasks && [ "$cores" -gt 1 ] && [ "$cores" = "$host_cores" ]; then
  own=$MPIRUN
  MPIRUN="taskset -c $first $own"
  NUMANN_DIAGNOSIS=on
  turns() { grep -v 'launch: process [0-9]* is a numann' "$1" | grep -c 'take turns'; } # a test beside this one may be told of, too
  told="2 ranks on .*, of which rank 0 is the first, are bound to the same 1 of its $cores cores, with 2 threads: they take turns there; use: mpi"
  check "topo in one core" ranked 0 2 topo
  check "topo in one core: the line" has out "^ *ranks 0, 1 on .*: 1 thread each, 1 of $cores cores, "
  check "topo in one core: told" has out "^$told"
  check "topo in one core: once" same "$(turns out)" 1
  check "plan in one core" ranked 0 2 plan "$configs/digits.yaml" $grains
  check "plan in one core: warned of" has err "^numann: warning: $told"
  check "plan in one core: once" same "$(turns err)" 1
  check "train in one core" ranked 0 2 train "$configs/digits.yaml" $grains --set train.epochs=1 --out run --overwrite
  check "train in one core: warned of, once" same "$(count err "^numann: warning: $told") $(turns err)" "1 1"
  MPIRUN=$own
  NUMANN_DIAGNOSIS=off
else
  echo "SKIP: no taskset, or no second core to be left out"
fi

for mnist in "${NUMANN_DATA:+$NUMANN_DATA/mnist}" "$configs/data/mnist"; do
  [ -n "$mnist" ] && [ -f "$mnist/train-images-idx3-ubyte.gz" ] && break
done
if [ -f "$mnist/train-images-idx3-ubyte.gz" ]; then
  name=mnist epochs=1 config=$configs/mnist.yaml
  sets=$(sets_of "data.train.images=$mnist/train-images-idx3-ubyte.gz" "data.train.labels=$mnist/train-labels-idx1-ubyte.gz" \
    "data.test.images=$mnist/t10k-images-idx3-ubyte.gz" "data.test.labels=$mnist/t10k-labels-idx1-ubyte.gz" \
    network.layers.0.neurons=96 network.layers.1.neurons=64 train.batch=1000)
  check "mnist: one process" run 0 train "$config" $sets --set train.epochs=1 --out whole-mnist --quiet --json
  whole=$(json weights_sha256)
  straight 2 1
  straight 3 2
else
  echo "SKIP: no MNIST files (NUMANN_DATA/mnist, configs/data/mnist)"
fi
finish

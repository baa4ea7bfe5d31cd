#!/bin/sh
# A job of ranks without one: numann train --virtual-ranks against the plain training, and what numann plan
# --ranks says against what the rehearsal counts. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2086,SC2046 # functions are called through check; lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
cp -R "$srcdir/configs" configs
chmod -R u+w configs
unset OMP_PROC_BIND OMP_PLACES
digits="configs/digits.yaml --set train.grain=4 --set train.batch=257"

# A reader that knows no NaN and no key twice; an EXPRESSION of the object `o` must hold.
cat >strict.py <<'END'
import json, sys
def unique(pairs):
    keys = [key for key, value in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)
def refuse(name):
    raise ValueError(name)
o = json.load(open(sys.argv[1]), object_pairs_hook=unique, parse_constant=refuse)
f = o["forecast"]
assert eval(sys.argv[2]), (sys.argv[2], o)
END
holds() { # FILE EXPRESSION
  command -v python3 >/dev/null 2>&1 || return 0
  python3 strict.py "$1" "$2"
}
command -v python3 >/dev/null 2>&1 || echo "no python3: JSON is only searched for its hashes"
has() { grep -q -e "$2" "$1" || { echo "  $1 lacks '$2':"; head -n 5 "$1" | sed 's/^/  | /'; return 1; }; }

# ---- the same weights, and the messages that the plan foretells
check "the training itself" run 0 train $digits --out plain --quiet --json
want=$(json weights_sha256)
check "has a hash" test ${#want} -eq 64
for ranks in 1 2 3 8 64; do
  check "$ranks virtual ranks train" run 0 train $digits --virtual-ranks $ranks --quiet --json
  check "to the same weights" same "$(json weights_sha256)" "$want"
  check "in as many steps" holds out "o['steps'] == 200 and o['virtual_ranks'] == f['ranks'] == $ranks and o['threads'] == 1"
  check "with numbers that fit" holds out "f['predicted_step_s'] > f['compute_s'] - 1e-12 > 0 and abs(f['predicted_step_s'] - f['compute_s'] - sum(f['exchange_s'].values())) < 1e-9"
  mv out rehearsed
  check "numann plan --ranks $ranks" run 0 plan $digits --ranks $ranks --json
  check "is JSON" holds out "f['ranks'] == $ranks and o['batch'] == 257"
  for key in grains rows parameters messages_a_step bytes_a_step; do
    check "its $key are those of the rehearsal" same "$(tr -d '\n ' <out | grep -o "\"$key\":\[[^]]*\]")" \
      "$(tr -d '\n ' <rehearsed | grep -o "\"$key\":\[[^]]*\]")"
  done
done
check "64 ranks share 65 grains" holds out "f['grains'] == [1, 2] and f['rows'] == [1, 8]"
check "each writes to all others of its losses and results" holds out "126 <= f['messages_a_step'][0] <= f['messages_a_step'][1] <= 189"
check "which is told to be too much" holds out "'too small for 64 ranks' in f['warning']"
check "a rehearsal leaves no run" test ! -e runs -a ! -e configs/runs

# ---- some steps, threads, methods
hash_of() { # CONFIG STEPS SET...: of one rank, and of five
  config=$1 steps=$2
  shift 2
  run 0 train $config "$@" --virtual-ranks 1 --steps $steps --quiet --json || return 1
  one=$(json weights_sha256)
  run 0 train $config "$@" --virtual-ranks 5 --steps $steps --quiet --json || return 1
  same "$(json weights_sha256)" "$one"
}
hash_after() { hash_of "$digits" "$@"; }
for steps in 1 2 5 7 10; do
  check "after $steps steps, too" hash_after $steps
  check "are there so many" holds out "o['steps'] == $steps"
  hashes="${hashes-} $one"
done
check "which are other weights each time" same "$(echo $hashes | tr ' ' '\n' | sort -u | grep -c .)" 5
check "more steps than there are: the whole" run 0 train $digits --virtual-ranks 2 --steps 999 --quiet --json
check "weights" same "$(json weights_sha256)" "$want"
check "two threads a rank" run 0 train $digits --virtual-ranks 3 --threads 2 --quiet --json
check "give the same weights" same "$(json weights_sha256)" "$want"
check "and are two" holds out "o['threads'] == 2"
check "clipped gradients" hash_after 12 --set train.clip_norm=0.1
check "dropout" hash_after 12 --set 'network.layers=[{neurons: 40, activation: tanh}, {kind: dropout, rate: 0.2}, {neurons: 10, activation: softmax}]'
sed '/schedule:/d; s/optimizer: {[^}]*}/optimizer: {name: lbfgs}/; s/batch: 32/batch: full/' configs/digits.yaml >configs/lbfgs.yaml
check "lbfgs" hash_of "configs/lbfgs.yaml --set train.grain=99" 6
check "a training that diverges does so" run 7 train $digits --virtual-ranks 4 --set train.optimizer.name=sgd --set train.optimizer.learning_rate=1e30

# ---- real ranks, where numann is built with an MPI whose launcher is at hand: they send the same
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
launched() { # RANKS: by the first launcher that makes a job of them
  for launcher in mpirun mpirun.openmpi mpirun.mpich mpiexec; do
    command -v $launcher >/dev/null 2>&1 || continue
    $launcher -n "$1" "$NUMANN" train $digits --threads 1 --out real --overwrite --quiet --json >out 2>err </dev/null && return 0
  done
  return 1
}
if launched 2; then
  for ranks in 2 3; do
    check "$ranks real ranks train" launched $ranks
    check "to the same weights" same "$(json weights_sha256) $(json ranks)" "$want $ranks"
    mv out real.json
    check "the plan of $ranks" run 0 plan $digits --ranks $ranks --json
    for key in messages_a_step bytes_a_step; do
      check "foretells their $key" same "$(tr -d '\n ' <out | grep -o "\"$key\":\[[^]]*\]")" \
        "$(tr -d '\n ' <real.json | grep -o "\"$key\":\[[^]]*\]")"
    done
  done
else
  echo "no job of real ranks: built without MPI, or without its launcher"
fi

# ---- in words
check "a table" run 0 train $digits --virtual-ranks 4 --steps 6 --network 100Gbit/s,1.5us
for line in '^ranks    4 virtual ranks of 1 thread; batch 257 in grains of 4 rows$' '^weights  after 6 steps those of 1 rank, to the last bit: [0-9a-f]*$' \
  '^grains .* 16 .* 17$' '^messages sent .* 9 .* 9$' '^network  12.5 GB/s, 1.5 us a message$' '^step ' '^gain '; do
  check "with $line" has out "$line"
done
check "one network, twice as slow" run 0 plan $digits --ranks 4 --network 2GB/s,4us --json
check "takes so long" holds out "abs(f['exchange_s']['losses'] - 3 * 4e-6 - 3 * (1 + 68) * 8 / 2e9) < 1e-8"
check "another machine" run 0 plan $digits --ranks 4 --topology 'pack:2 numa:2 l3:2 core:8 pu:2' --isa avx2 --network 10GB/s,2us
check "has ranks" has out '^ranks    4, each on such a machine'
check "without --ranks nothing of them" run 0 plan $digits
check "is told" refute grep -q '^ranks\|^network' out

# ---- mistakes
cat >table <<'END'
2|66 ranks, but a batch of 257 rows in grains of 4 has work for 65; start at most 65|train DIGITS --virtual-ranks 66
2|66 ranks, but a batch of 257 rows in grains of 4 has work for 65; start at most 65|plan DIGITS --ranks 66
2|--virtual-ranks 0: expected a count from 1 to 1024|train DIGITS --virtual-ranks 0
2|--virtual-ranks 1025: expected a count|train DIGITS --virtual-ranks 1025
2|--virtual-ranks -2: expected a count|train DIGITS --virtual-ranks=-2
2|--ranks two: expected a count from 1 to 4096|plan DIGITS --ranks two
2|--steps 0: expected a count from 1|train DIGITS --virtual-ranks 2 --steps 0
2|--steps belongs to a rehearsal; give --virtual-ranks|train DIGITS --steps 5
2|--network belongs to a rehearsal; give --virtual-ranks|train DIGITS --network 1GB/s,1us
2|--network is between ranks; give --ranks|plan DIGITS --network 1GB/s,1us
2|--network fast: expected BANDWIDTH,LATENCY such as 10GB/s,2us|plan DIGITS --ranks 2 --network fast
2|--network 10GB/s,2: expected BANDWIDTH,LATENCY|train DIGITS --virtual-ranks 2 --network 10GB/s,2
2|--out: a rehearsal|train DIGITS --virtual-ranks 2 --out x
2|--resume: a rehearsal|train DIGITS --virtual-ranks 2 --resume
2|--overwrite: a rehearsal|train DIGITS --virtual-ranks 2 --overwrite
2|--explain-placement: a rehearsal|train DIGITS --virtual-ranks 2 --explain-placement
2|'eval' has no option --virtual-ranks|eval x --virtual-ranks 2
3|missing.csv|train DIGITS --virtual-ranks 2 --set data.train.path=missing.csv
END
refused() { # CODE PATTERN ARGUMENT...: one line on stderr, nothing on stdout
  code=$1 pattern=$2
  shift 2
  run "$code" "$@" --quiet && has err "^numann: error: .*$pattern" && same "$(wc -c <out) $(grep -c . err)" "0 1"
}
while IFS='|' read -r code pattern arguments; do
  check "refuses: $arguments" refused "$code" "$pattern" $(echo "$arguments" | sed "s|DIGITS|$digits|")
done <table
check "and makes no run" test ! -e runs -a ! -e x
finish

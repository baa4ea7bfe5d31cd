#!/bin/sh
# A training that diverges: what is kept of it, what the commands then say, how it goes on.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
has() { grep -q -e "$2" "$1" || { echo "  $1 lacks '$2':"; head -n 5 "$1" | sed 's/^/  | /'; return 1; }; }
below() { awk -v a="${1:-1e9}" -v b="$2" 'BEGIN { exit !(a + 0 < b + 0) }' || { echo "  found: $1, expected below $2"; return 1; }; }
checkpoints() { (cd run/checkpoints && echo *); }

# y = 3 a - 2 b. With one linear neuron a rate of 4 is a little too long for the bias: the loss falls
# for some epochs, then grows for many before it overflows. (Park and Miller's generator.)
awk 'function draw() { s = s * 16807 % 2147483647; return 2 * s / 2147483647 - 1 }
  BEGIN { s = 3; print "a,b,y"
    for (i = 0; i < 400; i++) { a = draw(); b = draw(); printf "%.4f,%.4f,%.4f\n", a, b, 3 * a - 2 * b } }' >rows.csv
cat >config.yaml <<'END'
data: {train: {path: rows.csv, target: y}}
network: {layers: [{neurons: 1, activation: identity}]}
train: {loss: squared_error, batch: full, epochs: 3000, optimizer: {name: sgd, learning_rate: 4}}
END
printf 'a,b\n0.5,-0.5\n' >ask.csv

loss_of_run() { run 0 eval run rows.csv --json && sed -n 's/.*"loss":\([^,}]*\).*/\1/p' out; }
train() { # CODE ARGUMENT...
  code=$1
  shift
  run "$code" train config.yaml --out run --quiet "$@"
}

kept_and_told() { # one checkpoint of good weights, which every command uses and says so
  has err 'of layer 1 are not finite' && has err 'kept in run: the checkpoint of step' || return 1
  step=$(sed -n 's/.*the checkpoint of step \([0-9]*\).*/\1/p' err)
  same "$(checkpoints | sed 's/.* //')" "ck-$step.safetensors" || return 1
  below "$step" 30 && test -s run/diverged.txt || return 1
  for command in "predict run ask.csv" "info run" "eval run rows.csv"; do
    # shellcheck disable=SC2086 # words
    run 0 $command && has err "diverged.*using its checkpoint of step $step" || return 1
  done
  below "$(loss_of_run)" 4
}

for every in "60 s" "1 epochs" "2 epochs" "40 epochs"; do
  check "a late divergence, checkpoints every $every" train 7 --overwrite --set "checkpoint.every=$every"
  check "keeps its last sound weights ($every)" kept_and_told
done
cp -R run kept
check "other keys must not change" train 2 --resume --set train.seed=2
check "and nothing was touched" cmp -s run/diverged.txt kept/diverged.txt
check "resume with a smaller rate" train 0 --resume --set train.optimizer.learning_rate=0.4 --set train.epochs=200
check "says what had happened" has err 'the training diverged'
check "and takes the mark off" test ! -e run/diverged.txt
check "to good weights" below "$(loss_of_run)" 0.001
check "told of no more" refute grep -q diverged err

check "resume without a change" sh -c 'rm -rf run; mv kept run'
check "diverges again" train 7 --resume
check "and keeps sound weights again" kept_and_told

early="--set data.validation.fraction=0.2 --set train.early_stopping.patience=2000"
for every in "60 s" "1 epochs"; do
  # shellcheck disable=SC2086 # words
  check "early stopping, checkpoints every $every" train 7 --overwrite --set "checkpoint.every=$every" $early
  check "keeps its best weights ($every)" kept_and_told
  best=$(awk -F, 'NR > 1 && $5 != "" && (NR == 2 || $5 + 0 < low) { low = $5 + 0; best = $2 } END { print best }' run/metrics.csv)
  check "those of the best epoch ($every)" same "$(checkpoints)" "ck-$best.safetensors"
done

check "a divergence at once" train 7 --overwrite --set train.optimizer.learning_rate=1e25
check "has nothing to keep, and says so" has err 'nothing is kept'
check "so that there is no model" run 4 predict run ask.csv
check "a training that ends before the overflow" train 0 --overwrite --set train.epochs=60
check "warns of its weights" has err 'the training has exploded'
check "a training that learns" train 0 --overwrite --set train.optimizer.learning_rate=0.4
check "does not warn" test ! -s err
finish

#!/bin/sh
# Do tiny numbers slow a training down? Rates of the first and the last epochs of three runs on the same
# network: ordinary; Adam with a learning rate of 1e-30, whose steps are subnormal; inputs of 1e-18, whose
# squared gradients are. As CSV on standard output, medians of epochs over interleaved runs.
# SPDX-License-Identifier: MIT
# usage: NUMANN=build/numann bench/subnormals.sh [RUNS [EPOCHS]]
set -eu
numann=$(command -v "${NUMANN:-numann}")
case $numann in /*) ;; *) numann=$PWD/$numann ;; esac
runs=${1:-5}
epochs=${2:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

awk 'BEGIN { seed = 1
  for (r = 0; r < 5120; r++) {
    for (i = 0; i < 64; i++) { seed = seed * 16807 % 2147483647; printf "%d,", seed / 8388608 }
    print r % 10
  } }' >rows.csv
cat >config.yaml <<'END'
data: {train: {path: rows.csv, target: -1}, header: false, scale: 255}
network:
  layers:
    - {neurons: 256, activation: relu}
    - {neurons: 256, activation: relu}
    - {neurons: 10, activation: softmax}
train: {loss: cross_entropy, optimizer: {name: adam, learning_rate: 1e-4}, batch: 128}
END

rate() { # NAME SETTING...: the rates of a run's epochs into NAME
  name=$1
  shift
  "$numann" train config.yaml --quiet --overwrite --out run --set "train.epochs=$epochs" "$@" >/dev/null
  awk -F, -v epochs="$epochs" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "samples_per_s") at = i; next }
    NR > 2 && NR <= 12 { print "early," $at } NR > epochs - 9 { print "late," $at }' run/metrics.csv >>"$name"
}

i=0
while [ "$i" -lt "$runs" ]; do
  rate ordinary
  rate tiny-steps --set train.optimizer.learning_rate=1e-30
  rate tiny-inputs --set data.scale=1e20
  i=$((i + 1))
done
echo "run,epochs,median_samples_per_s,lowest,highest"
for name in ordinary tiny-steps tiny-inputs; do
  for part in early late; do
    sed -n "s/^$part,//p" "$name" | sort -g |
      awk -v OFS=, -v name="$name" -v part="$part" '{ v[NR] = $1 } END { print name, part, v[int((NR + 1) / 2)], v[1], v[NR] }'
  done
done

#!/bin/sh
# Training rate by threads and strategy, medians of interleaved runs, as CSV on standard output.
# SPDX-License-Identifier: MIT
# usage: NUMANN=build/numann bench/threads.sh [RUNS] > bench/threads.csv
# MNIST takes part where its four files lie in configs/data/mnist/ or in $MNIST.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
numann=${NUMANN:-numann}
mnist=${MNIST:-$top/configs/data/mnist}
runs=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# name | config | settings
jobs="digits|digits|train.epochs=200
digits-wide|digits|train.epochs=20 network.layers.0.neurons=2048"
if [ -e "$mnist/train-images-idx3-ubyte.gz" ]; then
  files="data.train.images=$mnist/train-images-idx3-ubyte.gz data.train.labels=$mnist/train-labels-idx1-ubyte.gz data.test.images=$mnist/t10k-images-idx3-ubyte.gz data.test.labels=$mnist/t10k-labels-idx1-ubyte.gz"
  jobs="$jobs
mnist|mnist|train.epochs=2 $files
mnist-sigmoid|mnist-sigmoid|train.epochs=2 $files"
else
  echo "bench: no MNIST in $mnist: its rows are left out" >&2
fi
ways="1:neurons 2:neurons 2:samples auto:auto"

run() { # CONFIG SETTINGS THREADS STRATEGY: samples/s
  set -- "$1" "$2" "$3" "$4" ""
  for setting in $2; do set -- "$1" "$2" "$3" "$4" "$5 --set $setting"; done
  # shellcheck disable=SC2086 # the settings hold no spaces
  "$numann" train "$top/configs/$1.yaml" $5 --threads "$3" --set parallel.strategy="$4" \
    --out "$work/run" --overwrite --quiet --json | sed 's/.*"samples_per_s": \([0-9.]*\).*/\1/'
}

printf '%s\n' "$jobs" >"$work/jobs"
i=0
while [ "$i" -lt "$runs" ]; do
  while IFS='|' read -r name config settings; do
    for way in $ways; do
      echo "$name,${way%:*},${way#*:},$(run "$config" "$settings" "${way%:*}" "${way#*:}" </dev/null)"
    done
  done <"$work/jobs"
  i=$((i + 1))
done >"$work/rates"

echo "job,threads,strategy,median_samples_per_s,lowest,highest,runs"
sort -t, -k1,3 -k4,4n "$work/rates" | awk -F, -v OFS=, '
  function flush() { if (n) print key, rate[int((n + 1) / 2)], rate[1], rate[n], n; n = 0 }
  { k = $1 "," $2 "," $3; if (k != key) { flush(); key = k } rate[++n] = $4 }
  END { flush() }'

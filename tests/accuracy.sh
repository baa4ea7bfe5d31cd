#!/bin/sh
# What the example configs reach on real data: digits over seeds 1 to 10, iris over 1 to 20, as one run
# of each would be luck. NUMANN_LONG=1 adds MNIST, letters and housing where their files are found:
# in NUMANN_DATA or configs/data. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99

# seeds NAME METRIC FIRST LAST SET...: the metric of the test rows, a line for each seed, sorted, in
# NAME.
seeds() {
  name=$1 metric=$2 seed=$3 last=$4
  shift 4
  : >"$name.unsorted"
  while [ "$seed" -le "$last" ]; do
    check "$name trains, seed $seed" run 0 train "$srcdir/configs/$name.yaml" --out run --overwrite \
      --quiet --json --set "train.seed=$seed" "$@"
    json "test_$metric" >>"$name.unsorted"
    seed=$((seed + 1))
  done
  sort -g "$name.unsorted" >"$name"
  awk -v name="$name" '{ v[NR] = $1; sum += $1 }
    END { print name ": " NR " seeds, mean " sum / NR ", least " v[1] ", median " v[int((NR + 1) / 2)] ", most " v[NR] }' "$name"
}

# statistic NAME: mean, least, median or most of the lines of a file.
statistic() {
  awk -v want="$2" '{ v[NR] = $1; sum += $1 }
    END { s["mean"] = sum / NR; s["least"] = v[1]; s["median"] = v[int((NR + 1) / 2)]; s["most"] = v[NR]
          printf "%.9g\n", s[want] }' "$1"
}
holds() { # NAME STATISTIC RELATION BOUND
  awk -v value="$(statistic "$1" "$2")" -v bound="$4" -v relation="$3" \
    'BEGIN { exit !(relation == ">=" ? value + 0 >= bound + 0 : value + 0 < bound + 0) }' && [ -s "$1" ]
}
expect() { check "$1: $2 of its seeds $3 $4" holds "$@"; }

printf '0.1\n0.2\n0.9\n' >three
check "statistics are right" same "$(statistic three mean) $(statistic three median)" "0.4 0.2"
check "a low figure is noticed" refute holds three mean ">=" 0.41

seeds digits accuracy 1 10
expect digits mean ">=" 0.97
expect digits least ">=" 0.955
seeds iris accuracy 1 20
expect iris mean ">=" 0.95

# The test of the test: labels that say nothing.
seeds_of_noise() {
  gzip -dc "$srcdir/configs/data/digits.csv.gz" |
    awk -F, -v OFS=, 'NR > 1 { $NF = (NR * 7919 + int(NR / 3)) % 10 } { print }' >noise.csv
  seeds digits accuracy 1 1 --set "data.train.path=$work/noise.csv"
}
seeds_of_noise
check "noise is not learnt" holds digits mean "<" 0.25

[ -n "${NUMANN_LONG-}" ] || finish

find_file() { # NAME: the first that is there
  for folder in "${NUMANN_DATA-}" "${NUMANN_DATA-}/tabular" "$srcdir/configs/data" "$srcdir/../shared/data" "$srcdir/../shared/data/tabular"; do
    [ -n "$folder" ] && [ -f "$folder/$1" ] && { echo "$folder/$1"; return; }
  done
  echo "SKIP: no $1 in NUMANN_DATA or configs/data" >&2
  return 1
}

if found=$(find_file mnist/train-images-idx3-ubyte.gz); then
  folder=$(dirname "$found")
  set -- --set "data.train.images=$folder/train-images-idx3-ubyte.gz" \
    --set "data.train.labels=$folder/train-labels-idx1-ubyte.gz" \
    --set "data.test.images=$folder/t10k-images-idx3-ubyte.gz" \
    --set "data.test.labels=$folder/t10k-labels-idx1-ubyte.gz"
  seeds mnist accuracy 1 3 "$@"
  expect mnist median ">=" 0.982
  seeds mnist-sigmoid accuracy 1 1 "$@"
  expect mnist-sigmoid mean ">=" 0.97
fi
if found=$(find_file letter-recognition.data); then
  seeds letters accuracy 1 3 --set "data.train.path=$found"
  expect letters least ">=" 0.95
fi
if found=$(find_file california_housing.csv); then
  seeds housing rmse 1 5 --set "data.train.path=$found"
  expect housing median "<" 60000
  check "a text column is named" run 3 train "$srcdir/configs/housing.yaml" --out run --overwrite \
    --set "data.train.path=$found" --set "data.drop=[]"
  check "with its line and column" grep -q "california_housing.csv:2:.*ocean_proximity" err
  check "a blank is named" run 3 train "$srcdir/configs/housing.yaml" --out run --overwrite \
    --set "data.train.path=$found" --set data.blank=error
  check "with its line and column" grep -q "california_housing.csv:292:.*total_bedrooms" err
fi
finish

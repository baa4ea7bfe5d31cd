#!/bin/sh
# What to run on a machine with several NUMA nodes: `make check-numa` in the build folder. Trains with placement
# and without it, asks where every page and thread is, compares the weights, measures, and writes one text file
# to send: numann-numa.txt, or FILE. NUMANN_ROUNDS and NUMANN_SECONDS set the measurement, 5 rounds of 2 s each;
# a quiet machine is wanted. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
unset NUMANN_DIAGNOSIS
file=$(pwd)/${1:-numann-numa.txt}
rounds=${NUMANN_ROUNDS:-5}
seconds=${NUMANN_SECONDS:-2}
cd "$work" || exit 99

title() { printf '\n==== %s\n' "$*"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

mkfifo pipe
tee "$file" <pipe &
exec >pipe 2>&1
title "machine"
date -u '+%Y-%m-%d'
uname -srm
"$NUMANN" --version -v
"$NUMANN" topo
check "topo" run 0 topo --json
nodes=$(json numa_nodes)
[ "${nodes:-1}" -gt 1 ] || echo "one NUMA node may be used here: pages have no choice, and only threads are placed"

# ---- every page and thread, and the weights

# Where threads are bound and there are several nodes, memory is placed, too: but for pages of another size.
all_there() {
  [ "$(json bind)" = none ] || [ "$(json threads_on_their_core)" = "$(json threads_bound)" ] || return 1
  if [ "${nodes:-1}" -lt 2 ] || [ "$(json bind)" = none ] || [ "$(getconf PAGESIZE)" != 4096 ]; then return 0; fi
  [ "$(json memory)" = true ] || return 1
  [ "$(json pages_checked)" -gt 0 ] && [ $((100 * $(json pages_right))) -ge $((99 * $(json pages_checked))) ]
}

train() { # NETWORK STRATEGY PLACEMENT
  what="$1, $2, placement $3"
  check "$what: trains" run 0 train "$1.yaml" --out run --overwrite --quiet --json --explain-placement --threads "$threads" \
    --set "parallel.strategy=$2" --set "parallel.placement=$3" || return
  [ -f "$1.sha256" ] || json weights_sha256 >"$1.sha256"
  check "$what: the same weights" same "$(json weights_sha256)" "$(cat "$1.sha256")"
  printf '%-7s %-8s %-7s bound to %-5s threads %4s of %-4s pages %7s of %-7s weights %.12s\n' "$1" "$2" "$3" "$(json bind)" \
    "$(json threads_on_their_core)" "$(json threads_bound)" "$(json pages_right)" "$(json pages_checked)" \
    "$(json weights_sha256)"
  [ "$3" = none ] || check "$what: pages and threads where planned" all_there || sed 's/^/  | /' out err
}

title "where pages and threads are"
threads=$(json threads_limit)
sed "s|path: data|path: $srcdir/configs/data|; s/epochs: 40/epochs: 2/" "$srcdir/configs/digits.yaml" >digits.yaml
"$NUMANN" bench rows --json | sed 's/.*\({"row": "mnist"[^}]*\).*/[\1}]/' | awk -f "$srcdir/tests/same_bits.awk" >made
for network in digits mnist; do
  for strategy in neurons samples hybrid auto; do
    for placement in auto none; do train $network $strategy $placement; done
  done
done
# Fewer than a node has cores: the plan uses one node, wherever the first thread begins and reads the data.
for threads in 1 2; do
  for network in digits mnist; do train $network auto auto; done
done

# ---- what placement is worth

rate() { # ROW STRATEGY PLACEMENT: adds a measurement to its file
  check "bench of $1, $2, placement $3" run 0 bench step --row "$1" --json --seconds "$seconds" \
    --set "parallel.strategy=$2" --set "parallel.placement=$3" && json samples_per_s >>"rate-$1-$2-$3"
}

compare() { # ROW STRATEGY: interleaved, so that a change of the machine meets both
  for _ in $(seq "$rounds"); do
    rate "$1" "$2" auto
    rate "$1" "$2" none
  done
  auto=$(median <"rate-$1-$2-auto") none=$(median <"rate-$1-$2-none")
  awk -v row="$1" -v strategy="$2" -v a="$auto" -v n="$none" 'BEGIN {
    printf "%-7s %-8s %12.0f samples/s placed %12.0f not placed, ratio %.3f\n", row, strategy, a, n, a / n }'
}

title "medians of $rounds rounds of $seconds s"
for row in mnist wide; do
  for strategy in neurons samples hybrid; do compare $row $strategy; done
done

title "memory bandwidth"
check "bench nodes" run 0 bench nodes --seconds $((4 * ${nodes:-1} * ${nodes:-1}))
cat out

title "checks"
(finish)
code=$?
echo "please send $file"
exec >/dev/null 2>&1 # so that tee comes to its end
wait
exit $code

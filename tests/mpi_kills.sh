#!/bin/sh
# Ranks under MPI that are killed, stopped and slowed: the job ends soon, no process stays, and any number of ranks
# goes on to the same model file. NUMANN_KILLS: how many kills, 6; the long form is 200. NUMANN_SEED: others.
# Run by `make check-mpi`. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2154,SC2086 # called through check; variables of harness.sh and ranks.sh; lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/ranks.sh
. "$srcdir/tests/ranks.sh"
# shellcheck source=tests/kills.sh
. "$srcdir/tests/kills.sh"
cd "$work" || exit 99
digits=$srcdir/configs/digits.yaml
sets="--set train.batch=257 --set train.grain=8 --set train.epochs=40"
echo "$library, $MPIRUN"
run 0 train "$digits" $sets --out whole --quiet

# ---- a rank is killed at any moment
seconds() { date +%s; }
gone() { # all ranks have ended within 30 s
  until [ "$(alive)" = "" ]; do
    [ "$(seconds)" -lt $((since + 30)) ] || { echo "  still there: $(alive)"; return 1; }
    sleep 0.1
  done
}
# Up to 0.9 s after the ranks have been started: some while MPI starts, some after the end.
kill_one() {
  random 4 >drawn # not in a subshell, which would lose the seed
  ranks=$((2 + $(cat drawn)))
  random "$ranks" >drawn
  rank=$(cat drawn)
  random 90 >drawn
  moment=$(cat drawn)
  start_job "$ranks" train "$digits" $sets --out killed --resume --quiet --threads $((1 + moment % 3)) \
    --set "checkpoint.every=$((1 + moment % 7)) steps"
  until [ -s "$PIDS/$rank" ] || ! is_alive "$job"; do sleep 0.02; done
  sleep "0.$(printf '%02d' "$moment")"
  since=$(seconds)
  kill -9 "$(pid_of "$rank")" 2>kill.err || rank=none
  end_job
  what="kill $kills (rank $rank of $ranks, at 0.$moment s)"
}
if [ -n "${NUMANN_LONG-}" ]; then most=200; else most=6; fi
most=${NUMANN_KILLS:-$most}
kills=0 landed=0
while [ "$landed" -lt "$most" ] && [ "$kills" -lt $((5 * most + 50)) ]; do
  kills=$((kills + 1))
  kill_one
  check "$what: all ranks are gone" gone
  if [ "$code" = 0 ]; then
    check "$what: ended before with the same file" cmp killed/model.safetensors whole/model.safetensors
    rm -rf killed
  else
    landed=$((landed + 1))
    [ "$rank" != none ] || check "$what: fails of its own accord" exited 0 "$code" "numann train --resume"
  fi
done
echo "$landed kills of $kills trials landed, seed ${NUMANN_SEED:-20241}"
check "the last resume" ranked 0 3 train "$digits" $sets --out killed --resume --quiet
check "after $landed kills the same model file" cmp killed/model.safetensors whole/model.safetensors
check "no temporary file is left" same "$(find killed -name '*.tmp')" ""

# ---- a rank that hangs is named by the others, who do not wait for ever
endless="$sets --set train.epochs=100000 --set parallel.patience=3 --threads 1"
hang() { # RANK
  rm -rf hung # what follows waits for its first epoch
  start_job 3 train "$digits" $endless --out hung --quiet
  until [ -s hung/metrics.csv ] || ! is_alive "$job"; do sleep 0.05; done
  sleep "0.$1"
  since=$(seconds)
  kill -s STOP "$(pid_of "$1")"
  end_job
}
for rank in 0 1 2; do
  hang $rank
  # MPICH's launcher may tell the signal by which it ended a rank, too.
  check "rank $rank hangs: code" test "$code" = 8 -o "$kind$code" = mpich9 || echo "  found: $code"
  check "rank $rank hangs: named" has err "numann: error: ranks: rank [0-2] has waited [34] s for rank $rank, which is lost or hangs"
  check "rank $rank hangs: nobody else is" refute grep "for rank [^$rank], which" err
  check "rank $rank hangs: all ranks are gone" gone
done

# ---- one that is only slow, by halves of seconds, is waited for
start_job 3 train "$digits" $sets --set train.epochs=40 --set parallel.patience=3 --threads 1 --out slow --quiet
until [ -s "$PIDS/1" ]; do sleep 0.05; done
while is_alive "$job"; do
  kill -s STOP "$(pid_of 1)" && sleep 0.5 && kill -s CONT "$(pid_of 1)" && sleep 0.1
done 2>slow.err
end_job
check "a slow rank: code" exited 0 "$code" "a rank that stops for half a second, again and again"
check "a slow rank: the same model file" cmp slow/model.safetensors whole/model.safetensors
finish

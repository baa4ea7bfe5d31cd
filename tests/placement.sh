#!/bin/sh
# Golden plans: what `numann plan` says of machines that one does not own. placement/machines.tsv has the
# machines and how many nodes, cores and hardware threads they have, counted by hand: hwloc may quietly take
# another machine than it was told. placement/NAME.txt is the plan. NUMANN_RENEW=1 writes those anew and ends;
# read every change of them. The XML files were written by lstopo; where a node has no memory or something is not
# allowed, that attribute was then changed by hand.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
folder=$srcdir/tests/placement
tab=$(printf '\t')

# The rates that are shipped for a named instruction set, not those of this machine.
# shellcheck disable=SC2086 # options: words
plan() { # TOPOLOGY OPTIONS OPTION...
  topology=$1 options=$2
  shift 2
  case $topology in @*) topology=$folder/${topology#@} ;; esac
  case $options in *--isa*) ;; *) options="$options --isa avx2" ;; esac
  run 0 plan --topology "$topology" $options --set parallel.calibration=off "$@"
}

counts() { # of the last plan, in JSON: NODES CORES THREADS
  sed -n 's/.*"machine": {[^}]*"numa_nodes": \([0-9]*\), "cores": \([0-9]*\), "hardware_threads": \([0-9]*\),.*/\1 \2 \3/p' out
}

is_golden() { diff -u "$folder/$1.txt" out >difference || { sed 's/^/  | /' difference | head -n 20; return 1; }; }

machine() { # NAME TOPOLOGY NODES CORES THREADS OPTIONS
  check "$1: is planned" plan "$2" "$6" --json || return
  check "$1: nodes, cores and hardware threads" same "$(counts)" "$3 $4 $5" || return
  check "$1: is planned as text" plan "$2" "$6" || return
  if [ -n "${NUMANN_RENEW-}" ]; then cp out "$folder/$1.txt"; else check "$1: the plan" is_golden "$1"; fi
}

grep -v '^#' "$folder/machines.tsv" >machines
while IFS=$tab read -r name topology nodes cores threads options; do
  machine "$name" "$topology" "$nodes" "$cores" "$threads" "$options"
done <machines
[ -z "${NUMANN_RENEW-}" ] || finish
check "at least 25 machines" test "$(wc -l <machines)" -ge 25
check "each has its own plan" test "$(find "$folder" -name '*.txt' | wc -l)" -eq "$(wc -l <machines)"

# ---- nothing of this machine, of its user's settings or of the kernels in use is in a plan
again() { plan '@far.xml' '--row mnist --set parallel.strategy=hybrid' && is_golden far-memory; }
settings() { # NAME=VALUE...: the same plan with these in the environment
  (
    for setting; do export "${setting?}"; done
    again
  )
}
check "OMP_NUM_THREADS is not of that machine" settings OMP_NUM_THREADS=2
check "nor is where the OpenMP runtime binds" settings OMP_PROC_BIND=true OMP_PLACES=cores
check "nor Slurm's task" settings SLURM_JOB_ID=1 SLURM_CPUS_PER_TASK=1
check "the kernels in use do not matter" settings NUMANN_ISA=base

# ---- the test of the test: one core, one node or one thread more is noticed
other_plan() { # NAME TOPOLOGY OPTIONS: is not the golden one of NAME
  plan "$2" "$3" && refute is_golden "$1" >difference.out && grep -q '^  | +' difference.out
}
hybrid="--row mnist --set parallel.strategy=hybrid"
check "another machine has another plan" other_plan far-memory '@forbidden.xml' "$hybrid"
check "another order of threads is another plan" other_plan far-memory '@far.xml' "$hybrid --set parallel.placement=scatter"
check "another size of a node is another plan" other_plan small-nodes 'pack:2 [numa(memory=64MiB)] l3:1(size=16MiB) core:4 pu:1' \
  "$hybrid"
check "a plan in JSON" plan '@far.xml' "$hybrid" --json
check "has other counts than another machine's" refute same "$(counts)" "3 16 16" >counts.out
finish

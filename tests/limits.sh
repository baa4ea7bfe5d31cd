#!/bin/sh
# What a job may use, set from outside: the right number of threads, the right message, the same weights.
# NUMA nodes, control groups of version 2 and their quotas under a kernel of its own: numa_guest.sh.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck disable=SC2086 # lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
unset OMP_PROC_BIND OMP_PLACES OMP_THREAD_LIMIT OMP_DYNAMIC
config=$srcdir/configs/digits.yaml
cd "$work" || exit 99

# trained NAME WORD...: WORD... stands before `numann train`; $set behind it.
set=
trained() {
  trained_name=$1
  shift
  check "$trained_name: trains" outside "$@" "$NUMANN" train "$config" --set train.epochs=1 --out run --overwrite --quiet \
    --json --explain-placement $set
}
outside() { "$@" >"$work/all" 2>"$work/err" </dev/null; exited 0 $? "$*" && sed 's/"placement": {.*}, "seconds"/"seconds"/' all >out; }

threads_are() { # RAN LIMIT
  check "$trained_name: threads" same "$(json threads) of $(json threads_limit)" "$1 of $2"
  check "$trained_name: weights" same "$(json weights_sha256)" "$sha256"
}
bound_as() { check "$trained_name: bound" same "$(json bind all)" "$1"; }
warns() { check "$trained_name: warns once" same "$(grep -c "warning: .*$1" err)" "$2"; }

# told NAME TEXT WORD...: `numann topo`, behind WORD..., says TEXT.
told() {
  told_name=$1 told_text=$2
  shift 2
  NUMANN_DIAGNOSIS=on
  check "$told_name: topo" outside "$@" "$NUMANN" topo
  NUMANN_DIAGNOSIS=off
  check "$told_name: topo says so" grep -q "$told_text" out || cat out
}

# ---- what this process may use as it is
trained "no limit but the job's own"
sha256=$(json weights_sha256) limit=$(json threads_limit) least=$(json threads)
check "there is a hash" test "${#sha256}" -eq 64
check "plan" run 0 plan "$config" --json
cores=$(sed -n 's/.*"machine": {[^}]*"cores": \([0-9]*\).*/\1/p' out)
check "the limit is within the cores" test "$limit" -ge 1 -a "$limit" -le "$cores"
warns "" 0
first=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)

# ---- affinity mask
if taskset -c "$first" true 2>err; then
  trained "one core" taskset -c "$first"
  threads_are 1 1
  set="--threads 2"
  trained "one core, two threads ordered" taskset -c "$first"
  threads_are 2 1
  warns "2 threads on 1 core" 1
  bound_as none
  set="--threads 1"
  trained "one core, one thread ordered" taskset -c "$first"
  threads_are 1 1
  warns "" 0
  set=
  if [ "$cores" -gt 1 ]; then
    told "one core, four threads wanted" "OMP_NUM_THREADS asks for 4 threads, but the affinity mask leaves this process 1 of" \
      env OMP_NUM_THREADS=4 taskset -c "$first"
  fi
else
  echo "SKIP: affinity masks: taskset does not work here"
fi

# ---- OMP_NUM_THREADS is a limit, --threads an order
trained "OMP_NUM_THREADS=64" env OMP_NUM_THREADS=64
threads_are "$least" "$limit"
warns "" 0
trained "OMP_NUM_THREADS=1" env OMP_NUM_THREADS=1
threads_are 1 1
if [ "$limit" -lt 64 ]; then
  set="--threads 64"
  trained "64 threads ordered" env OMP_NUM_THREADS=1
  threads_are 64 1
  warns "64 threads on $cores core" 1
  bound_as none
  set=
fi

# ---- OMP_THREAD_LIMIT is one, too; the runtime holds it against an order
trained "OMP_THREAD_LIMIT=1" env OMP_THREAD_LIMIT=1
threads_are 1 1
warns "" 0
check "OMP_THREAD_LIMIT=1: plan" outside env OMP_THREAD_LIMIT=1 "$NUMANN" plan "$config" --json
[ "$limit" -eq 1 ] || check "OMP_THREAD_LIMIT=1 is named" same "$(json limited_by)" OMP_THREAD_LIMIT
[ "$limit" -eq 1 ] || told "OMP_THREAD_LIMIT=1" '^  OMP_THREAD_LIMIT  *1   <- sets' env OMP_THREAD_LIMIT=1
ignored="0 -1 many"
grep -q 'libomp\.so' "$NUMANN" && ignored= # LLVM's takes 0 for 1, and other words for others
for above in 64 $ignored; do # more than there is, and what the runtime ignores
  trained "OMP_THREAD_LIMIT=$above" env OMP_THREAD_LIMIT=$above
  threads_are "$least" "$limit"
done
OMP_THREAD_LIMIT=1 "$NUMANN" train "$config" --threads 2 --out run --overwrite >out 2>err
check "an order above OMP_THREAD_LIMIT is refused" exited 6 $? "train --threads 2"
check "OMP_THREAD_LIMIT and order" grep -q 'warning: .*OMP_THREAD_LIMIT=1: the OpenMP runtime will refuse the 2 threads' err

# ---- the runtime's places
for bind in true close spread; do
  trained "OMP_PROC_BIND=$bind" env OMP_PROC_BIND=$bind
  threads_are "$least" "$limit"
  bound_as omp
  set="--set parallel.placement=scatter --threads $least"
  trained "OMP_PROC_BIND=$bind against an order" env OMP_PROC_BIND=$bind
  threads_are "$least" "$limit"
  warns "OMP_PROC_BIND gives way to parallel.placement: scatter" 1
  set=
done
trained "OMP_PROC_BIND=false" env OMP_PROC_BIND=false
threads_are "$least" "$limit"
bound_as none
trained "OMP_PLACES of one core" env OMP_PROC_BIND=true OMP_PLACES="{$first}"
threads_are 1 1
trained "OMP_PLACES=cores" env OMP_PLACES=cores
threads_are "$least" "$limit"

# ---- hardware threads: on this machine, and on one that has two a core
for smt in true false; do
  set="--set parallel.smt=$smt"
  trained "parallel.smt=$smt"
  check "parallel.smt=$smt: weights" same "$(json weights_sha256)" "$sha256"
  set=
done
for smt in "true 8" "false 4"; do
  check "smt on 4 cores of 2" run 0 plan "$config" --json --topology "node:1 core:4 pu:2" --set "parallel.smt=${smt% *}"
  check "smt: ${smt% *}" grep -q "\"threads_limit\": ${smt#* }," out
done

# ---- control groups of version 1, whose files anyone may own
in_group() { # CONTROLLER NAME=VALUE... -- COMMAND...
  group=/sys/fs/cgroup/$1/numann-test.$$
  mkdir "$group" 2>"$work/err" || return 1
  shift
  while [ "$1" != -- ]; do
    echo "${1#*=}" 2>"$work/err" >"$group/${1%%=*}" || return 1
    shift
  done
  shift
  sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}
leave() { rmdir /sys/fs/cgroup/*/numann-test.$$ 2>"$work/left"; }
quota="cpu cpu.cfs_period_us=100000 cpu.cfs_quota_us=150000 --"
nodes=$(sed -n 's/^Mems_allowed_list:[[:blank:]]*//p' /proc/self/status)
cpuset="cpuset cpuset.cpus=$first cpuset.mems=$nodes --"
if in_group $quota true; leave; then
  if [ "$limit" -ge 2 ]; then most=2; else most=$limit; fi
  trained "a quota of 1.5 CPUs" in_group $quota
  leave
  check "a quota of 1.5 CPUs: limit" same "$(json threads_limit)" $most
  check "a quota of 1.5 CPUs: weights" same "$(json weights_sha256)" "$sha256"
  told "a quota of 1.5 CPUs" "cgroup CPU quota  *1.5" in_group $quota
  leave
else
  echo "SKIP: a quota of 1.5 CPUs: no control group can be made here; numa_guest.sh makes one"
fi
if in_group $cpuset true; leave; then
  trained "a cpuset of one core" in_group $cpuset
  leave
  threads_are 1 1
else
  echo "SKIP: a cpuset: no control group can be made here; numa_guest.sh makes one"
fi

# ---- binding is forbidden
denies=no
if ${CC:-cc} -o deny "$srcdir/tests/deny_binding.c" 2>err && ./deny true 2>err; then
  denies=yes
  trained "no permission to bind" ./deny
  threads_are "$least" "$limit"
  warns "the system refuses to bind threads to cores (Operation not permitted)" 1
  check "no permission to bind: nobody is where planned" same "$(json threads_on_their_core all)" 0
  set="--set parallel.placement=none"
  trained "no permission to bind, and no wish" ./deny
  threads_are "$least" "$limit"
  warns "" 0
  set=
else
  echo "SKIP: binding forbidden: no seccomp filter can be set here"
fi
if [ "$denies" = yes ] && ! grep -q 'libomp\.so' "$NUMANN"; then # LLVM's ends a program that may not ask
  trained "no permission to see the mask" timeout 100 ./deny -g
  threads_are "$(json threads)" "$(json threads_limit)"
  check "no permission to see the mask: threads" test "$(json threads_limit)" -ge 1
  told "no permission to see the mask" "threads  up to" timeout 100 ./deny -g
  check "no permission to see the mask: warns" grep -q "warning: the system refuses to tell the affinity mask" err
fi
finish

#!/bin/sh
# numann topo, and the diagnosis of a launch line, as a user sees them: this machine under masks and limits,
# machines of hwloc's words and of lstopo's files, mistakes. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
machines=$srcdir/tests/topologies
has() { grep -q -e "$2" "$1" || { echo "  $1 lacks '$2':"; head -n 5 "$1" | sed 's/^/  | /'; return 1; }; }
count() { grep -c -e "$2" "$1"; }
with() { # CODE VARIABLE=VALUE... -- ARGUMENT...: numann with a few variables more
  with_code=$1
  shift
  with_variables=
  while [ "$1" != -- ]; do
    with_variables="$with_variables $1"
    shift
  done
  shift
  # shellcheck disable=SC2086 # a list of variables
  env $with_variables "$NUMANN" "$@" >out 2>err </dev/null
  exited "$with_code" $? "$with_variables numann $*"
}
for variable in $(env | sed -n 's/=.*//p' | grep -E '^(SLURM_|OMP_|OMPI_|MPI_)[A-Z0-9_]*$'); do unset "$variable"; done

# ---- this machine
check "topo" run 0 topo
check "draws a tree" has out '^machine'
check "and the limits" has out '^limits'
check "of which one sets the threads" same "$(count out '<- sets the thread limit')" 1
check "topo --json" run 0 topo --json
check "one object on one line" test "$(wc -l <out)" -eq 1
for key in model packages numa_nodes host_cores cores processing_units memory_bytes threads_limit limited_by; do
  check "with $key" test -n "$(json $key)"
done
if command -v python3 >/dev/null 2>&1; then check "it is JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' out; fi
if command -v nproc >/dev/null 2>&1; then check "as many processors as nproc says" same "$(json processing_units)" "$(nproc)"; fi
host=$(json host_cores) cores=$(json cores) units=$(json processing_units) limit=$(json threads_limit)
first=$(sed -n 's/.*"processors": \[\[\([0-9]*\),.*/\1/p' out)

# ---- its limits
if command -v taskset >/dev/null 2>&1; then
  taskset -c "$first" "$NUMANN" topo --json >out 2>err
  check "taskset leaves one core" same "$(json cores) $(json processing_units) $(json threads_limit)" "1 1 1"
  check "of the same machine" test "$(json host_cores)" -ge "$cores"
  taskset -c "$first" "$NUMANN" topo >out 2>err
  check "one core is marked" same "$(sed '/^limits/,$d; /^(#/d' out | tr -dc '#')" "#"
  taskset -c "$first" "$NUMANN" train "$srcdir/configs/xor.yaml" --out one --json --set train.epochs=3 >out 2>err
  one=$(json weights_sha256)
  check "train" run 0 train "$srcdir/configs/xor.yaml" --out all --json --set train.epochs=3
  check "the mask changes no weight" same "$(json weights_sha256)" "${one:-none}"
fi
check "OMP_NUM_THREADS=64" with 0 OMP_NUM_THREADS=64 -- topo --json
check "is shown" same "$(json omp_num_threads)" 64
check "and gives no threads that are not there" same "$(json threads_limit)" "$limit"
check "OMP_NUM_THREADS=1" with 0 OMP_NUM_THREADS=1 -- topo
[ "$limit" -eq 1 ] || check "sets the threads" has out 'OMP_NUM_THREADS *1   <- sets'
check "threads  up to 1" has out '^threads  up to 1$'
check "OMP_THREAD_LIMIT" with 0 OMP_THREAD_LIMIT=7 -- topo --json
check "is shown, too" same "$(json omp_thread_limit)" 7
check "Slurm" with 0 SLURM_JOB_ID=7 SLURM_CPUS_PER_TASK=1 -- topo
[ "$limit" -eq 1 ] || check "sets the threads" has out 'SLURM_CPUS_PER_TASK *1   <- sets'
check "Slurm without a job" with 0 SLURM_CPUS_PER_TASK=1 -- topo --json
check "sets none" same "$(json threads_limit)" "$limit"
check "where threads are bound is told" with 0 OMP_PROC_BIND=false -- topo
check "by its variable" has out 'OMP_PROC_BIND *false$'

# ---- other machines: TOPOLOGY|cores|hardware threads|nodes with cores|in the drawing
while IFS='|' read -r topology cores_expected units_expected nodes_expected part; do
  name=$topology
  [ ! -f "$machines/$topology.xml" ] || topology=$machines/$topology.xml
  check "$name" with 0 OMP_NUM_THREADS=1 -- topo --topology "$topology" --json
  check "$name: cores, hardware threads, nodes" same "$(json cores) $(json processing_units) $(json numa_nodes)" \
    "$cores_expected $units_expected $nodes_expected"
  check "$name has no limit of ours" same "$(json threads_limit) $(json foreign)" "$cores_expected true"
  check "$name is drawn" run 0 topo --topology "$topology"
  check "$name: $part" has out "$part"
done <<'END'
pack:2 numa:2 l3:2 core:8 pu:2|64|128|4|cores 56-63  ########  processors 112-127
node:2 pu:4|8|8|2|cores 4-7  ####  processors 4-7
cpuset|4|4|2|cores 0-3  \.\.##  processors 0-3
core-missing|11|11|2|cores 6-10  #####  processors 6-10
no-memory|6|6|2|NUMA node 1  without memory: its cores use the memory of node 2
node-forbidden|8|8|3|NUMA node 2  8 GiB  memory not allowed: its cores use the memory of node 3
far-memory|6|6|2|NUMA node 2  64 GiB  memory alone
fast-memory|8|16|2|NUMA node 3  8 GiB  memory alone
four-nodes|16|32|4|cores 14-15  ##  processors 14-15,30-31
sparse-nodes|6|24|2| 253    80    80    80    10
END

# ---- mistakes: hwloc loses what it has read of a description that it then refuses
leaks_are_ours=${ASAN_OPTIONS-}
ASAN_OPTIONS=$leaks_are_ours:detect_leaks=0
export ASAN_OPTIONS
head -c 3000 "$machines/cpuset.xml" >cut.xml
sed 's/"0x0000000f"/"0x0000000g"/g' "$machines/cpuset.xml" >letter.xml
sed 's/type="PU" os_index="1" cpuset="0x00000002"/type="PU" os_index="0" cpuset="0x00000001"/' "$machines/cpuset.xml" >twice.xml
echo '<html></html>' >page.xml
: >empty.xml
mkdir folder.xml
while IFS='|' read -r topology part; do
  check "--topology '$topology' is refused" run 2 topo --topology "$topology"
  check "'$topology': $part" has err "^numann: error: config: topology: .*$part"
  check "'$topology': nothing on stdout" test ! -s out
done <<'END'
nowhere.xml|nowhere.xml: No such file or directory
cut.xml|cut.xml: hwloc finds no whole machine in it
letter.xml|letter.xml: its sets .* contradict it
twice.xml|twice.xml: its sets .* contradict it
page.xml|page.xml: hwloc finds no whole machine in it
empty.xml|empty.xml: hwloc finds no whole machine in it
folder.xml|folder.xml: is no regular file
|'' is no description that hwloc understands
core:0|'core:0' is no description that hwloc understands
cores:2 pu:2|'cores:2 pu:2' is no description that hwloc understands
core:2x pu:2|'core:2x pu:2' is no description that hwloc understands
pu:2 core:2|'pu:2 core:2' is no description that hwloc understands
core:9999 pu:9|more than 4096 hardware threads or 1024 NUMA nodes
END
check "this machine in the place of another is refused" with 2 HWLOC_THISSYSTEM=1 -- topo --topology 'core:2 pu:1'
check "and the variable is named" has err 'is HWLOC_THISSYSTEM set?'
check "plan reads the same way" run 2 plan "$srcdir/configs/xor.yaml" --topology nowhere.xml

ASAN_OPTIONS=$leaks_are_ours

# ---- the launch line: Slurm promises more than the process has, which no other check outranks
slurm="NUMANN_DIAGNOSIS=on SLURM_JOB_ID=7 SLURM_CPUS_PER_TASK=$((units + 7))"
promise="launch: SLURM_CPUS_PER_TASK promises $((units + 7)) CPUs, this process may use $units, .*use: srun --cpus-per-task=$((units + 7)) "
# shellcheck disable=SC2086 # lists of variables, from here on
{
  check "topo" with 0 $slurm -- topo
  check "tells of it" has out "^$promise"
  check "topo --json" with 0 $slurm -- topo --json
  check "has it as a string" has out "\"diagnosis\": \"$promise"
  check "plan" with 0 $slurm -- plan "$srcdir/configs/xor.yaml"
  check "warns of it" has err "^numann: warning: $promise"
  check "once" same "$(count err 'launch: ')" 1
  check "not on stdout" refute grep -q 'launch: ' out
  check "plan with too many threads" with 0 $slurm -- plan "$srcdir/configs/xor.yaml" --threads 99
  check "has one message for both" same "$(count err 'launch: \|more threads than cores')" 1
  check "train" with 0 $slurm -- train "$srcdir/configs/xor.yaml" --out told --json --set train.epochs=3
  check "warns of it" has err "^numann: warning: $promise"
  check "once" same "$(count err 'launch: ')" 1
  check "its JSON is one line" test "$(wc -l <out)" -eq 1
  check "train --quiet" with 0 $slurm -- train "$srcdir/configs/xor.yaml" --out quiet --json --quiet --set train.epochs=3
  check "is quiet" test ! -s err
  check "of another machine nothing is told" with 0 $slurm -- plan "$srcdir/configs/xor.yaml" --topology 'core:4 pu:1'
  check "nothing" refute grep -q 'launch: ' err
  check "NUMANN_DIAGNOSIS=off" with 0 $slurm NUMANN_DIAGNOSIS=off -- topo --json
  check "tells nothing" has out '"diagnosis": null'
}
# OpenMP on one core, where numann does not bind the threads itself
check "OMP_PROC_BIND=master" with 0 NUMANN_DIAGNOSIS=on OMP_PROC_BIND=master OMP_PLACES=threads -- plan "$srcdir/configs/xor.yaml" --threads 2
[ "$cores" -lt 2 ] || check "is warned of" has err 'launch: OMP_PROC_BIND=master puts all 2 threads on one core'
check "overruled" with 0 NUMANN_DIAGNOSIS=on OMP_PROC_BIND=master OMP_PLACES=threads -- plan "$srcdir/configs/xor.yaml" \
  --threads 2 --set parallel.placement=compact
[ "$cores" -lt 2 ] || check "is not" refute grep -q 'launch: OMP_PROC_BIND' err

# ranks: the threads that are planned count, and the plan's own note is about something else
if [ "$cores" -gt 1 ] && [ "$cores" -eq "$host" ]; then
  ranks="NUMANN_DIAGNOSIS=on MPI_LOCALNRANKS="
  check "topo of a rank" with 0 "$ranks$cores" -- topo
  check "takes all cores for its threads" has out "^launch: each of $cores processes"
  check "a plan of one thread" with 0 "$ranks$cores" -- plan "$srcdir/configs/xor.yaml"
  check "leaves the cores to the other ranks" refute grep -q 'launch: each of' err
  check "too many ranks, a variable overruled" with 0 "$ranks"9999 OMP_NUM_THREADS=1 -- plan "$srcdir/configs/xor.yaml" --threads 2
  check "the one is told" has err '^numann: warning: launch: each of 9999 processes'
  check "and the other" has err '^numann: warning: .*OMP_NUM_THREADS=1 gives way'
fi
check "plan with too many threads" run 0 plan "$srcdir/configs/xor.yaml" --threads 99
check "says so" has err 'more threads than cores'
finish

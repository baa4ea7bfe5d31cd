#!/bin/sh
# The sbatch scripts under a real Slurm, which this test brings up and takes down: a controller, two nodes on this
# machine, munge, all with files of their own in a temporary folder. Skips where Slurm is not installed.
#   Debian: apt-get install -y --no-install-recommends slurm-wlm munge
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2016,SC2154 # functions are called through check; numann's variables; harness.sh
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
PATH=$PATH:/usr/sbin:/sbin
export PATH
for command in munged slurmctld slurmd sbatch scontrol squeue scancel; do
  command -v $command >"$work/found" || skip "$command is not installed"
done
cd "$work" || exit 99
for name in $(env | sed -n 's/^\(\(SLURM\|SBATCH\)[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
user=$(id -un)
host=$(hostname -s)
port=$((20000 + $$ % 20000))
daemons=
controller=
export NUMANN

# ---- up and down
down() {
  if [ -n "$controller" ] && kill -0 "$controller"; then
    scancel --user="$user"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      jobs=$(squeue -h -o %A -t R,CG) || break
      [ -n "$jobs" ] || break
      sleep 1
    done
  fi >down.log 2>&1
  for pid in $daemons; do kill "$pid" && wait "$pid"; done 2>>down.log
  cd / && chmod -R u+w "$work"
  rm -rf "$work"
}
trap down EXIT
within() { # SECONDS COMMAND...: does it succeed within them?
  within_left=$1
  shift
  until "$@" >within.out 2>&1; do
    within_left=$((within_left - 1))
    [ "$within_left" -gt 0 ] || return 1
    sleep 1
  done
}
start() { # NAME COMMAND...
  start_name=$1
  shift
  "$@" >"$start_name.log" 2>&1 </dev/null &
  daemons="$! $daemons"
}

mkdir munge state
chmod 700 munge
dd if=/dev/urandom of=munge/key bs=128 count=1 2>dd.log
chmod 400 munge/key
cat >slurm.conf <<END2
ClusterName=numann
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool.%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2
ReturnToService=2
MinJobAge=3600
KillWait=5
MessageTimeout=5
NodeName=node[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=2 State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=120 State=UP
END2
start munged munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" \
  --pid-file="$work/munge/pid" --log-file="$work/munge/log" --seed-file="$work/munge/seed"
within 20 test -S munge/socket || { cat munged.log; skip "munged does not start here"; }
SLURM_CONF=$work/slurm.conf
export SLURM_CONF
start slurmctld slurmctld -D
controller=$!
start slurmd1 slurmd -D -N node1
start slurmd2 slurmd -D -N node2
slurmd2=${daemons%% *}
two_idle() { [ "$(sinfo -h -t idle -o %D)" = 2 ]; }
if ! within 60 two_idle; then
  tail -n 5 slurmctld.log slurmd1.log slurmd2.log
  skip "no Slurm of two nodes comes up here"
fi
echo "$(slurmctld -V), two nodes"

# ---- jobs
scripts=$srcdir/configs/slurm
digits=$srcdir/configs/digits.yaml
submit() { sbatch --parsable --cpus-per-task=1 "$@"; }
show() { scontrol show job "$1"; }
field() { show "$1" | sed -n 's/.*\<'"$2"'=\([^ ]*\).*/\1/p' | head -n 1; }
ended() { case $(field "$1" JobState) in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) true ;; *) false ;; esac; }
has() { grep -q -e "$2" "$1" || { sed 's/^/  | /' "$1" | tail -n 20; return 1; }; }
lacks() { ! grep -e "$2" "$1"; }
same_weights() { cmp "$1/model.safetensors" "$2/model.safetensors"; }

# Epochs that take so many seconds on one thread of this machine, which may be twice as fast by then.
began=$(date +%s%N)
check "a measured training" run 0 train "$digits" --set train.epochs=500 --threads 1 --out measured --quiet
each=$((($(date +%s%N) - began) / 500))
epochs() { echo $(($1 * 1000000000 / each)); }
long="--set train.epochs=$(epochs 120) --threads 1"
brief="--set train.epochs=$(epochs 36) --threads 1"
few="--set train.epochs=20 --threads 1"

# A chain, whose jobs have a minute each, and a job that is signalled 45 s before the end of its minute.
# shellcheck disable=SC2086 # lists of words
chain=$(submit --time=1 "$scripts/chain.sbatch" "$digits" $long --out chain)
# shellcheck disable=SC2086
requeue=$(submit --time=1 --signal=B:USR1@45 "$scripts/requeue.sbatch" "$digits" $brief --out requeue)
requeue=${requeue%%;*}
chain=${chain%%;*}
check "submitted" test -n "$chain" -a -n "$requeue"

check "the requeued job ends" within 300 ended "$requeue"
check "well" same "$(field "$requeue" JobState) $(field "$requeue" ExitCode)" "COMPLETED 0:0"
check "after it was queued again" test "$(field "$requeue" Restarts)" -ge 1
check "USR1 before the limit saves" has "numann-$requeue.out" "stopped by SIGUSR1 at step [0-9]*, the checkpoint is safe"
check "and it goes on" has "numann-$requeue.out" "going on from step"
# shellcheck disable=SC2086
check "uninterrupted" run 0 train "$digits" $brief --out brief --quiet
check "the requeued job has the same weights" same_weights requeue brief

check "the first link of the chain ends" within 120 ended "$chain"
check "with 75, not at its limit" same "$(field "$chain" JobState) $(field "$chain" ExitCode)" "FAILED 75:0"
check "by its job's time" has "numann-$chain.out" "stopped by train.max_time at step"
check "says how many more" has "numann-$chain.out" "% done; [1-9][0-9]* more jobs* of 1:00"
check "that it knew" lacks "numann-$chain.out" "warning: train.max_time"
last=$chain
while next=$(sed -n 's/^the next job: \([0-9]*\)$/\1/p' "numann-$last.out") && [ -n "$next" ] && [ "$next" != "$last" ]; do
  within 240 ended "$next"
  [ -f "numann-$next.out" ] || break
  last=$next
done
check "the chain has several links" test "$last" -gt "$chain"
check "the last ends well" same "$(field "$last" JobState) $(field "$last" ExitCode)" "COMPLETED 0:0"
check "what it had submitted is taken back" same "$(field "$next" JobState)" "CANCELLED"
check "nothing is left of the chain" same "$(squeue -h -n numann-chain -o %A)" ""
# shellcheck disable=SC2086
check "uninterrupted" run 0 train "$digits" $long --out long --quiet
check "the chain has the same weights" same_weights chain long

# The time from squeue, from scontrol alone, and from the environment, which older Slurms leave without it.
cat >asks <<'END2'
#!/bin/sh
unset SLURM_JOB_END_TIME SLURM_JOB_START_TIME
exec "$REAL_NUMANN" "$@"
END2
mkdir bin
sed 's|^exec|PATH=$ONLY_SCONTROL exec|' asks >asks_scontrol
sed 's|^unset.*|export SLURM_JOB_END_TIME=$(($(date +%s) + 170))|; s|^exec|PATH=/nowhere exec|' asks >asks_nobody
chmod +x asks asks_scontrol asks_nobody
ln -s "$(command -v scontrol)" bin/scontrol
REAL_NUMANN=$NUMANN ONLY_SCONTROL=$work/bin
export REAL_NUMANN ONLY_SCONTROL
for asks in asks asks_scontrol asks_nobody; do
  # shellcheck disable=SC2086
  id=$(submit --export="ALL,NUMANN=$work/$asks" --time=3 "$scripts/one.sbatch" "$digits" $few --out "$asks.run")
  check "$asks: ends" within 60 ended "$id"
  check "$asks: well" same "$(field "$id" JobState)" COMPLETED
  check "$asks: the time is known" has "numann-$id.out" "train.max_time is over in [23]:[0-9][0-9]"
done

# A sweep: the tasks' own seeds.
# shellcheck disable=SC2086
sweep=$(submit --array=1-3 "$scripts/sweep.sbatch" "$digits" $few)
for task in 1 2 3; do
  check "task $task ends" within 60 ended "${sweep}_$task"
  check "well" same "$(field "${sweep}_$task" JobState)" COMPLETED
  # shellcheck disable=SC2086
  check "by hand" run 0 train "$digits" $few --set train.seed=$task --out "seed-$task" --quiet
  check "task $task has its seed" same_weights "runs/seed-$task" "seed-$task"
done
# A finished run falls through.
# shellcheck disable=SC2086
again=$(submit "$scripts/one.sbatch" "$digits" $long --out chain)
check "a job for a finished run" within 60 ended "$again"
check "ends well" same "$(field "$again" JobState)" COMPLETED
check "says so" has "numann-$again.out" "this run is finished, nothing is left to do"

# ---- several nodes, where NUMANN_OF_MPI is a numann that was built with an MPI whose srun plugin is here
if [ ! -x "${NUMANN_OF_MPI-}" ]; then
  echo "SKIP: several nodes: NUMANN_OF_MPI names no numann with MPI"
  finish
fi
across="--set train.batch=257 --set train.grain=8 --set train.epochs=$(epochs 10) --threads 1"
# shellcheck disable=SC2086
check "on one rank" run 0 train "$digits" $across --out alone --quiet
# shellcheck disable=SC2086
id=$(NUMANN=$NUMANN_OF_MPI submit --time=2 --nodes=2 "$scripts/nodes.sbatch" "$digits" $across --out across)
within 30 has "numann-$id.out" "2 ranks" >began.out
scancel --signal=USR1 --batch "$id" || scancel --signal=USR1 "$id"
check "a job of two nodes ends" within 120 ended "$id"
check "is one training" has "numann-$id.out" "numann: 2 ranks (Open MPI\|numann: 2 ranks (MPICH"
# shellcheck disable=SC2086
id=$(NUMANN=$NUMANN_OF_MPI submit --time=2 --nodes=2 "$scripts/nodes.sbatch" "$digits" $across --out across)
check "the same line goes on" within 120 ended "$id"
check "to its end" same "$(field "$id" JobState)" COMPLETED || tail -n 20 "numann-$id.out"
check "with the weights of one rank" same_weights across alone
# A launcher that MPI does not understand: no silent single runs.
# shellcheck disable=SC2086
id=$(NUMANN=$NUMANN_OF_MPI NUMANN_SRUN_MPI=none submit --time=2 --nodes=2 "$scripts/nodes.sbatch" "$digits" $across --out silent)
check "srun without PMI" within 60 ended "$id"
check "is refused" same "$(field "$id" JobState) $(field "$id" ExitCode)" "FAILED 2:0"
check "with the line to use" has "numann-$id.out" "SLURM_STEP_NUM_TASKS=2: so many processes were started.*use srun --mpi="
check "before a file is opened" test ! -e silent

# topo shows the job; where srun makes none, the machine and what to use.
case $("$NUMANN_OF_MPI" --version --verbose) in *"Open MPI"*) mpi=pmix ;; *) mpi=pmi2 ;; esac
topo() { submit --time=1 --nodes=2 --ntasks-per-node=1 --output="topo-$1.out" --wrap "srun --mpi=$1 $NUMANN_OF_MPI topo"; }
id=$(topo $mpi)
check "topo on two nodes" within 60 ended "$id"
check "topo: the machine once" same "$(grep -c '^machine$' "topo-$mpi.out")" 1
check "topo: the job" has "topo-$mpi.out" "^job      2 ranks ("
id=$(topo none)
check "topo by srun without PMI" within 60 ended "$id"
check "is refused" same "$(field "$id" JobState) $(field "$id" ExitCode)" "FAILED 2:0"
check "by one process" same "$(grep -c '^numann: error: config: SLURM_STEP_NUM_TASKS=2: so many' topo-none.out)" 1
check "that shows the machine" same "$(grep -c '^machine$' topo-none.out)" 1

# A node is lost with all that ran on it: the script goes on with the other, to the same weights.
# The processes of a job on a node, of this Slurm and no other: what they were started with says so.
on_node() { # JOB NODE
  for at in /proc/[0-9]*; do
    words=$({ tr '\0' '\n' <"$at/environ"; } 2>>down.log |
      grep -cx -e "SLURM_CONF=$SLURM_CONF" -e "SLURM_JOB_ID=$1" -e "SLURMD_NODENAME=$2")
    [ "$words" != 3 ] || echo "${at#/proc/}"
  done
}
# kill -9 of the ranks there, of what started them, and of the node's slurmd. That Slurm finds out by itself takes it
# minutes, or finds busy nodes lost as well: it is told.
lose_node2() { # JOB
  lost=
  for pid in $(on_node "$1" node2); do
    parent=$(ps -o ppid= -p "$pid" | tr -d ' ')
    [ "$(ps -o comm= -p "${parent:-$pid}")" != slurmstepd ] || lost="$lost $parent $pid"
  done
  # shellcheck disable=SC2086 # a list
  [ -n "$lost" ] && kill -9 "$slurmd2" $lost && scontrol update NodeName=node2 State=DOWN Reason=lost
}
saved() { find "$1/checkpoints" -name 'ck-*' | grep -q .; }
across="--set train.batch=257 --set train.grain=8 --set train.epochs=$(epochs 12) --set checkpoint.every=1s --set parallel.patience=5 --threads 1"
# shellcheck disable=SC2086
check "on one rank" run 0 train "$digits" $across --out alone --overwrite --quiet
# shellcheck disable=SC2086
id=$(NUMANN=$NUMANN_OF_MPI NUMANN_ANSWER=10 submit --time=2 --nodes=2 "$scripts/survive.sbatch" "$digits" $across --out survived)
check "a job of two nodes saves" within 30 saved survived
check "a node is lost" within 20 lose_node2 "$id"
check "the job ends" within 110 ended "$id"
check "well" same "$(field "$id" JobState)" COMPLETED || tail -n 20 "numann-$id.out"
check "it had two ranks" has "numann-$id.out" "numann: 2 ranks (Open MPI\|numann: 2 ranks (MPICH"
check "the node was asked for" has "numann-$id.out" "^node node2 does not answer"
check "it went on with the other" has "numann-$id.out" "^going on with 1 nodes: node1"
check "from a checkpoint" has "numann-$id.out" "going on from step"
check "with the weights of one rank" same_weights survived alone
finish

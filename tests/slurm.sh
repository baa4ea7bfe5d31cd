#!/bin/sh
# One node under Slurm, as far as it goes without one: train.max_time, --resume=auto, variables of the environment,
# and the sbatch scripts of configs/slurm with commands of Slurm that this test makes. A real one: slurm_real.sh.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2016 # functions are called through check; variables in single quotes are numann's
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
digits=$srcdir/configs/digits.yaml
for name in $(env | sed -n 's/^\(SLURM[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
has() { grep -q -e "$2" "$1" || { sed 's/^/  | /' "$1" | head -n 5; return 1; }; }
lacks() { ! grep -q -e "$2" "$1" || { sed 's/^/  | /' "$1" | head -n 5; return 1; }; }
state() { find "$1" -type f -exec cksum {} + | sort -k 3; }
# One step an epoch: a job whose end is over makes just one.
steps="--set train.batch=full --set train.epochs=5 --threads 1"

# ---- a bad time is told with what is expected
while IFS='|' read -r value said; do
  check "max_time=$value" run 2 train "$digits" --set "train.max_time=$value" --out bad
  check "max_time=$value: told" has err "train.max_time: $said"
done <<'END2'
10|found "10", expected N s, MM:SS, HH:MM:SS or D-HH:MM:SS, or none or slurm
0 s|found "0 s"
5 epochs|found "5 epochs"
1:60|found "1:60"
-5 s|found "-5 s"
Slurm|found "Slurm"
END2
check "bad times: nothing is left" test ! -e bad

# ---- a time that ends a training
check "max_time stops" run 75 train "$digits" --out timed --set train.epochs=1000000 --set train.max_time=00:03
check "says when it will" has err "train.max_time is over in 0:0[0-3]"
check "says who stopped it" has err "stopped by train.max_time at step [1-9][0-9]*, the checkpoint is safe; go on with: .*--resume$"
check "says how far it is" has err "[0-9]* % done; [1-9][0-9]* more jobs of 0:03"
check "a checkpoint is there" sh -c 'ls timed/checkpoints/ck-*.safetensors >list'
check "the run's config has the time" has timed/config.yaml 'max_time: "00:03"'
check "--json has it, too" run 75 train "$digits" --out timed --set train.epochs=1000000 --set 'train.max_time=1 s' \
  --resume --json --quiet
check "stopped by" same "$(json stopped_by)" "train.max_time"
check "jobs left" has out '"done": 0[.0-9e-]*, "jobs_left": [1-9]'
check "no end is needed" run 0 train "$digits" --out short --set train.epochs=1 --set train.max_time=1-00 --json --quiet
check "an end: all done" has out '"stopped_by": null, "done": 1.0, "jobs_left": null'

# ---- max_time is no part of the numbers: the model is the same file, the resume takes any
check "without a time" run 0 train "$digits" --out plain --set train.epochs=1 --quiet
check "the same model" cmp -s plain/model.safetensors short/model.safetensors
chain() { # FOLDER ARGUMENT...: jobs until one ends otherwise than with 75; $jobs counts them
  where=$1 jobs=0 code=75
  shift
  while [ "$code" = 75 ] && [ "$jobs" -lt 100 ]; do
    jobs=$((jobs + 1))
    "$NUMANN" train "$digits" --out "$where" "$@" --resume=auto --json >out 2>err </dev/null
    code=$?
  done
}
check "uninterrupted" run 0 train "$digits" --out through --set train.epochs=800 --quiet --json
through=$(json weights_sha256)
chain chained --set train.epochs=800 --set 'train.max_time=1 s' --quiet
check "a chain of short jobs ends" exited 0 "$code" "numann train"
check "with the same weights" same "$(json weights_sha256)" "$through"
check "and the same model" cmp -s chained/model.safetensors through/model.safetensors

# ---- the word slurm: from the environment, from squeue, from scontrol, from nothing
# shellcheck disable=SC2086 # words
check "outside of a job" run 0 train "$digits" $steps --out nowhere --set train.max_time=slurm --json
nowhere=$(json weights_sha256)
check "a warning" has err "warning: train.max_time: slurm: this is no Slurm job (SLURM_JOB_ID is not set); .*without a limit"
now=$(date +%s)
SLURM_JOB_ID=7 SLURM_JOB_START_TIME=$((now - 3600)) SLURM_JOB_END_TIME=$((now - 1))
export SLURM_JOB_ID SLURM_JOB_START_TIME SLURM_JOB_END_TIME
# shellcheck disable=SC2086
chain over $steps --set train.max_time=slurm
check "a time that is over: a step for each job, and one for the end" same "$jobs" 6
check "and the end" exited 0 "$code" "numann train"
check "the same weights" same "$(json weights_sha256)" "$nowhere"
# shellcheck disable=SC2086
check "too short" run 75 train "$digits" $steps --out tight --set train.max_time=slurm
check "is told" has err "^numann: 20 % done; 5 more jobs of 59:59; the time is too short for more than one step"
unset SLURM_JOB_START_TIME SLURM_JOB_END_TIME

mkdir bin
PATH=$work/bin:$PATH
export PATH
fake() { # NAME: a command from standard input
  { echo '#!/bin/sh'; cat; } >"bin/$1"
  chmod +x "bin/$1"
}
echo 'echo "$*" >>asked; echo "0:00 1:00:00"' | fake squeue
# shellcheck disable=SC2086
check "squeue tells" run 75 train "$digits" $steps --out asked.run --set train.max_time=slurm
check "squeue was asked for this job" same "$(cat asked)" "-h -j 7 -o %L %l"
check "the job's length" has err "5 more jobs of 1:00:00"
echo 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1' | fake squeue
echo 'echo "   RunTime=01:00:01 TimeLimit=01:00:00 TimeMin=N/A"' | fake scontrol
# shellcheck disable=SC2086
check "scontrol tells" run 75 train "$digits" $steps --out asked.run --set train.max_time=slurm --resume
check "once more" has err "4 more jobs of 1:00:00"
echo 'exit 1' | fake scontrol
# shellcheck disable=SC2086
check "nobody tells" run 0 train "$digits" $steps --out asked.run --set train.max_time=slurm --resume
check "a warning names the job" has err "warning: train.max_time: slurm: Slurm's job 7 has no end that"
unset SLURM_JOB_ID

# ---- --resume=auto
few="--set train.epochs=3 --threads 1 --quiet"
auto() { # CODE ARGUMENT...
  auto_code=$1
  shift
  # shellcheck disable=SC2086
  run "$auto_code" train "$digits" $few --out auto --resume=auto "$@"
}
check "nothing is there: it begins" auto 0 --json
auto=$(json weights_sha256)
check "as without it" run 0 train "$digits" --set train.epochs=3 --out other --quiet --json
check "the same weights" same "$(json weights_sha256)" "$auto"
state auto >before
check "finished: 0" run 0 train "$digits" --set train.epochs=3 --out auto --resume=auto
check "a note" has err "auto: this run is finished, nothing is left to do; weights $(echo "$auto" | cut -c 1-16)"
state auto >after
check "nothing has changed" cmp -s before after
check "--json" auto 0 --json
check "the hash" same "$(json weights_sha256)" "$auto"
check "says so" has out '"finished_before": true'
mv auto/checkpoints elsewhere
check "finished, without checkpoints" auto 0
mv elsewhere auto/checkpoints
check "another seed is another run" auto 2 --set train.seed=5
check "named" has err "train.seed is 5, was 1"
rm auto/report.html
check "an end without its report is made again" auto 0
check "there it is" test -s auto/report.html
sleep 0.1
touch auto/model.safetensors
check "so is a report that is older than the model" auto 0 --json
check "it was" lacks out finished_before
constant="--set train.schedule.name=constant"
# shellcheck disable=SC2086
check "a run" run 0 train "$digits" $constant $few --out longer
# shellcheck disable=SC2086
check "to more epochs" run 0 train "$digits" $constant $few --set train.epochs=5 --out longer --resume=auto --json
check "goes on" same "$(json epochs)" 5
# shellcheck disable=SC2086
check "to fewer" run 2 train "$digits" $constant $few --set train.epochs=4 --out longer --resume=auto
check "is told" has err "found 4, but 5 epochs"
rm auto/model.safetensors auto/report.html
check "something is there: it goes on" run 0 train "$digits" --set train.epochs=3 --out auto --resume=auto --json
check "from where it was" has err "going on from step 120"
check "the same end" same "$(json weights_sha256)" "$auto"
rm -r auto
check "many checkpoints" auto 0 --set 'checkpoint.every=1 epochs' --json
rm auto/model.safetensors
echo damaged >auto/checkpoints/ck-120.safetensors
check "a damaged newest checkpoint" auto 0 --json
check "is named" has err "warning: checkpoint passed over: auto/checkpoints/ck-120.safetensors"
check "the older one comes to the same end" same "$(json weights_sha256)" "$auto"
rm auto/model.safetensors
for file in auto/checkpoints/ck-*; do echo damaged >"$file"; done
check "all damaged: never from the beginning" auto 4
rm -r auto
check "with --overwrite" auto 2 --overwrite
check "another word" run 2 train "$digits" --resume=yes --out auto
check "is told" has err "command line: --resume=yes: expected --resume or --resume=auto"
check "an empty word" run 2 train "$digits" --resume= --out auto
check "the word apart" run 2 train "$digits" --resume auto --out auto
check "is shown" has err "write --resume=auto"
check "help" run 0 train --help
check "has it" has out "--resume\[=auto\] "
check "completion" run 0 help completion train
check "has both" same "$(grep -c -x -e --resume -e --resume=auto out)" 2
check "nothing was begun" test ! -e auto

# ---- the lock: another job that has not ended is waited for; one of another host is told
"$NUMANN" train "$digits" --set train.epochs=1000000 --out busy --quiet 2>busy.err &
first=$!
until [ -s busy/metrics.jsonl ]; do sleep 0.05; done
check "--resume does not wait" run 2 train "$digits" --set train.epochs=1000000 --out busy --resume
check "and names the holder" has err "in use by process $first on host"
"$NUMANN" train "$digits" --set train.epochs=1000000 --out busy --resume=auto 2>second.err &
second=$!
until grep -q "waiting for it" second.err; do sleep 0.05; done
kill "$first"
wait "$first"
until grep -q "going on from step" second.err || ! kill -0 "$second" 2>gone; do sleep 0.05; done
kill "$second"
wait "$second"
check "--resume=auto waits" exited 75 $? "numann train --resume=auto"
check "and goes on" has second.err "going on from step"
echo "process 12 on host elsewhere" >busy/lock
check "a lock that another host has left" run 75 train "$digits" --set train.epochs=1000000 --out busy --resume \
  --set 'train.max_time=1 s'
check "is told" has err "busy: process 12 on host elsewhere was here and did not come to its end"

# ---- variables
SLURM_ARRAY_TASK_ID=4
export SLURM_ARRAY_TASK_ID
sweep() { # CODE ARGUMENT...
  sweep_code=$1
  shift
  run "$sweep_code" train "$digits" --set train.epochs=1 --threads 1 --out 'sweep/${SLURM_ARRAY_TASK_ID}' \
    --set 'train.seed=${SLURM_ARRAY_TASK_ID}' --json "$@"
}
check "a seed and a folder from a variable" sweep 0
four=$(json weights_sha256)
check "the value is recorded" has sweep/4/config.yaml "^  seed: 4$"
check "in the model, too" run 0 info sweep/4
check "as a value" has out "seed: 4"
check "by hand" run 0 train "$digits" --set train.epochs=1 --out hand --set train.seed=4 --json --quiet
check "the same weights" same "$(json weights_sha256)" "$four"
check "a resume of the same task" sweep 0 --resume=auto
unset SLURM_ARRAY_TASK_ID
check "outside of the task" sweep 2 --resume=auto
check "the variable is named" has err "the variable SLURM_ARRAY_TASK_ID is not set in the environment"
check "by its value" run 0 train "$digits" --set train.epochs=1 --out sweep/4 --set train.seed=4 --resume=auto
check "the run's config trains again" run 0 train sweep/4/config.yaml --out again --json --quiet
check "to the same weights" same "$(json weights_sha256)" "$four"
cp "$srcdir/configs/data/digits.csv.gz" '${rows}.csv.gz'
sed 's|data/digits.csv.gz|"$${rows}.csv.gz"|' "$digits" >literal.yaml
check "a literal brace" run 0 train literal.yaml --set train.epochs=1 --out literal --quiet
check "as it stands, and safe from the next reader" has literal/config.yaml '/$${rows}.csv.gz'
check "that trains again" run 0 train literal/config.yaml --out literal2 --quiet
check "the model has it plain" run 0 info literal
check "without the second dollar" has out '"${rows}.csv.gz"'
check "an empty --out" run 2 train "$digits" --out '${NOTHING:-}'
check "is told" has err "--out is empty"
check "a stop says values" env SLURM_ARRAY_TASK_ID=4 sh -c '"$0" train "$@" 2>err; test $? = 75' "$NUMANN" "$digits" \
  --set train.epochs=1000000 --out 'go/${SLURM_ARRAY_TASK_ID}' --set 'train.seed=${SLURM_ARRAY_TASK_ID}' --set 'train.max_time=1 s'
check "in the line to go on with" has err "go on with: .*--set train.seed=4 .*--out go/4 --resume$"

# ---- the shipped scripts, with a Slurm of files: bin/sbatch queues, the test runs
command -v bash >list || { echo "SKIP: no bash for the sbatch scripts"; finish; }
mkdir queue spool
echo 100 >last
fake sbatch <<'END2'
# The queue has a file of its arguments for each job; the script itself lies in the spool folder.
id=$(($(cat last) + 1))
echo "$id" >last
echo "$*" >>sbatch.words
while case $1 in --*) true ;; *) false ;; esac; do shift; done
cp "$1" "spool/$id"
shift
echo "${NUMANN_LINKS-}" >"spool/$id.links"
for word; do printf '%s\n' "$word"; done >"queue/$id"
echo "$id;cluster"
END2
echo 'case $* in *%l) echo 1:00:00 ;; *) exit 1 ;; esac' | fake squeue
echo 'rm -f "queue/$1"; echo "$1" >>cancelled' | fake scancel
echo '[ "$1" != requeue ] || echo "$2" >>requeued' | fake scontrol
scripts=$srcdir/configs/slurm
NUMANN_COMMAND=$NUMANN
job() { # ID SCRIPT ARGUMENT...: as Slurm runs it, in a job whose end is over when it begins
  job_id=$1
  job_script=$2
  shift 2
  job_now=$(date +%s)
  env NUMANN="$NUMANN_COMMAND" SLURM_JOB_ID="$job_id" SLURM_JOB_START_TIME=$((job_now - 3600)) SLURM_JOB_PARTITION=short \
    SLURM_JOB_END_TIME="$((job_now - 1 + ${more_time:-0}))" SLURM_CPUS_PER_TASK=3 bash "$job_script" "$@" >"job.$job_id" 2>&1
}
# Those that wait for job ID, one after the other, as long as they may begin.
follow() { # ID CODE
  id=$1 code=$2
  while [ "$code" != 0 ] && [ -f "queue/$((id + 1))" ]; do
    id=$((id + 1))
    set --
    while IFS= read -r word; do set -- "$@" "$word"; done <"queue/$id"
    rm "queue/$id"
    NUMANN_LINKS=$(cat "spool/$id.links")
    export NUMANN_LINKS
    job "$id" "spool/$id" "$@"
    code=$?
  done
  unset NUMANN_LINKS
}
queued() { find queue -type f | grep -q .; }

# shellcheck disable=SC2086
job 100 "$scripts/chain.sbatch" "$digits" $steps --out chain.run
first=$?
check "the first link of a chain" exited 75 "$first" "chain.sbatch"
check "the next one waits for it, as long, on the same processors" has sbatch.words \
  "^--parsable --dependency=afternotok:100 --kill-on-invalid-dep=yes --cpus-per-task=3 --partition=short --time=1:00:00 .*chain.sbatch "
follow 100 "$first"
check "the chain ends" exited 0 "$code" "chain.sbatch"
check "after a job for each step, and one for the end" same "$id" 105
check "the last submission is taken back" same "$(cat cancelled)" 106
check "nothing is left in the queue" refute queued
check "the same weights" cmp -s chain.run/model.safetensors nowhere/model.safetensors
# shellcheck disable=SC2086
job 115 "$scripts/chain.sbatch" "$digits" $steps --out chain.run
check "a link behind the end" exited 0 $? "chain.sbatch"
check "says that it is one" has job.115 "this run is finished"
check "it leaves nothing in the queue" refute queued
job 110 "$scripts/chain.sbatch" "$digits" --set train.epoch=5 --out chain.bad
check "a mistake ends a chain" exited 2 $? "chain.sbatch"
check "at once" refute queued
# shellcheck disable=SC2086
NUMANN_LINKS=1 job 120 "$scripts/chain.sbatch" "$digits" $steps --out chain.one
check "the last of its links" exited 75 $? "chain.sbatch"
check "submits none" refute queued

# a job that is queued again under its number
more_time=7200
(cd "$work" && job 130 "$scripts/requeue.sbatch" "$digits" --set train.schedule.name=constant --set train.epochs=1000000 \
  --out requeue.run --threads 1; echo $? >code) &
until [ -s requeue.run/metrics.jsonl ]; do sleep 0.05; done
script=$(sed -n 's/^process \([0-9]*\) .*/\1/p' requeue.run/lock)
script=$(awk '{ sub(/.*\) /, ""); print $2 }' "/proc/$script/stat" 2>none)
if [ -n "$script" ]; then
  kill -USR1 "$script"
  wait
  check "requeue.sbatch after SIGUSR1" exited 75 "$(cat code)" "requeue.sbatch"
  check "numann has had it" has job.130 "stopped by SIGUSR1 at step"
  check "queued again" same "$(cat requeued)" 130
  at=$(sed -n 's/.*stopped by SIGUSR1 at step \([0-9]*\),.*/\1/p' job.130)
  epochs=$((at / 40 + 2))
  job 130 "$scripts/requeue.sbatch" "$digits" --set train.schedule.name=constant --set "train.epochs=$epochs" \
    --out requeue.run --threads 1
  check "its second start" exited 0 $? "requeue.sbatch"
  check "uninterrupted" run 0 train "$digits" --set train.schedule.name=constant --set "train.epochs=$epochs" --out once --quiet
  check "the same weights" cmp -s requeue.run/model.safetensors once/model.safetensors
  check "not queued a third time" same "$(cat requeued)" 130
else
  kill "$(sed -n 's/^process \([0-9]*\) .*/\1/p' requeue.run/lock)"
  wait
  echo "SKIP: no /proc to find the script's process in"
fi
more_time=0

# an array, each task of which starts until it is finished
rm -f requeued
for task in 1 2 3; do
  starts=0 code=75
  while [ "$code" = 75 ] && [ "$starts" -lt 20 ]; do
    starts=$((starts + 1))
    # shellcheck disable=SC2086
    SLURM_ARRAY_TASK_ID=$task job "14$task" "$scripts/sweep.sbatch" "$digits" $steps
    code=$?
  done
  check "task $task ends" exited 0 "$code" "sweep.sbatch"
  check "task $task: queued again after each step but the last" same "$(grep -c "^14$task$" requeued)" 5
done
# shellcheck disable=SC2086
check "by hand" run 0 train "$digits" $steps --set train.seed=3 --out three --quiet
check "task 3 has seed 3" cmp -s runs/seed-3/model.safetensors three/model.safetensors
check "task 2 has not" refute cmp -s runs/seed-2/model.safetensors three/model.safetensors

# ---- nodes that are lost: srun is one process here, and ends as the file `ends` says, a line a start
fake scontrol <<'END2'
[ "$1 $2" != "show hostnames" ] || printf '%s\n' n1 n2 n3
END2
fake srun <<'END2'
for node; do case $node in --nodelist=*) nodes=${node#*=} ;; esac; done
case $* in *" true") ! grep -qx "$nodes" dead; exit ;; esac
echo "$*" >>srun.words
end=$(head -n 1 ends)
sed -i 1d ends
while case $1 in --*) true ;; *) false ;; esac; do shift; done
case $end in
  run) exec "$@" ;;
  lose*) # a few epochs, then the rank is killed with its node
    echo "${end#lose }" >>dead
    NUMANN_MPI=off "$@" &
    rank=$!
    until [ -s survive.run/metrics.jsonl ]; do sleep 0.05; done
    kill -9 "$rank"
    exit 137 ;;
  *) exit "$end" ;;
esac
END2
survive() { # CODE JOB END...: of each start
  survive_code=$1 survive_job=$2
  shift 2
  printf '%s\n' "$@" >ends
  rm -f srun.words
  job "$survive_job" "$scripts/survive.sbatch" "$digits" --set train.epochs=600 --threads 1 --out survive.run
  exited "$survive_code" $? "survive.sbatch after $*"
}
started_on() { sed -n 's/.*--nodes=\([0-9]*\) --ntasks=\([0-9]*\) --nodelist=\([^ ]*\) .*/\1 \2 \3/p' srun.words | tr '\n' ';'; }
export SLURM_JOB_NODELIST='n[1-3]'
more_time=7200
: >dead
check "a node is lost" survive 0 151 "lose n2" run
check "it goes on without it" same "$(started_on)" "3 3 n1,n2,n3;2 2 n1,n3;"
check "and says so" has job.151 "^node n2 does not answer"
check "from its checkpoint" has job.151 "going on from step"
check "with the training" has srun.words "numann train .*--set train.max_time=slurm --resume=auto$"
check "uninterrupted" run 0 train "$digits" --set train.epochs=600 --threads 1 --out survive.through --quiet
check "the same weights" cmp -s survive.run/model.safetensors survive.through/model.safetensors
: >dead
for code in 2 3 4 5 6 7 75; do
  check "exit code $code is the end" survive $code 152 $code
  check "exit code $code: one start" same "$(wc -l <srun.words)" 1
done
check "what no lost node explains is tried three times" survive 8 153 8 8 8 run
check "no more" same "$(started_on)" "3 3 n1,n2,n3;3 3 n1,n2,n3;3 3 n1,n2,n3;"
check "and said" has job.153 "all nodes answer, and this was failure 3 in a row"
echo n1 >dead
(NUMANN_LEAST=3; export NUMANN_LEAST; survive 137 154 137 run)
check "fewer nodes than NUMANN_LEAST" exited 0 $? "survive.sbatch"
check "are no start" same "$(wc -l <srun.words)" 1
check "and told" has job.154 "2 nodes are left, 3 are wanted (NUMANN_LEAST)"
printf '%s\n' n1 n2 n3 >dead
check "no node is left" survive 1 155 1 run
: >dead
(SLURM_NTASKS_PER_NODE=4; export SLURM_NTASKS_PER_NODE; survive 2 156 2)
check "as many ranks on each node as the job has" same "$(started_on)" "3 12 n1,n2,n3;"
rm -rf survive.run
printf '%s\n' run run >ends
(cd "$work" && job 157 "$scripts/survive.sbatch" "$digits" --set train.epochs=600 --threads 1 --out survive.run; echo $? >code) &
until [ -s survive.run/metrics.jsonl ]; do sleep 0.05; done
script=$(sed -n 's/^process \([0-9]*\) .*/\1/p' survive.run/lock)
script=$(awk '{ sub(/.*\) /, ""); print $2 }' "/proc/$script/stat" 2>none)
[ -z "$script" ] || kill -USR1 "$script" || script=
wait
if [ -n "$script" ]; then
  check "survive.sbatch after SIGUSR1" exited 75 "$(cat code)" "survive.sbatch"
  check "numann has had it from the script" has job.157 "stopped by SIGUSR1 at step"
  check "no start follows" same "$(wc -l <ends)" 1
else
  echo "SKIP: no /proc to find the script's process in"
fi
unset SLURM_JOB_NODELIST
more_time=0

# ---- as they stand: from a source tree, from an installed prefix, from neither
NUMANN_COMMAND=
more_time=7200
mkdir -p tree/build prefix/bin prefix/share/numann elsewhere
ln -s "$srcdir/configs" tree/configs
ln -s "$NUMANN" tree/build/numann
ln -s "$NUMANN" prefix/bin/numann
ln -s "$srcdir/configs" prefix/share/numann/configs
here() { # FOLDER ID SCRIPT
  (cd "$1" && job "$2" "$scripts/$3")
}
for script in one chain requeue sweep; do
  (SLURM_ARRAY_TASK_ID=1; export SLURM_ARRAY_TASK_ID; here tree 150 "$script.sbatch")
  check "$script.sbatch in a source tree" exited 0 $? "$script.sbatch"
done
check "the run is there" test -s tree/runs/digits/model.safetensors
(PATH=$work/prefix/bin:$PATH; here elsewhere 160 one.sbatch)
check "one.sbatch with an installed numann" exited 0 $? "one.sbatch"
check "trains its digits" cmp -s elsewhere/runs/digits/model.safetensors tree/runs/digits/model.safetensors
mkdir nowhere.else
(PATH=$work/bin:/usr/bin:/bin; here nowhere.else 170 one.sbatch)
check "one.sbatch without numann" exited 2 $? "one.sbatch"
check "says what is missing" has nowhere.else/job.170 "set NUMANN to the command"
finish
